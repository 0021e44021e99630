# SPDX-License-Identifier: EUPL-1.2
"""Deposits race the closing of their box, on four replicas (protocol 4.4, T39).

Three processes deposit into a box, each with a token of a second before the deadline, until one of their deposits
comes after the closing began; the fourth, whose clock shows that settle has passed, closes the box once each of them
has deposited there. So the box's lock alone decides which deposits are in time: those committed before the closing's
list was made; and on whatever machine, some are.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from crypto.deposit import Receipt, Verdict
from crypto.statement import Kind, parse_note
from tests.figures import record
from tests.races.acts import AFTER, BEFORE, Racing, publish_boxes
from tests.races.crew import Crew, Start
from tests.races.shared import SharedWorld
from tests.races.stored import StoredProcedure, read_procedure
from vault import sequencer

BOXES_AT_ONCE = 50  # of one procedure, all due in one week of their own
DEPOSITORS = 3
MOST_DEPOSITS = 20  # of one process into one box


@dataclass(frozen=True)
class Given:
    """A deposit and its receipt."""

    box: int
    envelope_id: UUID
    note: bytes

    @property
    def receipt(self) -> Receipt:
        return Receipt.decode(parse_note(self.note, Kind.RECEIPT).payload)


def deposit_until_closing(world: SharedWorld, start: Start, told: object) -> list[Given]:
    """A replica's API: deposit into each box until a deposit there sees the closing."""
    assert isinstance(told, Racing)
    world.at(told.deadline + BEFORE, told.procedure)
    given: list[Given] = []
    for box in range(1, told.boxes + 1):
        before = len(given)
        for _ in range(MOST_DEPOSITS):
            bidder = f"other:{uuid4().hex}"
            made = world.deposit(bidder, lot=str(box))
            if len(given) == before:
                start.wait()  # from here on the box is being closed
            given.append(Given(box, made.id, made.acknowledgement.note))
            if given[-1].receipt.ruling.verdict is not Verdict.IN_TIME:
                break
    return given


def close_each(world: SharedWorld, start: Start, told: object) -> list[Given]:
    """A replica's worker: close each box while the others deposit."""
    assert isinstance(told, Racing)
    world.at(told.deadline + AFTER, told.procedure)
    for box in range(1, told.boxes + 1):
        start.wait()
        world.close_box(box)
    return []


@pytest.mark.proves("T39", "DEP-09", "DEP-10", "TIME-01", "LOG-01")
@pytest.mark.parametrize(
    "boxes", [pytest.param(12), pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_attack_T39_deposits_racing_the_closing_on_four_replicas_are_listed_or_not_in_time(
    races: SharedWorld, crew: Crew, boxes: int
) -> None:
    opened = races.now
    counted: Counter[str] = Counter()
    for week in range(1, -(-boxes // BOXES_AT_ONCE) + 1):
        races.time.clock.now = opened
        racing = publish_boxes(races, count=min(boxes, BOXES_AT_ONCE), due=opened + timedelta(weeks=week))

        results = crew.race([(deposit_until_closing, racing)] * DEPOSITORS + [(close_each, racing)])

        given = [one for result in results if isinstance(result, list) for one in result]
        assert len(results) == sum(isinstance(result, list) for result in results), results[-1]
        sequencer.publish(races.works)
        counted += _judge(read_procedure(races, racing.procedure), racing, given)
    for name in ("boxes", "raced", "deposits", "disagreements"):
        record(f"deposits race the closing: {name}", counted[name])
    assert counted["disagreements"] == 0
    assert counted["boxes"] == boxes
    assert counted["raced"] >= boxes / 4, counted  # else the closing met nobody


def _judge(stored: StoredProcedure, racing: Racing, given: list[Given]) -> Counter[str]:
    """Compare what is stored with itself and with what depositors hold."""
    counted: Counter[str] = Counter(deposits=len(given))
    by_id = {kept.id: kept for kept in stored.envelopes}
    assert {one.envelope_id for one in given} == set(by_id)
    assert all(one.receipt.encode() == by_id[one.envelope_id].facts.receipt for one in given)
    for box in range(1, racing.boxes + 1):
        verdicts = {kept.facts.verdict for kept in stored.of_box(box)}
        assert verdicts <= {Verdict.IN_TIME, Verdict.REVIEW}
        counted["boxes"] += 1
        counted["raced"] += len(verdicts) == 2
        counted["disagreements"] += len(stored.disagreements(box))
    return counted
