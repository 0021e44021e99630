# SPDX-License-Identifier: EUPL-1.2
"""The pure rules of procedure, box and envelope."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crypto import timestamp
from crypto.deposit import DepositRecord, Verdict, WithdrawalRecord
from crypto.policy import Limits, Mode
from crypto.timestamp import VerifiedTimestamp
from vault.errors import DepositLimitReached, InvalidInput, TooLarge, WrongState
from vault.lifecycle import (
    Actor,
    BoxState,
    BoxTimes,
    ContributionState,
    EnvelopeState,
    Held,
    ProcedureState,
    Reason,
    State,
    is_final,
    judge,
    require_accepting,
    require_move,
    standing,
    state_after,
    superseded,
    verdict,
    withdrawn_with,
)

ZONES = {
    "Paris": "Europe/Paris",
    "La Réunion": "Indian/Reunion",
    "Cayenne": "America/Cayenne",
}
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)


def at(clock: str, zone: str, *, day: str = "2026-11-24", fold: int = 0) -> datetime:
    """A wall clock somewhere, as UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def record(last_byte_at: datetime) -> DepositRecord:
    """A deposit whose last byte came then."""
    return DepositRecord(
        policy_hash=bytes(32),
        box=1,
        envelope_id=bytes(16),
        mode=Mode.SERVER,
        header_hash=bytes(32),
        file_hash=bytes(32),
        length=3630,
        bidder="siret:21350238800019",
        first_byte_at=last_byte_at - timedelta(minutes=5),
        last_byte_at=last_byte_at,
        documents_tag=bytes(32),
    )


def token(moment: datetime, accuracy: timedelta = SECOND) -> VerifiedTimestamp:
    """A token as if it had been judged: this file tests what follows from one."""
    return VerifiedTimestamp(
        at=moment,
        accuracy=accuracy,
        token=b"",
        anchor_hash=bytes(32),
        tsa_key_hash=bytes(32),
        imprint=bytes(32),
        policy="1.2.3",
        authority="Authority A",
        checked=timestamp._CHECKED,
    )


@dataclass(frozen=True)
class Case:
    """One row: when the last byte came, when the token was made, what follows."""

    last_byte: str
    stamped: str
    expected: Verdict
    reason: Reason
    accuracy: timedelta = SECOND
    state: BoxState = BoxState.OPEN


IN_TIME, LATE, REVIEW = Verdict.IN_TIME, Verdict.LATE, Verdict.REVIEW
STAMPED, RECEIVED = Reason.STAMPED_BEFORE_DEADLINE, Reason.LAST_BYTE_BEFORE_DEADLINE
AFTER, UNDECIDED = Reason.AFTER_DEADLINE, Reason.UNDECIDED
# The deadline is 17:00:00.000.
CASES = {
    "well before": Case("16:30:00", "16:30:01", IN_TIME, STAMPED),
    "token's last moment is the deadline": Case("16:59:58", "16:59:59", IN_TIME, STAMPED),
    "token's last moment is past it, last byte before": Case("16:59:58", "16:59:59.001", IN_TIME, RECEIVED),
    "last millisecond": Case("16:59:59.999", "17:00:00.500", IN_TIME, RECEIVED),
    "the deadline itself": Case("17:00:00", "17:00:01", IN_TIME, RECEIVED),
    "token 30 s after the last byte": Case("17:00:00", "17:00:30", IN_TIME, RECEIVED),
    "token later than 30 s": Case("17:00:00", "17:00:30.001", REVIEW, UNDECIDED),
    "authority down for ten minutes": Case("16:59:30", "17:09:30", REVIEW, UNDECIDED),
    "one millisecond after": Case("17:00:00.001", "17:00:02", REVIEW, UNDECIDED),
    "one second after": Case("17:00:01", "17:00:03", REVIEW, UNDECIDED),
    "more than one second after": Case("17:00:01.001", "17:00:03", LATE, AFTER),
    "our clock says after, the token may be before": Case("17:00:02", "17:00:01", REVIEW, UNDECIDED),
    "25 s after": Case("17:00:25", "17:00:26", LATE, AFTER),
    "29 s after": Case("17:00:29", "17:00:30", LATE, AFTER),
    "our clock a day ahead, token before": Case("18:00:00", "16:59:00", IN_TIME, STAMPED),
    "our clock an hour back": Case("16:00:10", "17:00:10", REVIEW, UNDECIDED),
    "a coarse authority straddles": Case("16:59:59", "17:00:20", IN_TIME, RECEIVED, timedelta(minutes=1)),
    "a coarse authority cannot tell late": Case("17:00:10", "17:00:20", REVIEW, UNDECIDED, timedelta(minutes=1)),
    "an exact authority": Case("17:00:00", "17:00:00", IN_TIME, STAMPED, timedelta(0)),
    "in time, but the closing has begun": Case("16:59:00", "16:59:01", REVIEW, UNDECIDED, state=BoxState.CLOSING),
    "in time, but the box is closed": Case("16:59:00", "16:59:01", REVIEW, UNDECIDED, state=BoxState.CLOSED),
    "late, and the box is opened": Case("18:00:00", "18:00:01", LATE, AFTER, state=BoxState.OPENED),
}


