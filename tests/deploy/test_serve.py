# SPDX-License-Identifier: EUPL-1.2
"""A serving process that may not start ends with one sentence, which names what to do and no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import REFUSED
from tests.deploy.conftest import ROOT
from tests.world.pki import anchors_pem
from vault.errors import CannotStart
from vault.settings import read_settings

SECRET = "not-for-anybodys-eyes"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings of a vault that calls itself real, on test authorities."""
    for which in "ab":
        (tmp_path / f"{which}.pem").write_bytes(anchors_pem(which))
    bucket = {"access_key": "a", "secret_key": SECRET}
    authorities = [
        {"name": which, "url": "http://127.0.0.1:9", "anchor": str(tmp_path / f"{which}.pem")} for which in "ab"
    ]
    return {
        "BIDVAULT_DATABASE_URL": f"postgresql+psycopg://vault:{SECRET}@127.0.0.1:9/none",
        "BIDVAULT_GATE_DATABASE_URL": f"postgresql+psycopg://gate:{SECRET}@127.0.0.1:9/none",
        "BIDVAULT_S3_ENDPOINT": "http://127.0.0.1:9",
        "BIDVAULT_OBJECTS": json.dumps({"bucket": "objects", **bucket}),
        "BIDVAULT_KEY_STORE": json.dumps({"bucket": "keys", **bucket}),
        "BIDVAULT_AUTHORITIES": json.dumps(authorities),
        "BIDVAULT_KEYS": str(tmp_path),
        "BIDVAULT_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }


def serve(environment: dict[str, str]) -> tuple[int, str]:
    """Status and what it said."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "deploy.serve", "api"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_test_authority_ends_the_start_of_a_real_vault(environment: dict[str, str]) -> None:
    status, said = serve(environment)

    assert status == REFUSED
    assert said.startswith("cannot-start: a is a test authority")
    assert said.count("\n") == 1
    assert SECRET not in said


def test_settings_that_do_not_fit_are_named_without_their_values(environment: dict[str, str]) -> None:
    environment.pop("BIDVAULT_S3_ENDPOINT")
    environment["BIDVAULT_KEY_STORE"] = json.dumps({"bucket": "keys", "secret_key": SECRET})

    status, said = serve(environment)

    assert status == REFUSED
    assert said.startswith("cannot-start: the settings do not fit: BIDVAULT_S3_ENDPOINT: Field required")
    assert "BIDVAULT_KEY_STORE__ACCESS_KEY: Field required" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"quorum": 1}, "BIDVAULT_QUORUM: Input should be greater than or equal to 2"),
        ({"quorum": 3}, "3 time authorities are needed, 2 given"),
        ({"max_document": 20_000_000_000}, "a document may not be larger than an envelope"),
        ({"s3_endpoint": "store.example"}, "give an http or https address"),
        ({"store_quota": "much"}, "BIDVAULT_STORE_QUOTA: could not parse"),
    ],
)
def test_unsafe_settings_are_refused(environment: dict[str, str], change: dict[str, object], says: str) -> None:
    given = {name.removeprefix("BIDVAULT_").lower(): value for name, value in environment.items()}
    read = {name: json.loads(value) if value[0] in "[{" else value for name, value in given.items()}

    with pytest.raises(CannotStart, match=says) as refusal:
        read_settings({**read, **change})
    assert SECRET not in str(refusal.value)
