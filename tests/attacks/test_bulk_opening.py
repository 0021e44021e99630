# SPDX-License-Identifier: EUPL-1.2
"""T42 in bulk: one opening over many boxes, its worker killed at chance points until it is through."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

import pytest

from crypto.events import EventKind
from crypto.policy import Part
from tests import figures
from tests.checks import check_everything, stored
from tests.faults.trap import Fault, Killed, Point, Trap, Where, set_trap
from tests.world.world import World
from vault.procedures.plan import LotDraft, PartDraft

SEED = 20261124
MOST_KILLS = 12  # before the file keys are all kept, each go begins them anew
PLACES = (Where.DATABASE, Where.GATE, Where.OBJECTS, Where.KEYS)


def _closed(world: World, *, lots: int, bids: int) -> None:
    cards = tuple(one.card_file for one in world.custodians[:3])
    part = PartDraft(Part.TECHNICAL, world.now + timedelta(days=1), cards, 2)
    names = [str(number) for number in range(1, lots + 1)]
    world.publish(world.draft(lots=tuple(LotDraft(name, name, (part,)) for name in names)))
    for name in names:
        for bid in range(bids):
            world.deposit(f"other:bidder {bid}", {"prix.txt": f"{name} {bid}".encode()}, lot=name)
    world.after_settle()
    for number in range(1, lots + 1):
        world.close_box(number)


def _killed_until_through(world: World, act: Callable[[], bool], *, chance: random.Random, reach: int) -> int:
    """Go on, killed within `reach` operations of whichever dependency comes first; tells how often it was killed."""
    for kills in range(MOST_KILLS):
        with ExitStack() as traps:
            for where in PLACES:
                fault = chance.choice((Fault.KILLED_BEFORE, Fault.KILLED_AFTER))
                traps.enter_context(set_trap(world, Trap(Point(where, "", nth=chance.randint(1, reach)), fault)))
            try:
                if act():
                    return kills
            except Killed:
                world.works = world.start()
    assert act()
    return MOST_KILLS


def _open_with_kills(world: World, *, lots: int, bids: int, reach: int) -> int:
    _closed(world, lots=lots, bids=bids)
    opening_id = world.offer(*range(1, lots + 1))
    for one in world.custodians[:2]:
        world.contribute(opening_id, one)
    kills = _killed_until_through(world, lambda: world.advance(opening_id), chance=random.Random(SEED), reach=reach)
    found = stored.read(world.works)
    opened = Counter(
        one.event.subject for one in found.told if one.event and one.event.kind is EventKind.ENVELOPE_OPENED
    )
    assert len(opened) == lots * bids, "an envelope was skipped"
    assert set(opened.values()) == {1}, "an envelope was opened twice"
    assert len(found.contributions) == 2, "a custodian was asked again"
    check_everything(world.works)
    return kills


@pytest.mark.proves("OPEN-05", "T42")
def test_attack_T42_boxes_opened_together_and_killed_at_chance_open_each_envelope_once(world: World) -> None:
    assert _open_with_kills(world, lots=3, bids=4, reach=25) >= 3


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.proves("OPEN-05", "T42")
def test_attack_T42_a_hundred_lots_of_thirty_bids_killed_at_chance_open_each_envelope_once(world: World) -> None:
    kills = _open_with_kills(world, lots=100, bids=30, reach=6_000)

    assert kills >= 3
    figures.record("kills in one opening of 100 lots with 30 bids each; opened once: all 3000", kills, "kills")
