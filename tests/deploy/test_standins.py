# SPDX-License-Identifier: EUPL-1.2
"""What is for development only is recognised where somebody takes it for the real thing."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from api.bootstrap import compose
from deploy.authorities import addresses, write_seal, write_trust
from deploy.standins import generate_passphrase, require_none
from tests.deploy.own_pki import draw_pki
from tests.world.world import World
from vault.errors import CannotStart
from vault.settings import Authority
from vault.work import SandboxClock

BASE = "http://127.0.0.1:1"
VAULT, GATE = "postgresql+psycopg://vault:a@db/bidvault", "postgresql+psycopg://gate:b@db/bidvault"


@dataclass(frozen=True)
class Given:
    """What a vault that is not for development is given."""

    authorities: tuple[Authority, ...]
    passphrase_file: Path
    keys: Path
    database_url: str = VAULT
    gate_database_url: str = GATE

    def judged(self) -> None:
        require_none(
            authorities=self.authorities,
            passphrase_file=self.passphrase_file,
            keys=self.keys,
            database_url=self.database_url,
            gate_database_url=self.gate_database_url,
        )


def given(folder: Path, pki: Path | None) -> Given:
    """Roots, seal and passphrase; of deploy/pki when no other is named."""
    where = addresses(BASE, pki_folder=pki) if pki is not None else addresses(BASE)
    write_trust(where, folder / "roots")
    write_seal(where, folder / "keys", passphrase=b"chosen")
    (folder / "passphrase").write_text("chosen by somebody\n")
    named = [Authority(name=one.name, url=one.address, anchor=folder / "roots" / f"time-{which}.pem")
             for one, which in zip(where.time, "ab", strict=True)]  # fmt: skip
    return Given(tuple(named), folder / "passphrase", folder / "keys")


@pytest.fixture
def real(tmp_path: Path) -> Given:
    return given(tmp_path / "real", draw_pki(tmp_path / "pki"))


@pytest.fixture
def test_only(tmp_path: Path) -> Given:
    return given(tmp_path / "test", None)


def test_real_parts_are_let_through(real: Given) -> None:
    real.judged()


def test_a_test_authority_is_refused(real: Given, test_only: Given) -> None:
    mixed = replace(real, authorities=(real.authorities[0], test_only.authorities[1]))

    with pytest.raises(CannotStart, match=r"Test time authority B is a test authority.*--tsa"):
        mixed.judged()


def test_the_test_seal_is_refused(real: Given, test_only: Given) -> None:
    with pytest.raises(CannotStart, match=r"is the test seal.*seal\.p8"):
        replace(real, keys=test_only.keys).judged()


def test_a_generated_passphrase_is_refused(real: Given) -> None:
    real.passphrase_file.write_text(generate_passphrase() + "\n")

    with pytest.raises(CannotStart, match=r"generated for development.*--passphrase-file") as refusal:
        real.judged()
    assert real.passphrase_file.read_text().strip() not in str(refusal.value)


def test_one_database_role_for_vault_and_gate_is_refused(real: Given) -> None:
    with pytest.raises(CannotStart, match=r"same role.*--gate-database-url") as refusal:
        replace(real, gate_database_url=VAULT).judged()
    assert "vault:a" not in str(refusal.value)


def test_a_clock_that_can_be_shifted_is_refused(world: World) -> None:
    with pytest.raises(CannotStart, match="clock that can be shifted"):
        compose(world.works.settings, clock=SandboxClock())
