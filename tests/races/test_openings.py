# SPDX-License-Identifier: EUPL-1.2
"""Publications, amendments, decisions and openings that four replicas carry out at once."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from crypto.deposit import Receipt, Verdict
from crypto.events import EventKind
from crypto.policy import Part
from crypto.statement import Kind, parse_note
from tests.checks import check_everything
from tests.races.acts import (
    AFTER,
    Advancing,
    Offering,
    Racing,
    Sending,
    Signing,
    advance,
    close,
    decide,
    enact,
    offer_opening,
    publish_boxes,
    publish_procedure,
    send,
)
from tests.races.crew import Crew, Refused, by_round
from tests.races.shared import SharedWorld
from tests.races.stored import read_procedure
from tests.world.world import BUYER, PLATFORM
from vault import decisions, procedures, sequencer
from vault.lifecycle import BoxState, EnvelopeState
from vault.models import OpeningRow, OpeningState
from vault.procedures import Change, Move

TIMES = [pytest.param(2), pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
PROCESSES = 4
ONCE = (EventKind.OPENING_SIGNED, EventKind.GATE_RELEASED, EventKind.BOX_KEYED, EventKind.OPENING_MINUTED)


@pytest.fixture(autouse=True)
def agreement(races: SharedWorld) -> Iterator[None]:
    """Whatever raced, what is stored agrees afterwards."""
    opened = races.now
    yield
    sequencer.publish(races.works)
    check_everything(races.works)
    races.time.clock.now = opened


def closed_box(races: SharedWorld, *, count: int = 3) -> Racing:
    """A closed box with so many envelopes."""
    opened = races.now
    racing = publish_boxes(races, count=1, due=opened + timedelta(days=1))
    for number in range(count):
        races.deposit(f"other:{number}")
    races.time.clock.now = racing.deadline + AFTER
    races.close_box()
    return racing


@pytest.mark.proves("T43", "OPEN-08")
@pytest.mark.parametrize("times", TIMES)
def test_attack_T43_of_two_openings_offered_at_once_one_is_valid(races: SharedWorld, crew: Crew, times: int) -> None:
    opened = races.now
    for _ in range(times):
        races.time.clock.now = opened
        racing = closed_box(races)
        whole, partly = Offering(racing), Offering(racing, (races.listed()[0],))

        results = crew.race([(offer_opening, whole), (offer_opening, partly)] * 2)

        given = [one for result in results if isinstance(result, list) for one in result]
        valid = {one for one in given if isinstance(one, bytes)}
        assert len(valid) == 1, given
        assert {one.error for one in given if isinstance(one, Refused)} == {"WrongState"}
        assert _openings(races) == [(valid.pop(), OpeningState.OFFERED)]


@pytest.mark.proves("T42", "OPEN-05", "OPEN-10")
@pytest.mark.parametrize("times", TIMES)
def test_four_workers_on_one_opening_open_each_envelope_once_and_write_one_minutes(
    races: SharedWorld, crew: Crew, times: int
) -> None:
    opened = races.now
    for _ in range(times):
        races.time.clock.now = opened
        racing = closed_box(races)
        opening_id = races.offer(1)
        races.contribute(opening_id, races.custodians[0])

        results = crew.race([(advance, Advancing(racing, opening_id))] * PROCESSES)
        assert races.advance(opening_id), results  # whoever met another halfway tries again, as the worker does

        stored = read_procedure(races, racing.procedure)
        told = Counter(one.event.kind for one in stored.told)
        assert [told[kind] for kind in (EventKind.GATE_RELEASED, EventKind.BOX_KEYED, EventKind.OPENING_MINUTED)] == [
            1
        ] * 3
        assert told[EventKind.ENVELOPE_OPENED] == 3
        assert {one.state for one in stored.envelopes} == {EnvelopeState.OPENED}


@pytest.mark.proves("T43")
@pytest.mark.parametrize("times", TIMES)
def test_attack_T43_an_opening_abandoned_while_workers_key_it_is_abandoned_or_minuted(
    races: SharedWorld, crew: Crew, times: int
) -> None:
    opened = races.now
    for _ in range(times):
        races.time.clock.now = opened
        racing = closed_box(races)
        opening_id = races.offer(1)
        races.contribute(opening_id, races.custodians[0])
        going = Advancing(racing, opening_id)

        results = crew.race([(advance, going)] * 3 + [(advance, replace(going, is_abandoning=True))])

        is_abandoned = results[3] == [b"abandoned"]
        if not is_abandoned:
            assert races.advance(opening_id)
        [(_, state)] = _openings(races)
        assert state is (OpeningState.ABANDONED if is_abandoned else OpeningState.MINUTED), results
        assert races.box_state() is (BoxState.CLOSED if is_abandoned else BoxState.OPENED)


@pytest.mark.proves("LATE-02")
def test_two_first_signatures_on_a_decision_at_once_are_both_counted(races: SharedWorld, crew: Crew) -> None:
    racing = publish_boxes(races, count=1, due=races.now + timedelta(days=1), k=2)
    late = races.deposit("other:late", at=racing.deadline + timedelta(minutes=3))
    races.close_box()
    drafted = decisions.draft(races.works, PLATFORM, racing.procedure, envelope_id=late.id, reason="Platform down")
    said = [Signing(racing, one.sign(drafted).note, one.person) for one in races.custodians[:2]]

    results = crew.race([(decide, said[0]), (decide, said[1]), (decide, said[0]), (decide, said[1])])

    counts = [one for result in results if isinstance(result, list) for one in result]
    assert all(isinstance(one, int) for one in counts), counts
    assert max(one for one in counts if isinstance(one, int)) == 2
    told = Counter(one.event.kind for one in read_procedure(races, racing.procedure).told)
    assert told[EventKind.DECISION_TAKEN] == 1


def test_a_procedure_published_by_four_at_once_is_published_once(races: SharedWorld, crew: Crew) -> None:
    races.procedure = procedures.draft(races.works, BUYER, races.draft(k=1, n=2))
    races.rehearse_all()

    results = crew.race([(publish_procedure, Racing(races.procedure, races.now, 2))] * PROCESSES)

    assert results == [races.policy.hash] * PROCESSES
    told = Counter(one.event.kind for one in read_procedure(races, races.procedure).told)
    assert told[EventKind.POLICY_PUBLISHED] == 1


@pytest.mark.proves("DEP-09", "TIME-03")
@pytest.mark.parametrize("times", TIMES)
def test_an_amendment_racing_closing_and_deposits_comes_before_or_is_refused(
    races: SharedWorld, crew: Crew, times: int
) -> None:
    opened = races.now
    raced: Counter[bool] = Counter()
    for _ in range(times):
        races.time.clock.now = opened
        racing = publish_boxes(races, count=1, due=opened + timedelta(days=1))
        move = Move("1", Part.TECHNICAL, racing.deadline + timedelta(days=1))
        amended = procedures.amend(races.works, BUYER, racing.procedure, Change("Visite reportée", (move,)))
        for one in races.custodians[:2]:
            note = one.sign(amended.statement).note
            procedures.sign(races.works, races.caller(one), racing.procedure, epoch=1, note=note)
        late = Sending(racing, (uuid4(),), os.urandom(32), off=timedelta(seconds=31))

        results = crew.race([(enact, racing), (enact, racing), (send, late), (close, racing)])

        is_amended = results[0] == [amended.hash]
        raced[is_amended] += 1
        [[receipt_note]], [[closing]] = by_round(results[2:3]), by_round(results[3:])
        assert isinstance(closing, Refused) is is_amended, results
        assert isinstance(receipt_note, bytes)
        assert results[1] == results[0] or not is_amended
        receipt = Receipt.decode(parse_note(receipt_note, Kind.RECEIPT).payload)
        assert (races.policy.hash == amended.hash) is is_amended
        if receipt.ruling.judged_by == amended.hash:
            assert receipt.ruling.verdict is Verdict.IN_TIME
        else:
            assert receipt.ruling.verdict is Verdict.LATE
    assert raced


def _openings(world: SharedWorld) -> list[tuple[bytes, OpeningState]]:
    with world.works.open() as work:
        rows = work.session.exec(select(OpeningRow).where(OpeningRow.procedure_id == world.procedure))
        return [(row.id, row.state) for row in rows]
