# SPDX-License-Identifier: EUPL-1.2
"""Contributions that do not fit, over the API, and keys that do not open, at the command."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from api.auth import Actor, Role
from crypto.keys.file import MasterKey, Strength
from crypto.policy import Role as KeyRole
from deploy.embedded import Addresses
from tests.api.depositing import Site, slug
from tests.world.custodian import Custodian
from tests.world.world import World

BIDVAULT = str(Path(sys.executable).with_name("bidvault"))
QUICK = Strength(8, 1, 1)


@pytest.fixture
def fresh(fresh_addresses: Addresses) -> Iterator[Site]:
    """A site with nothing published yet."""
    world = World(fresh_addresses)
    yield Site(world)
    world.close()


def closed(site: Site, *, k: int) -> UUID:
    """A procedure whose technical box is closed, with one envelope."""
    world = site.world
    world.publish(world.draft(k=k, n=2))
    world.deposit()
    world.after_settle()
    world.close_box(1)
    return world.procedure


def contribute(site: Site, opening: bytes, one: Custodian, *, note: bytes) -> httpx2.Response:
    actor = Actor(subject=one.subject, role=Role.CUSTODIAN, person=one.person, kid=one.master.kid)
    path = f"/v1/openings/{opening.hex()}/contributions"
    return site.http.post(path, content=note, headers=site.bearer(actor))


@pytest.mark.proves("T19")
def test_a_person_counts_once(fresh: Site) -> None:
    closed(fresh, k=2)
    opening, (one, other, *_) = fresh.world.offer(1), fresh.world.custodians
    first, second = (one.contribute(fresh.world.bundle(opening)).note for _ in range(2))  # HPKE is random
    assert contribute(fresh, opening, one, note=first).json()["accepted"] == 1

    answer = contribute(fresh, opening, one, note=second)

    assert (answer.status_code, slug(answer), answer.json()["code"]) == (422, "statement-refused", "person")
    assert contribute(fresh, opening, one, note=first).json()["accepted"] == 1
    third = other.contribute(fresh.world.bundle(opening)).note
    assert contribute(fresh, opening, other, note=third).json()["accepted"] == 2


@pytest.mark.proves("T17")
def test_a_contribution_to_another_procedure_is_refused_and_harms_none(fresh: Site) -> None:
    one, openings, notes = fresh.world.custodians[0], [], []
    for _ in range(2):
        closed(fresh, k=1)
        openings.append(fresh.world.offer(1))
        notes.append(one.contribute(fresh.world.bundle(openings[-1])).note)

    answers = [contribute(fresh, opening, one, note=note) for opening, note in zip(openings, notes[::-1], strict=True)]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "opening")}
    for opening, note in zip(openings, notes, strict=True):
        assert contribute(fresh, opening, one, note=note).status_code == 201


@pytest.mark.proves("T55")
@pytest.mark.parametrize(
    ("spoil", "passphrase", "says"),
    [
        (lambda file: file, "another", "passphrase"),
        (lambda file: file[:-40], "right", "key"),
        (lambda file: file.replace(b"A", b"B", 5), "right", "key"),
        (lambda _: b"", "right", "key"),
    ],
    ids=["wrong passphrase", "cut", "changed", "empty"],
)
def test_a_key_that_does_not_open_is_said_in_a_sentence(
    tmp_path: Path, spoil: object, passphrase: str, says: str
) -> None:
    assert callable(spoil)
    (tmp_path / "alice.key").write_bytes(
        spoil(MasterKey.generate(KeyRole.CUSTODIAN).seal_into_file("right", strength=QUICK))
    )
    (tmp_path / "words").write_text(passphrase)
    (tmp_path / "policy").write_bytes(b"")
    words = ["custodian", "rehearse", "--key", "alice.key", "--passphrase-file", "words", "--policy", "policy"]

    done = subprocess.run([BIDVAULT, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.signed"))
