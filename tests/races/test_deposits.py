# SPDX-License-Identifier: EUPL-1.2
"""Deposits, withdrawals, sweeps and sequencers of four replicas at once, each round begun at the same moment."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.deposit import Verdict, Withdrawal
from crypto.statement import Kind, parse_note
from tests.checks import check_everything
from tests.figures import record
from tests.races.acts import (
    Racing,
    Sending,
    close,
    publish_boxes,
    publish_journal,
    send,
    stand_by,
    sweep_received,
    withdraw,
)
from tests.races.crew import Act, Crew, Refused, by_round
from tests.races.shared import SharedWorld
from tests.races.stored import StoredProcedure, read_procedure
from vault import sequencer
from vault.lifecycle import EnvelopeState

ROUNDS = [pytest.param(8), pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
PROCESSES = 4


@pytest.fixture
def racing(races: SharedWorld, request: pytest.FixtureRequest) -> Iterator[Racing]:
    """A procedure with a box for each round; after the race everything stored must agree."""
    callspec = getattr(request.node, "callspec", None)
    rounds = 1 if callspec is None else callspec.params["rounds"]
    opened = races.now
    yield publish_boxes(races, count=rounds, due=opened + timedelta(days=1))
    sequencer.publish(races.works)
    check_everything(races.works)
    races.time.clock.now = opened


def sending(racing: Racing, **other: object) -> Sending:
    """A deposit of a new id in each round."""
    made = Sending(racing, tuple(uuid4() for _ in range(racing.boxes)), os.urandom(32))
    return replace(made, **other)  # type: ignore[arg-type]


@pytest.mark.proves("T44", "DEP-07")
@pytest.mark.parametrize("rounds", ROUNDS)
def test_attack_T44_a_deposit_sent_eight_times_at_once_is_one_envelope_with_one_receipt(
    races: SharedWorld, crew: Crew, racing: Racing, rounds: int
) -> None:
    results = by_round(crew.race([(send, sending(racing, threads=2))] * PROCESSES))

    assert [len(set(given)) for given in results] == [1] * rounds
    assert all(isinstance(given[0], bytes) for given in results), results
    stored = read_procedure(races, racing.procedure)
    assert [len(stored.of_box(box)) for box in range(1, rounds + 1)] == [1] * rounds
    record("identical deposits at once: envelopes too many", len(stored.envelopes) - rounds)


@pytest.mark.proves("T45", "T26")
@pytest.mark.parametrize("rounds", ROUNDS)
def test_attack_T45_of_different_deposits_under_one_id_at_once_one_stands_and_the_others_learn_so(
    crew: Crew, racing: Racing, rounds: int
) -> None:
    one = sending(racing, content=b"100")
    rival = replace(one, bidder="other:rival", secret=os.urandom(32))

    results = by_round(crew.race([(send, one), (send, one), (send, replace(one, content=b"101")), (send, rival)]))

    assert len(results) == rounds
    for given in results:
        receipts = [note for note in given if isinstance(note, bytes)]
        refusals = [refused.error for refused in given if isinstance(refused, Refused)]
        assert len(set(receipts)) == 1
        assert set(refusals) <= {"OtherContent", "IdTaken"}
        assert isinstance(given[3], bytes) or given[3].error == "IdTaken"  # type: ignore[attr-defined]


@pytest.mark.proves("T49")
@pytest.mark.parametrize("rounds", ROUNDS)
def test_attack_T49_a_withdrawal_racing_the_closing_is_in_or_out_and_never_both(
    races: SharedWorld, crew: Crew, racing: Racing, rounds: int
) -> None:
    first = sending(racing)
    waits: tuple[Act, object] = (stand_by, rounds)
    by_round(crew.race([(send, first), waits, waits, waits])[:1])
    newer = sending(racing)

    results = by_round(crew.race([(withdraw, first), (withdraw, first), (send, newer), (close, racing)]))

    stored = read_procedure(races, racing.procedure)
    outcomes: Counter[Verdict] = Counter()
    for box, given in enumerate(results, start=1):
        assert given[0] == given[1]
        assert isinstance(given[0], bytes)
        said = Withdrawal.decode(parse_note(given[0], Kind.WITHDRAWAL).payload)
        outcomes[said.ruling.verdict] += 1
        _require_in_or_out(stored, box, said)
    assert set(outcomes) <= {Verdict.IN_TIME, Verdict.REVIEW}
    record("withdrawals raced by the closing: in time", outcomes[Verdict.IN_TIME])
    record("withdrawals raced by the closing: without effect", outcomes[Verdict.REVIEW])


def _require_in_or_out(stored: StoredProcedure, box: int, said: Withdrawal) -> None:
    """The withdrawn envelope is on the list, or the withdrawal is in time: one of both."""
    [kept] = [one for one in stored.of_box(box) if one.id.bytes == said.record.envelope_id]
    is_out = said.ruling.verdict is Verdict.IN_TIME
    assert (kept.state is EnvelopeState.WITHDRAWN) == is_out
    assert (kept.state in {EnvelopeState.LISTED, EnvelopeState.SUPERSEDED}) != is_out
    assert not (is_out and kept.id in stored.lists[box])
    assert not stored.disagreements(box, but=kept.id)


@pytest.mark.proves("T49")
def test_attack_T49_a_deposit_racing_the_withdrawal_of_its_id_gets_its_receipt_or_learns_nothing(
    crew: Crew, racing: Racing
) -> None:
    first = sending(racing)
    waits: tuple[Act, object] = (stand_by, 1)
    [[receipt]] = by_round(crew.race([(send, first), waits, waits, waits])[:1])

    [raced] = by_round(crew.race([(withdraw, first), (send, first), (send, first), (send, first)]))
    [after] = by_round(crew.race([(send, first)] * PROCESSES))

    assert all(given == receipt or _is(given, "IdTaken") for given in raced[1:])
    assert all(_is(given, "IdTaken") for given in after)


@pytest.mark.proves("DEP-09")
@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_withdrawal_racing_the_bidder_s_newer_deposit_takes_the_older_one_only(
    races: SharedWorld, crew: Crew, racing: Racing, rounds: int
) -> None:
    first = sending(racing)
    waits: tuple[Act, object] = (stand_by, rounds)
    by_round(crew.race([(send, first), waits, waits, waits])[:1])
    newer = sending(racing)

    crew.race([(withdraw, first), (send, newer), (withdraw, first), (send, newer)])

    states = {one.id: one.state for one in read_procedure(races, racing.procedure).envelopes}
    assert {states[one] for one in first.envelopes} == {EnvelopeState.WITHDRAWN}
    assert {states[one] for one in newer.envelopes} == {EnvelopeState.SEALED}


@pytest.mark.proves("DEP-04")
@pytest.mark.usefixtures("racing")
def test_the_limit_of_deposits_holds_when_they_come_at_once(races: SharedWorld, crew: Crew) -> None:
    limits = races.policy.limits
    races.publish(replace(races.draft(k=1, n=2), limits=replace(limits, deposits=3)))
    raced = Racing(races.procedure, races.deadline, 1)
    each = [replace(sending(raced), envelopes=(uuid4(), uuid4()), is_one_box=True) for _ in range(PROCESSES)]

    results = by_round(crew.race([(send, one) for one in each]))

    given = [one for results_of_round in results for one in results_of_round]
    assert Counter(isinstance(one, bytes) or one.error for one in given) == {  # type: ignore[attr-defined]
        True: 3,
        "DepositLimitReached": 5,
    }


@pytest.mark.proves("LOG-03")
def test_two_sequencers_and_deposits_at_once_make_one_log(races: SharedWorld, crew: Crew, racing: Racing) -> None:
    each = sending(racing, envelopes=(uuid4(),), threads=3)

    results = crew.race([(publish_journal, 6), (send, each), (publish_journal, 6), (send, sending(racing))])

    assert not any(isinstance(one, Refused) for one in results), results
    head = sequencer.publish(races.works)
    assert head is not None
    assert head.size >= max(one for one in results if isinstance(one, int))


@pytest.mark.proves("T44", "T62")
def test_sweeps_at_once_give_each_waiting_deposit_one_verdict(races: SharedWorld, crew: Crew, racing: Racing) -> None:
    races.at(racing.deadline - timedelta(minutes=1), racing.procedure)
    races.time.a.silent = races.time.b.silent = True
    waiting = [races.deposit(f"other:{number}") for number in range(4)]
    races.time.a.silent = races.time.b.silent = False

    results = crew.race([(sweep_received, racing)] * PROCESSES)

    assert results == [0] * PROCESSES
    stored = {one.id: one.state for one in read_procedure(races, racing.procedure).envelopes}
    assert [stored[one.id] for one in waiting] == [EnvelopeState.SEALED] * 4


def _is(given: object, error: str) -> bool:
    return isinstance(given, Refused) and given.error == error
