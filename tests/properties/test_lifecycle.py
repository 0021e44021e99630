# SPDX-License-Identifier: EUPL-1.2
"""Verdicts and what stands, under chance and as a state machine."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crypto.deposit import Verdict
from tests.vault.test_lifecycle import record, token
from vault.lifecycle import (
    Actor,
    BoxState,
    BoxTimes,
    EnvelopeState,
    Held,
    require_move,
    standing,
    state_after,
    superseded,
    verdict,
    withdrawn_with,
)

DEADLINE = datetime(2026, 12, 1, 16, tzinfo=UTC)
MOMENTS = st.integers(-120_000, 120_000).map(lambda millis: DEADLINE + timedelta(milliseconds=millis))
ACCURACIES = st.integers(0, 90_000).map(lambda millis: timedelta(milliseconds=millis))
BIDDERS = st.sampled_from(["acme", "zenith", "orion"])


@given(MOMENTS, MOMENTS, ACCURACIES, st.sampled_from(BoxState))
def test_no_verdict_contradicts_its_proof(
    last_byte: datetime, stamped: datetime, accuracy: timedelta, state: BoxState
) -> None:
    given = verdict(record(last_byte), token(stamped, accuracy), box=BoxTimes(DEADLINE, state))

    if given is Verdict.IN_TIME:
        assert state is BoxState.OPEN
        assert stamped + accuracy <= DEADLINE or last_byte <= DEADLINE
    if given is Verdict.LATE:
        assert last_byte > DEADLINE
        assert stamped - accuracy > DEADLINE


@given(MOMENTS, ACCURACIES, st.integers(0, 30_000))
def test_what_comes_before_the_deadline_is_never_late(last_byte: datetime, accuracy: timedelta, delay: int) -> None:
    stamped = last_byte + timedelta(milliseconds=delay)

    given = verdict(record(last_byte), token(stamped, accuracy), box=BoxTimes(DEADLINE))

    if last_byte <= DEADLINE:
        assert given is Verdict.IN_TIME


@given(MOMENTS, MOMENTS, ACCURACIES)
def test_a_closing_that_began_makes_nothing_in_time(
    last_byte: datetime, stamped: datetime, accuracy: timedelta
) -> None:
    box = BoxTimes(DEADLINE, BoxState.CLOSING)

    assert verdict(record(last_byte), token(stamped, accuracy), box=box) is not Verdict.IN_TIME


class BoxMachine(RuleBasedStateMachine):
    """Deposits, verdicts, withdrawals and one closing, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Held] = []
        self.is_closed = False

    def move(self, place: int, after: EnvelopeState, by: Actor) -> None:
        """Move one row along the table."""
        row = self.rows[place]
        require_move(row.state, after, by=by)
        self.rows[place] = Held(row.envelope_id, row.bidder, row.first_event, after)

    def waiting(self) -> list[int]:
        """Rows without verdict."""
        return [place for place, row in enumerate(self.rows) if row.state is EnvelopeState.RECEIVED]

    @rule(bidder=BIDDERS)
    def receive(self, bidder: str) -> None:
        """A deposit whose token is not there yet."""
        number = len(self.rows)
        self.rows.append(Held(UUID(int=number), bidder, number, EnvelopeState.RECEIVED))

    @precondition(lambda self: self.waiting())
    @rule(given=st.sampled_from(Verdict), data=st.data())
    def judge(self, given: Verdict, data: st.DataObject) -> None:
        """A token comes, in any order; once the box is closed none makes a deposit in time."""
        place = data.draw(st.sampled_from(self.waiting()))
        after = EnvelopeState.REVIEW if self.is_closed and given is Verdict.IN_TIME else state_after(given)
        self.move(place, after, Actor.VAULT)

    @precondition(lambda self: self.rows and not self.is_closed)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """One is taken back, and with it the earlier ones."""
        chosen = data.draw(st.sampled_from(self.rows))
        for one in withdrawn_with(self.rows, chosen):
            self.move(self.rows.index(one), EnvelopeState.WITHDRAWN, Actor.DEPOSITOR)
        earlier = [row for row in self.rows if row.bidder == chosen.bidder and row.first_event <= chosen.first_event]
        assert not any(row.state is EnvelopeState.SEALED for row in earlier)

    @precondition(lambda self: not self.is_closed)
    @rule()
    def close(self) -> None:
        """What stands is listed, what does not is superseded."""
        listed, replaced = standing(self.rows), superseded(self.rows)
        for one in listed:
            self.move(self.rows.index(one), EnvelopeState.LISTED, Actor.VAULT)
        for one in replaced:
            self.move(self.rows.index(one), EnvelopeState.SUPERSEDED, Actor.VAULT)
        self.is_closed = True

    @invariant()
    def one_envelope_of_a_bidder_stands(self) -> None:
        """Before and after the closing."""
        stands = [row.bidder for row in standing(self.rows)]
        listed = [row.bidder for row in self.rows if row.state is EnvelopeState.LISTED]
        assert len(stands) == len(set(stands))
        assert len(listed) == len(set(listed))

    @invariant()
    def nothing_in_time_is_left_beside_a_closed_list(self) -> None:
        """Each in-time envelope is listed, superseded or withdrawn."""
        if self.is_closed:
            assert not any(row.state is EnvelopeState.SEALED for row in self.rows)


TestBox = BoxMachine.TestCase
