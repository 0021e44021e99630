# SPDX-License-Identifier: EUPL-1.2
"""Floods: strangers post contributions without end; work and entries stay small, and the opening goes on (T54)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from crypto.ceremony import Contribution
from crypto.errors import CryptoError, FormatError, PersonError, SignatureError
from crypto.events import Event, EventKind
from crypto.statement import Kind, parse_note
from crypto.wraps import WrapKind
from tests.world.custodian import Custodian
from tests.world.world import PLATFORM, World
from vault import journal
from vault.lifecycle import BoxState
from vault.models import ContributionRow, JournalRow
from vault.opening import contributing
from vault.store.names import key_kind_prefix
from vault.tally import FULL

STATEMENTS = 12  # of SQL for one refusal with its entry: rows of opening, procedure, policies; the entry
KINDS = 4


@pytest.fixture
def offered(open_world: World) -> World:
    """A world whose technical box is offered, with one envelope in it."""
    open_world.deposit()
    open_world.after_settle()
    open_world.close_box(1)
    return open_world


def posts(world: World, opening_id: bytes) -> list[tuple[bytes, bytes, type[CryptoError]]]:
    """Note, sender, refusal: nonsense, a forged signature, a stranger's own, and another's good one."""
    alice, bruno = world.custodians[:2]
    good = alice.contribute(world.bundle(opening_id))
    made = Contribution.of(parse_note(good.note, Kind.CONTRIBUTION))
    stranger = Custodian("mallory", world.time.clock)
    forged = bytearray(good.note)
    forged[-6] ^= 1
    return [
        (os.urandom(200), alice.person, FormatError),
        (bytes(forged), alice.person, SignatureError),
        (made.statement(Kind.CONTRIBUTION).signed_by(stranger.holder.signer).note, bruno.person, SignatureError),
        (good.note, bruno.person, PersonError),
    ]


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """What is asked of the stores and the database meanwhile."""
    asked: list[str] = []

    def watch(what: str, *, is_done: bool) -> None:
        asked.append(what) if not is_done else None

    def statement(*_: object) -> None:
        asked.append("sql")

    world.store.watch = world.key_store.watch = watch
    event.listen(world.engines[0], "before_cursor_execute", statement)
    yield asked
    event.remove(world.engines[0], "before_cursor_execute", statement)
    world.store.watch = world.key_store.watch = None


def flood(world: World, opening_id: bytes, *, number: int) -> list[str]:
    """Post so many; every one is refused as it must be. Gives what was asked of stores and database."""
    made = posts(world, opening_id)
    with counted(world) as asked:
        for note, person, error in islice(cycle(made), number):
            with pytest.raises(error):
                contributing.contribute(world.works, PLATFORM, opening_id, note=note, person=person)
    return asked


def refusals(world: World) -> list[Event]:
    with world.works.open() as work:
        rows = work.session.exec(
            select(JournalRow).where(JournalRow.procedure_id == world.procedure).order_by(col(JournalRow.seq))
        ).all()
    told = [Event.decode(journal.read(world.works, row, procedure=world.procedure).event) for row in rows]
    return [one for one in told if one.kind is EventKind.ACCESS_REFUSED]


def prove_small(world: World, *, number: int) -> None:
    """The whole attack: refused before any HPKE, few entries, nothing stored, and the opening goes on."""
    opening_id = world.offer(1)
    assert flood(world, opening_id, number=KINDS)

    asked = flood(world, opening_id, number=number)

    seeds = key_kind_prefix(WrapKind.OPENING_SEED)
    assert not [what for what in asked if what.startswith(f"get {seeds}")]  # without the opening's key nothing opens
    assert not [what for what in asked if what.startswith("get o/")]  # no envelope's header is read either
    assert asked.count("sql") <= STATEMENTS * number
    assert len(refusals(world)) <= 2 * (FULL + 14)  # two senders
    with world.works.open() as work:
        assert not work.session.exec(select(ContributionRow)).all()
    world.contribute(opening_id, world.custodians[0])
    assert world.advance(opening_id)
    assert world.box_state() is BoxState.OPENED


@pytest.mark.proves("T54", "LOG-02")
def test_attack_T54_strangers_contributions_are_refused_before_anything_is_opened(offered: World) -> None:
    prove_small(offered, number=200)


@pytest.mark.long
@pytest.mark.proves("T54")
def test_attack_T54_ten_thousand_contributions_of_strangers_are_little_work(offered: World) -> None:
    prove_small(offered, number=10_000)


@pytest.mark.proves("T54", "T17", "LOG-02")
@pytest.mark.parametrize("kind", range(KINDS))
def test_each_refused_contribution_is_an_entry(offered: World, kind: int) -> None:
    opening_id = offered.offer(1)
    note, person, error = posts(offered, opening_id)[kind]

    with pytest.raises(error) as caught:
        contributing.contribute(offered.works, PLATFORM, opening_id, note=note, person=person)

    (entry,) = refusals(offered)
    assert (entry.data, entry.subject) == (caught.value.code.encode(), opening_id)