@pytest.mark.proves("TIME-01", "TIME-05", "TIME-06", "TIME-09", "T7", "T8", "T40")
@pytest.mark.parametrize("zone", ZONES.values(), ids=list(ZONES))
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_the_verdict_follows_from_token_clock_and_lock(case: Case, zone: str) -> None:
    box = BoxTimes(at("17:00:00", zone), case.state)

    given = judge(record(at(case.last_byte, zone)), token(at(case.stamped, zone), case.accuracy), box=box)

    assert (given.verdict, given.reason) == (case.expected, case.reason)


@pytest.mark.proves("TIME-06")
@pytest.mark.parametrize("fold", [0, 1])
def test_the_night_of_the_doubled_hour_has_one_deadline(fold: int) -> None:
    night = "2026-10-25"
    box = BoxTimes(at("02:30:00", "Europe/Paris", day=night, fold=fold))
    other = at("02:30:05", "Europe/Paris", day=night, fold=1 - fold)

    given = verdict(record(other), token(other + SECOND), box=box)

    assert given is (LATE if fold == 0 else IN_TIME)


@pytest.mark.proves("TIME-06")
def test_the_night_of_the_missing_hour_moves_no_deadline() -> None:
    night = "2026-03-29"
    box = BoxTimes(at("03:00:00", "Europe/Paris", day=night))
    before = at("01:59:59", "Europe/Paris", day=night)

    assert box.deadline - before == SECOND
    assert verdict(record(before), token(before + SECOND), box=box) is IN_TIME
    assert verdict(record(before + 3 * SECOND), token(before + 5 * SECOND), box=box) is LATE


@pytest.mark.proves("T9")
def test_a_closing_worker_asleep_does_not_extend_the_deadline() -> None:
    deadline = at("17:00:00", "Europe/Paris")
    awake_late = deadline + timedelta(minutes=19)

    assert verdict(record(awake_late), token(awake_late + SECOND), box=BoxTimes(deadline)) is LATE


@pytest.mark.proves("T49")
def test_a_withdrawal_is_judged_like_a_deposit() -> None:
    deadline = at("17:00:00", "Europe/Paris")
    withdrawal = WithdrawalRecord(bytes(32), 1, bytes(16), "siret:21350238800019", deadline)

    for state, expected in ((BoxState.OPEN, IN_TIME), (BoxState.CLOSING, REVIEW)):
        assert verdict(withdrawal, token(deadline + SECOND), box=BoxTimes(deadline, state)) is expected


def test_each_verdict_has_its_state() -> None:
    assert [state_after(given) for given in Verdict] == [
        EnvelopeState.SEALED,
        EnvelopeState.LATE,
        EnvelopeState.REVIEW,
    ]


# What stands


def held(place: int, bidder: str, state: EnvelopeState = EnvelopeState.SEALED) -> Held:
    """An envelope whose first event has this row id."""
    return Held(UUID(int=place), bidder, place, state)


def places(found: Iterable[Held]) -> list[int]:
    """Their row ids, in the order given."""
    return [one.first_event for one in found]


FOUR = (held(1, "acme"), held(2, "zenith"), held(3, "acme"), held(4, "acme", EnvelopeState.LATE))


@pytest.mark.proves("DEP-09", "DEP-10", "OPEN-06")
def test_of_a_bidders_in_time_envelopes_the_last_stands() -> None:
    for rows in permutations(FOUR):
        assert places(standing(rows)) == [2, 3]
        assert places(superseded(rows)) == [1]


@pytest.mark.proves("T62")
def test_the_order_is_of_first_events_not_of_tokens() -> None:
    older_sealed_last = [held(5, "acme"), held(3, "acme")]

    assert places(standing(older_sealed_last)) == [5]


def test_what_was_withdrawn_or_waits_does_not_stand() -> None:
    rows = [
        held(place, "acme", state) for place, state in enumerate(EnvelopeState) if state is not EnvelopeState.SEALED
    ]

    assert standing(rows) == ()
    assert superseded(rows) == ()


@pytest.mark.proves("DEP-09")
def test_withdrawing_one_withdraws_that_bidders_earlier_ones() -> None:
    rows = [held(1, "acme"), held(2, "zenith"), held(3, "acme"), held(5, "acme")]

    assert places(withdrawn_with(rows, rows[2])) == [1, 3]


def test_what_cannot_be_withdrawn_any_more_stays() -> None:
    rows = [held(1, "acme", EnvelopeState.LISTED), held(2, "acme", EnvelopeState.RECEIVED)]

    assert places(withdrawn_with(rows, rows[1])) == [2]


# What is accepted

LIMITS = Limits(document=1000, envelope=1500, documents=3, deposits=2)


@pytest.mark.proves("DEP-04")
def test_what_meets_the_limits_exactly_is_accepted() -> None:
    require_accepting(ProcedureState.PUBLISHED, LIMITS, sizes=[1000, 499, 1], deposits=1)


