# SPDX-License-Identifier: EUPL-1.2
"""T41, T42: a process killed at any durable write, or told that it failed, and what then stands in the stores.

Each test is one journey of the crash table (tests.faults.crashes): every write of it, killed before and after, or
failed and failed but persisted. After each, everything stored is derived again, a new process goes on, and the end is
the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.errors import CryptoError
from crypto.policy import Part
from tests import figures
from tests.checks import check_everything, stored
from tests.faults import journeys, procedures
from tests.faults.crashes import TABLE, Crash, Journey
from tests.faults.trap import Fault, Killed, Trap, Where, set_trap
from tests.world.world import World
from vault.errors import VaultError
from vault.procedures.plan import LotDraft, PartDraft

KILLS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
IN_ONE_BOX = (Journey.CLOSING, Journey.OPENING)
FAILURES = (Fault.FAILED, Fault.PERSISTED)


def _rows(journey: Journey) -> list[Crash]:
    return [one for one in TABLE if one.journey is journey]


def _lots(count: int) -> list[str]:
    return [f"lot-{number}" for number in range(1, count + 1)]


def _publish(world: World, lots: Sequence[str]) -> None:
    """A procedure of so many boxes, 2 of 3 custodians."""
    cards = tuple(one.card_file for one in world.custodians[:3])
    part = PartDraft(Part.TECHNICAL, world.now + timedelta(days=1), cards, 2)
    world.publish(world.draft(lots=tuple(LotDraft(lot, lot, (part,)) for lot in lots)))


def _deposits(kind: type[journeys.Journey]) -> Callable[[World, int], journeys.Journey]:
    def make(world: World, _: int) -> journeys.Journey:
        world.publish(world.draft(k=1, n=1))
        return kind(world)

    return make


def _procedures(kind: type[journeys.Journey]) -> Callable[[World, int], journeys.Journey]:
    return lambda world, _: kind(world)


def _closing(world: World, count: int) -> journeys.Journey:
    _publish(world, _lots(count))
    journeys.fill(world, _lots(count), waiting=True)
    world.after_settle()
    return journeys.Closing(world, _numbers(count))


def _opening(world: World, count: int) -> journeys.Journey:
    _publish(world, _lots(count))
    journeys.fill(world, _lots(count), waiting=False)
    world.after_settle()
    for number in _numbers(count):
        world.close_box(number)
    return journeys.Opening(world, _numbers(count))


def _numbers(count: int) -> Iterator[int]:
    return iter(range(1, count + 1))


MADE: dict[Journey, Callable[[World, int], journeys.Journey]] = {
    Journey.PROCEDURE: _procedures(procedures.Drafting),
    Journey.PUBLICATION: _procedures(procedures.Publishing),
    Journey.AMENDMENT: _procedures(procedures.Amending),
    Journey.DEPOSIT: _deposits(journeys.Depositing),
    Journey.NOTICE: _deposits(journeys.Noticing),
    Journey.TOKEN: _deposits(journeys.Settling),
    Journey.WITHDRAWAL: _deposits(journeys.Withdrawing),
    Journey.CLOSING: _closing,
    Journey.OPENING: _opening,
    Journey.PUBLISHING: _deposits(journeys.PublishingJournal),
    Journey.SWEEP: _deposits(journeys.Sweeping),
}


@pytest.mark.parametrize("journey", [one for one in MADE if one is not Journey.OPENING])
@pytest.mark.proves("T41", "DEP-07", "LOG-07")
def test_attack_T41_killed_at_any_durable_write_a_new_process_goes_on(world: World, journey: Journey) -> None:
    _try_all(world, journey, KILLS)


@pytest.mark.proves("T41", "T42", "OPEN-05")
def test_attack_T42_a_worker_killed_at_any_point_of_an_opening_goes_on_and_asks_nobody(world: World) -> None:
    _try_all(world, Journey.OPENING, KILLS)


@pytest.mark.parametrize("journey", MADE)
@pytest.mark.proves("T41", "LOG-07", "OPEN-05")
def test_a_durable_write_that_fails_or_only_seems_to_is_made_good(world: World, journey: Journey) -> None:
    _try_all(world, journey, FAILURES)


@pytest.mark.long
@pytest.mark.parametrize("faults", [KILLS, FAILURES], ids=["killed", "failed"])
@pytest.mark.parametrize("journey", [Journey.CLOSING, Journey.OPENING])
@pytest.mark.proves("T41", "T42", "OPEN-05")
def test_after_each_fault_alone_a_box_of_its_own_comes_to_the_same_end(
    world: World, journey: Journey, faults: Sequence[Fault]
) -> None:
    rows = _rows(journey)
    way = MADE[journey](world, len(rows) * len(faults))
    for row in rows:
        for fault in faults:
            _try(world, way, row, fault)
            way.go_on()
    check_everything(world.works)
    figures.record(f"faults in a {journey.value}, {faults[0].value} and {faults[1].value}", len(rows) * len(faults))


def _try_all(world: World, journey: Journey, faults: Sequence[Fault]) -> None:
    """One box, or a new deposit each time: closings and openings meet every fault of the table one after the other."""
    way = MADE[journey](world, 1)
    is_chained = journey in IN_ONE_BOX
    for row in _rows(journey):
        for fault in faults:
            _try(world, way, _going_on(row, fault) if is_chained else row, fault)
            if not is_chained:
                way.go_on()
                check_everything(world.works)
    if is_chained:
        way.go_on()
        check_everything(world.works)


def _going_on(row: Crash, fault: Fault) -> Crash:
    """The point where the way is gone on: what is done already is not done again, though a store is asked again."""
    is_asked_again = row.at.where in {Where.OBJECTS, Where.KEYS} and not fault.takes_effect
    return row if is_asked_again else replace(row, at=replace(row.at, nth=1))


def _try(world: World, way: journeys.Journey, row: Crash, fault: Fault) -> None:
    where = f"{row.name}, {fault.value}"
    way.begin()
    trap = Trap(row.at, fault)
    with set_trap(world, trap):
        try:
            way.act()
        except Killed:
            pass
        except (VaultError, CryptoError):
            assert not fault.kills, where
    assert trap.is_sprung, f"{where}: the point was not reached"
    world.works = world.start()
    check_everything(world.works)
    assert ", ".join(way.seen(stored.read(world.works))) == _expected(row, fault), where


def _expected(row: Crash, fault: Fault) -> str:
    if fault.takes_effect:
        return row.persisted if fault is Fault.PERSISTED and row.persisted is not None else row.after
    return row.failed if fault is Fault.FAILED and row.failed is not None else row.before
