# SPDX-License-Identifier: EUPL-1.2
"""A stranger's platform, custodian's tool and checker, written from the pages, do the main job with our vault."""

from collections.abc import Callable, Iterator

import pytest
from sqlmodel import select

from api.auth import Role
from crypto.statement import Statement
from tests.api.depositing import Site
from tests.api.frame import serving
from tests.second import custodian, verifier
from tests.second.platform import Answer, Envelope, Platform
from tests.world.world import ACME, PLATFORM, World
from vault import sequencer
from vault.models import ClosingRow
from vault.opening import contributing

DOCUMENTS = {"offre/prix.csv": b"lot;prix\n1;42\n", "mémoire.pdf": b"%PDF " * 9000, "note.txt": b"\n"}


Login = Callable[[], Platform]


@pytest.fixture
def login(world: World) -> Iterator[Login]:
    """Get a token, as one that is an hour old no longer counts."""
    site = Site(world)
    with serving(site.http.app) as port:  # type: ignore[arg-type]
        yield lambda: Platform(port, site.bearer(Role.PLATFORM)["Authorization"].removeprefix("Bearer "))


def envelope(world: World, bidder: str = ACME) -> Envelope:
    return Envelope(str(world.publish()), "1", "technical", bidder, DOCUMENTS)


def closing_of(world: World, closing: Statement) -> ClosingRow:
    with world.works.open() as work:
        return work.session.exec(select(ClosingRow).where(ClosingRow.id == closing.id)).one()


def opened_by_strangers(world: World) -> dict[str, bytes]:
    """The box closes, strangers' tools contribute, the vault opens."""
    opening_id = world.offer(1)
    for one in world.custodians[:3]:
        said = custodian.contribute(world.bundle(opening_id), kid=one.master.kid, master=bytes(one.master._master))
        contributing.contribute(world.works, PLATFORM, opening_id, note=said, person=one.person)
    assert world.advance(opening_id)
    (documents,) = world.opened().values()
    return documents


@pytest.mark.proves("CONF-11", "ACK-03")
def test_a_strangers_platform_gets_a_receipt_that_a_strangers_checker_finds_sound(world: World, login: Login) -> None:
    sent = envelope(world)
    platform = login()
    given = platform.deposit(sent)
    assert (given.status, given.statement) == (201, "receipt")
    assert platform.deposit(sent) == Answer(201, "receipt", given.type, given.body)

    receipt = verifier.check_receipt(given.body, platform.evidence(sent).body)

    verifier.require_documents(receipt, DOCUMENTS, secret=sent.secret)
    with pytest.raises(AssertionError):
        verifier.require_documents(receipt, {**DOCUMENTS, "note.txt": b"x"}, secret=sent.secret)


@pytest.mark.proves("CONF-11", "LOG-03")
def test_after_the_closing_a_stranger_finds_the_receipt_in_journal_and_list(world: World, login: Login) -> None:
    sent = envelope(world)
    platform = login()
    given = platform.deposit(sent)
    assert platform.proof(sent).status == 404
    world.after_settle()
    closing = world.close_box()
    sequencer.publish(world.works)

    platform = login()
    receipt = verifier.check_receipt(given.body, platform.evidence(sent).body)
    verifier.require_entry(receipt, platform.proof(sent).body)
    kept = closing_of(world, closing)
    vkey = world.policy.vault_verifier.vkey
    verifier.require_listed(receipt, closing=closing.note, entries=kept.list, vkey=vkey)


@pytest.mark.proves("CONF-11", "OPEN-01")
def test_what_strangers_deposit_and_contribute_opens_to_the_same_bytes(world: World, login: Login) -> None:
    sent = envelope(world)
    platform = login()
    assert platform.deposit(sent).status == 201
    world.after_settle()
    world.close_box()

    assert opened_by_strangers(world) == DOCUMENTS