@pytest.mark.proves("DEP-04")
@pytest.mark.parametrize(
    ("sizes", "what"), [([1001], "document"), ([1000, 501], "envelope"), ([1, 1, 1, 1], "documents")]
)
def test_what_passes_a_limit_is_refused_with_the_limit(sizes: Sequence[int], what: str) -> None:
    with pytest.raises(TooLarge) as refusal:
        require_accepting(ProcedureState.PUBLISHED, LIMITS, sizes=sizes, deposits=0)

    assert refusal.value.what == what
    assert refusal.value.limit == {"document": 1000, "envelope": 1500, "documents": 3}[what]


@pytest.mark.proves("DEP-18")
@pytest.mark.parametrize("sizes", [[], [0], [5, 0]])
def test_nothing_or_an_empty_document_is_refused(sizes: Sequence[int]) -> None:
    with pytest.raises(InvalidInput):
        require_accepting(ProcedureState.PUBLISHED, LIMITS, sizes=sizes, deposits=0)


@pytest.mark.proves("DEP-04")
def test_more_deposits_than_allowed_are_refused() -> None:
    with pytest.raises(DepositLimitReached):
        require_accepting(ProcedureState.PUBLISHED, LIMITS, sizes=[1], deposits=2)


@pytest.mark.parametrize("state", [state for state in ProcedureState if state is not ProcedureState.PUBLISHED])
def test_only_a_published_procedure_accepts(state: ProcedureState) -> None:
    with pytest.raises(WrongState):
        require_accepting(state, LIMITS, sizes=[1], deposits=0)


def test_what_the_bidder_sealed_is_not_accepted_yet() -> None:
    with pytest.raises(InvalidInput):
        require_accepting(ProcedureState.PUBLISHED, LIMITS, sizes=[1], deposits=0, mode=Mode.CLIENT)


# Who may move what

P, B, E, C = ProcedureState, BoxState, EnvelopeState, ContributionState
ALLOWED: set[tuple[str, State, State, Actor]] = {
    (type(before).__name__, before, after, actor)
    for before, after, actor in (
        (P.DRAFTED, P.PUBLISHED, Actor.BUYER),
        (P.DRAFTED, P.CANCELLED, Actor.BUYER),
        (P.PUBLISHED, P.ARCHIVED, Actor.BUYER),
        (P.PUBLISHED, P.CANCELLED, Actor.BUYER),
        (B.OPEN, B.CLOSING, Actor.VAULT),
        (B.CLOSING, B.CLOSED, Actor.VAULT),
        (B.CLOSED, B.OPENING, Actor.BUYER),
        (B.CLOSED, B.OPENED, Actor.VAULT),
        (B.OPENING, B.KEYED, Actor.VAULT),
        (B.KEYED, B.OPENED, Actor.VAULT),
        (E.RECEIVING, E.RECEIVED, Actor.VAULT),
        (E.RECEIVING, E.SEALED, Actor.VAULT),
        (E.RECEIVING, E.LATE, Actor.VAULT),
        (E.RECEIVING, E.REVIEW, Actor.VAULT),
        (E.RECEIVED, E.SEALED, Actor.VAULT),
        (E.RECEIVED, E.LATE, Actor.VAULT),
        (E.RECEIVED, E.REVIEW, Actor.VAULT),
        (E.RECEIVED, E.WITHDRAWN, Actor.DEPOSITOR),
        (E.SEALED, E.WITHDRAWN, Actor.DEPOSITOR),
        (E.SEALED, E.SUPERSEDED, Actor.VAULT),
        (E.SEALED, E.LISTED, Actor.VAULT),
        (E.LATE, E.WITHDRAWN, Actor.DEPOSITOR),
        (E.LATE, E.LISTED, Actor.CUSTODIANS),
        (E.REVIEW, E.WITHDRAWN, Actor.DEPOSITOR),
        (E.REVIEW, E.LISTED, Actor.CUSTODIANS),
        (E.LISTED, E.KEYED, Actor.VAULT),
        (E.LISTED, E.UNKEYED, Actor.VAULT),
        (E.LISTED, E.FAILED, Actor.VAULT),
        (E.UNKEYED, E.KEYED, Actor.CUSTODIANS),
        (E.KEYED, E.OPENED, Actor.VAULT),
        (E.KEYED, E.FAILED, Actor.VAULT),
        (C.STORED, C.ACCEPTED, Actor.VAULT),
        (C.STORED, C.REFUSED, Actor.VAULT),
    )
}
EVERY: list[State] = [*P, *B, *E, *C]


@pytest.mark.proves("LATE-01", "LATE-02")
def test_a_state_moves_along_the_table_and_by_its_actor_only() -> None:
    for before, after, actor in product(EVERY, EVERY, Actor):
        is_allowed = type(before) is type(after) and (type(before).__name__, before, after, actor) in ALLOWED
        if is_allowed:
            require_move(before, after, by=actor)
        else:
            with pytest.raises(WrongState):
                require_move(before, after, by=actor)


def test_final_states_stay() -> None:
    assert {state for state in EnvelopeState if is_final(state)} == {E.WITHDRAWN, E.SUPERSEDED, E.OPENED, E.FAILED}
    assert is_final(BoxState.OPENED)
    assert not is_final(BoxState.KEYED)
