# SPDX-License-Identifier: EUPL-1.2
"""Two workers on one act, one of them asleep at the worst moment: what it finds done, it leaves as it is.

The sleeper's store runs the other's work where the sleeper waits for a flush, so that each order comes every time.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlmodel import select

from crypto.events import Event, EventKind
from deploy.embedded import Addresses
from tests.checks import check_everything
from tests.world.store import MemoryObjectStore
from tests.world.world import PLATFORM, World
from vault import closing, journal, sequencer
from vault.errors import DatabaseUnavailable, StoreUnavailable, WrongState
from vault.hidden import NotThisRow
from vault.lifecycle import BoxState
from vault.models import JournalRow, OpeningRow, OpeningState
from vault.opening import contributing, keying, offer, reading
from vault.work import NAMED_LOCKS, Works


class SleepsAtFlush(MemoryObjectStore):
    """A store on the same objects, whose next flush takes as long as somebody else's work."""

    def __init__(self, world: World, meanwhile: Callable[[], object]) -> None:
        super().__init__(clock=world.clock.now)
        self.versions, self._flushed = world.store.versions, world.store._flushed
        self._meanwhile: list[Callable[[], object]] = [meanwhile]

    def durable(self) -> None:
        while self._meanwhile:
            self._meanwhile.pop()()
        super().durable()


@dataclass
class SleepsAtLook:
    """A clock at whose second look somebody else's work is done."""

    world: World
    meanwhile: Callable[[], object]
    looks: int = 0

    def now(self) -> datetime:
        self.looks += 1
        if self.looks == 2:
            self.meanwhile()
        return self.world.clock.now()


@pytest.fixture
def closed(fresh_addresses: Addresses) -> Iterator[World]:
    """A closed box with two envelopes, one custodian of two needed."""
    world = World(fresh_addresses)
    world.publish(world.draft(k=1, n=2))
    world.deposit("other:a")
    world.deposit("other:b")
    world.after_settle()
    yield world
    check_everything(world.works)
    world.close()


@pytest.fixture
def opening(closed: World) -> bytes:
    """An opening whose text is written and that nobody has signed yet (O2, first half)."""
    closed.close_box()
    closed.store.fail("durable")  # just after O2's commit
    with pytest.raises(StoreUnavailable):
        closed.offer(1)
    with closed.works.open() as work:
        return work.session.exec(select(OpeningRow)).one().id


def asleep(world: World, meanwhile: Callable[[], object]) -> Works:
    """A second worker, asleep at its next flush."""
    return replace(world.works, store=SleepsAtFlush(world, meanwhile))


def test_a_worker_that_sleeps_while_closing_leaves_a_box_that_another_offered_meanwhile(closed: World) -> None:
    def other() -> None:
        closed.close_box()
        closed.offer(1)

    closing.close(asleep(closed, other), closed.box_id())

    assert closed.box_state() is BoxState.OPENING


@pytest.mark.proves("T42", "OPEN-05")
def test_a_worker_that_sleeps_while_signing_leaves_an_opening_that_another_minuted_meanwhile(
    closed: World, opening: bytes
) -> None:
    def other() -> None:
        offer.sign(closed.works, opening)
        closed.contribute(opening, closed.custodians[0])
        assert closed.advance(opening)

    offer.sign(asleep(closed, other), opening)

    assert _state(closed, opening) is OpeningState.MINUTED
    assert _told(closed)[EventKind.OPENING_SIGNED] == 1


@pytest.mark.proves("T43")
def test_attack_T43_an_opening_abandoned_while_it_was_being_signed_stays_abandoned(
    closed: World, opening: bytes
) -> None:
    asking = asleep(closed, lambda: offer.abandon(closed.works, PLATFORM, opening))

    with pytest.raises(WrongState):
        offer.sign(asking, opening)

    assert _state(closed, opening) is OpeningState.ABANDONED
    assert _told(closed)[EventKind.OPENING_SIGNED] == 0


@pytest.mark.proves("T17", "T43")
def test_attack_T43_a_contribution_under_way_while_its_opening_is_abandoned_is_void(
    closed: World, opening: bytes
) -> None:
    offer.sign(closed.works, opening)
    alice = closed.custodians[0]
    said = alice.contribute(closed.bundle(opening)).note
    clock = SleepsAtLook(closed, lambda: offer.abandon(closed.works, PLATFORM, opening))

    with pytest.raises(WrongState):
        contributing.contribute(replace(closed.works, clock=clock), PLATFORM, opening, note=said, person=alice.person)

    assert _told(closed)[EventKind.CONTRIBUTION_ACCEPTED] == 0


def test_an_opening_that_is_keyed_while_somebody_abandons_it_stays_keyed(closed: World, opening: bytes) -> None:
    offer.sign(closed.works, opening)
    closed.contribute(opening, closed.custodians[0])
    assert keying.key(closed.works, opening)

    with pytest.raises(WrongState):
        offer.abandon(closed.works, PLATFORM, opening)
    reading.read_all(closed.works, opening)

    assert _state(closed, opening) is OpeningState.MINUTED


@pytest.mark.proves("LOG-03")
def test_a_sequencer_that_lost_its_lock_while_it_slept_leaves_the_log_to_the_other(closed: World) -> None:
    def other() -> None:
        _cut_off_sequencer(closed)
        closed.deposit("other:c")
        sequencer.publish(closed.works)

    with pytest.raises(DatabaseUnavailable):
        sequencer.publish(asleep(closed, other))

    assert sequencer.publish(closed.works)


def _cut_off_sequencer(world: World) -> None:
    """As the database does with a session that was idle in its transaction for too long."""
    lock = {"space": NAMED_LOCKS, "number": sequencer.SEQUENCER_LOCK}
    cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE granted AND locktype = 'advisory'"
    with world.works.open() as work:
        work.session.execute(text(f"{cut} AND classid = :space AND objid = :number"), lock)


def _state(world: World, opening_id: bytes) -> OpeningState:
    with world.works.open() as work:
        return work.session.get_one(OpeningRow, opening_id).state


def _told(world: World) -> Counter[EventKind]:
    """How often each kind of act of the procedure is in the journal."""
    told: Counter[EventKind] = Counter()
    with world.works.open() as work:
        for row in work.session.exec(select(JournalRow)):
            try:
                told[Event.decode(journal.read(world.works, row, procedure=world.procedure).event).kind] += 1
            except NotThisRow:
                continue
    return told
