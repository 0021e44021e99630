# SPDX-License-Identifier: EUPL-1.2
"""`bidvault store check`: which store, what it prints, how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.conformance import CHECKS
from deploy.embedded import Addresses, S3Credentials
from deploy.store_command import app
from tests.deploy.lies import LIES
from tests.deploy.lying_store import lying
from tests.deploy.test_conformance import SMALL
from tests.deploy.test_up import bucket

Check = Callable[..., Result]


def check(*arguments: str, **settings: str) -> Result:
    """Run the command with these settings, patient for seconds only."""
    environment = {f"BIDVAULT_{name.upper()}": value for name, value in settings.items()}
    return CliRunner(env={"COLUMNS": "250"}).invoke(app, ["check", *arguments], env=environment, obj=SMALL)


def identities(folder: Path, **whom: S3Credentials) -> str:
    path = folder / "identities.json"
    told = {name: {"access_key": who.access_key, "secret_key": who.secret_key} for name, who in whom.items()}
    path.write_text(json.dumps(told))
    return f"--identities={path}"


def test_of_a_running_vault_it_tries_everything(addresses: Addresses) -> None:
    result = check(
        "--json",
        s3_endpoint=addresses.s3_endpoint,
        objects=bucket(addresses.object_bucket, addresses.vault),
        key_store=bucket(addresses.key_bucket, addresses.keys),
        embedded_store=str(addresses.store_directory),
    )

    told = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert told["is_fit"]
    assert told["is_embedded"]
    assert {one["number"]: one["outcome"] for one in told["checks"]}.items() >= {
        24: "not needed",
        28: "kept",
        32: "kept",
    }.items()
    assert len(told["checks"]) == len(CHECKS)


def test_a_store_that_fails_a_must_ends_it_with_1_and_a_table(addresses: Addresses, tmp_path: Path) -> None:
    _, lie = LIES["a lock is shortened"]
    with lying(addresses.s3_endpoint, lie()) as endpoint:
        whom = identities(tmp_path, vault=addresses.vault)

        result = check(f"--endpoint={endpoint}", f"--bucket={addresses.object_bucket}", whom)

    said = " ".join(result.output.replace("│", " ").split())  # however wide the screen is
    assert result.exit_code == 1
    assert "No vault should stand on this store: 7 not kept. Not tried, so not known: 28, 31, 32, 33." in said
    assert "not tried as the provisioning identity" in said
    assert "Durability is the store's promise, which no check can see: ask its operator" in said
    assert "an outside store: its operator answers" in said
    assert addresses.vault.secret_key not in result.output


def test_what_the_operator_promises_stands_beside_the_findings(addresses: Addresses, tmp_path: Path) -> None:
    whom = identities(tmp_path, vault=addresses.vault, reader=addresses.reader, provision=addresses.provision)

    result = check(
        f"--endpoint={addresses.s3_endpoint}",
        f"--bucket={addresses.object_bucket}",
        "--durability=three [sites]",
        whom,
    )

    assert result.exit_code == 0
    assert "A vault may stand on this store." in result.output
    assert "Its operator says: three [sites]" in result.output


def test_without_a_store_it_asks_which() -> None:
    result = check()

    assert result.exit_code == 2
    assert "which store?" in result.output


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    whom = identities(tmp_path, vault=S3Credentials("a", "b"))

    result = check("--endpoint=http://127.0.0.1:9", "--bucket=vault", whom)

    assert result.exit_code == 1
    assert "store-unfit: the store at http://127.0.0.1:9 does not answer" in result.output


@pytest.mark.parametrize(
    ("text", "says"), [("{", "Invalid JSON"), ('{"vault": {"access_key": "a"}}', "vault.secret_key: Field required")]
)
def test_a_file_of_identities_that_is_none_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "identities.json"
    path.write_text(text)

    result = check(f"--identities={path}")

    assert result.exit_code == 2
    assert says in result.output


def test_settings_that_cannot_be_read_are_named() -> None:
    result = check(objects='{"bucket": "vault"}')

    assert result.exit_code == 2
    assert "BIDVAULT_OBJECTS__ACCESS_KEY: Field required" in result.output
