# SPDX-License-Identifier: EUPL-1.2
"""States of a procedure, a box and an envelope, and who may move them when.

Rules
  1. A deposit is in time by its token, or by its last byte when the token came at once (protocol 4.3).
  2. Coming before the closing entry is necessary for that, never sufficient: a sleeping worker does not
     extend the deadline.
  3. What cannot be decided without a person is `review`, never `late`.
  4. Of a bidder's in-time envelopes in a box the last stands, by the order of their first events (protocol 4.5).
  5. Withdrawing an envelope withdraws that bidder's earlier ones in the box too.
  6. A state moves only along the table, and only by the actor it names.

Left to others: asking for tokens (vault.authorities), locks and order (vault.deposit, vault.closing).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from crypto.deposit import DepositRecord, Verdict, WithdrawalRecord
from crypto.policy import Limits, Mode
from crypto.timestamp import VerifiedTimestamp
from vault.errors import DepositLimitReached, InvalidInput, TooLarge, WrongState

CLOCK_TOLERANCE = timedelta(seconds=1)  # protocol 4.3, case 3
TOKEN_PROMPT = timedelta(seconds=30)  # protocol 4.3, case 2


class ProcedureState(StrEnum):
    """A procedure from draft to archive."""

    DRAFTED = "drafted"
    PUBLISHED = "published"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


class BoxState(StrEnum):
    """A box from the first deposit to the minutes (protocol §5)."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    OPENING = "opening"
    KEYED = "keyed"
    OPENED = "opened"


class EnvelopeState(StrEnum):
    """An envelope from its first byte to its documents (protocol §5)."""

    RECEIVING = "receiving"
    RECEIVED = "received"
    SEALED = "sealed"
    LATE = "late"
    REVIEW = "review"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    LISTED = "listed"
    KEYED = "keyed"
    UNKEYED = "unkeyed"
    OPENED = "opened"
    FAILED = "failed"


class ContributionState(StrEnum):
    """A custodian's contribution (protocol §5)."""

    STORED = "stored"
    ACCEPTED = "accepted"
    REFUSED = "refused"


State: TypeAlias = ProcedureState | BoxState | EnvelopeState | ContributionState
Moves: TypeAlias = "Mapping[State, Mapping[State, Actor]]"


class Actor(StrEnum):
    """Who moves a state."""

    BUYER = "buyer"
    DEPOSITOR = "depositor"
    VAULT = "vault"
    CUSTODIANS = "custodians"


class Reason(StrEnum):
    """Which case of protocol 4.3 gave a verdict; the receipt's reason."""

    STAMPED_BEFORE_DEADLINE = "stamped-before-deadline"
    LAST_BYTE_BEFORE_DEADLINE = "last-byte-before-deadline"
    AFTER_DEADLINE = "after-deadline"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class BoxTimes:
    """What a verdict needs of a box: its deadline in force, and whether its closing has begun."""

    deadline: datetime
    state: BoxState = BoxState.OPEN

    @property
    def is_closing(self) -> bool:
        """Whether the closing entry precedes whatever comes now."""
        return self.state is not BoxState.OPEN


@dataclass(frozen=True)
class Judgement:
    """A verdict and the case that gave it."""

    verdict: Verdict
    reason: Reason


@dataclass(frozen=True)
class Held:
    """One envelope of a box as its row tells: whose, and the row id of its first event (rule 4)."""

    envelope_id: UUID
    bidder: str
    first_event: int
    state: EnvelopeState


def judge(record: DepositRecord | WithdrawalRecord, token: VerifiedTimestamp, *, box: BoxTimes) -> Judgement:
    """Decide whether a deposit or a withdrawal was in time, and by which case.

    Args:
        record: what was received, with the server's time of the last byte (UTC).
        token: the earliest verified token over `record`.
        box: its deadline (UTC) and whether a closing has begun.

    Source: protocol 4.3; R2151-5 CCP (late bids are eliminated).
    """
    last_byte_at = record.last_byte_at
    if not box.is_closing and token.latest <= box.deadline:
        return Judgement(Verdict.IN_TIME, Reason.STAMPED_BEFORE_DEADLINE)
    if not box.is_closing and last_byte_at <= box.deadline and token.at - last_byte_at <= TOKEN_PROMPT:
        return Judgement(Verdict.IN_TIME, Reason.LAST_BYTE_BEFORE_DEADLINE)
    if last_byte_at > box.deadline + CLOCK_TOLERANCE and token.earliest > box.deadline:
        return Judgement(Verdict.LATE, Reason.AFTER_DEADLINE)
    return Judgement(Verdict.REVIEW, Reason.UNDECIDED)


def verdict(record: DepositRecord | WithdrawalRecord, token: VerifiedTimestamp, *, box: BoxTimes) -> Verdict:
    """The verdict alone (see `judge`)."""
    return judge(record, token, box=box).verdict


def state_after(given: Verdict) -> EnvelopeState:
    """The state an envelope takes with its verdict."""
    return _AFTER_VERDICT[given]


def standing(held: Iterable[Held]) -> tuple[Held, ...]:
    """Of each bidder's in-time envelopes in one box the last, in journal order (rule 4)."""
    last: dict[str, Held] = {}
    for one in sorted(held, key=_order):
        if one.state is EnvelopeState.SEALED:
            last[one.bidder] = one
    return tuple(sorted(last.values(), key=_order))


def superseded(held: Sequence[Held]) -> tuple[Held, ...]:
    """In-time envelopes that a later one of the same bidder replaces."""
    stands = {one.envelope_id for one in standing(held)}
    return tuple(
        one for one in sorted(held, key=_order) if one.state is EnvelopeState.SEALED and one.envelope_id not in stands
    )


def withdrawn_with(held: Iterable[Held], chosen: Held) -> tuple[Held, ...]:
    """What withdrawing one envelope withdraws: it and that bidder's earlier ones in the box (rule 5)."""
    return tuple(
        one
        for one in sorted(held, key=_order)
        if one.bidder == chosen.bidder
        and one.first_event <= chosen.first_event
        and EnvelopeState.WITHDRAWN in _ways(one.state)
    )


def require_accepting(
    procedure: ProcedureState, limits: Limits, *, sizes: Sequence[int], deposits: int, mode: Mode = Mode.SERVER
) -> None:
    """Step D0: refuse on its announcement what will not be accepted.

    A deadline that has passed refuses nothing: late envelopes are taken until the procedure is archived.

    Args:
        procedure: its state.
        limits: of the policy in force.
        sizes: announced bytes of each document.
        deposits: this bidder's envelopes in this box so far.
        mode: who seals.

    Raises:
        WrongState: the procedure is not published, or no longer.
        InvalidInput: no document, or an empty one, or bytes sealed by the bidder.
        TooLarge: a document, the envelope, or the number of documents passes a limit.
        DepositLimitReached: this bidder has used all deposits of this box.
    """
    if procedure is not ProcedureState.PUBLISHED:
        raise WrongState(procedure, ProcedureState.PUBLISHED)
    if mode is not Mode.SERVER:
        raise InvalidInput("mode", "envelopes are sealed by the vault")
    if not sizes:
        raise InvalidInput("announcement", "at least one document")
    for place, size in enumerate(sizes):
        if size < 1:
            raise InvalidInput(f"announcement[{place}].size", "at least one byte")
    _require_within("documents", len(sizes), limits.documents)
    _require_within("document", max(sizes), limits.document)
    _require_within("envelope", sum(sizes), limits.envelope)
    if deposits >= limits.deposits:
        raise DepositLimitReached(limits.deposits)


def require_move(before: State, after: State, *, by: Actor) -> None:
    """Refuse a step that the table does not have, or that is another actor's; WrongState."""
    if type(after) is not type(before) or _ways(before).get(after) is not by:
        raise WrongState(before, f"a way to {after} for {by}")


def is_final(state: State) -> bool:
    """Whether nothing moves this state any more."""
    return not _ways(state)


def _ways(state: State) -> Mapping[State, Actor]:
    return _MOVES[type(state)].get(state, {})


def _order(one: Held) -> int:
    return one.first_event


def _require_within(what: str, announced: int, limit: int) -> None:
    if announced > limit:
        raise TooLarge(what, announced, limit)


_AFTER_VERDICT: Mapping[Verdict, EnvelopeState] = {
    Verdict.IN_TIME: EnvelopeState.SEALED,
    Verdict.LATE: EnvelopeState.LATE,
    Verdict.REVIEW: EnvelopeState.REVIEW,
}
_JUDGED: Mapping[State, Actor] = {
    EnvelopeState.SEALED: Actor.VAULT,
    EnvelopeState.LATE: Actor.VAULT,
    EnvelopeState.REVIEW: Actor.VAULT,
}
_ADMITTED: Mapping[State, Actor] = {
    EnvelopeState.LISTED: Actor.CUSTODIANS,  # a decision, protocol 4.9
    EnvelopeState.WITHDRAWN: Actor.DEPOSITOR,
}
# Members of two state enums may be equal as texts, so each enum has its own table.
_PROCEDURE_MOVES: Moves = {
    ProcedureState.DRAFTED: {ProcedureState.PUBLISHED: Actor.BUYER, ProcedureState.CANCELLED: Actor.BUYER},
    ProcedureState.PUBLISHED: {ProcedureState.ARCHIVED: Actor.BUYER, ProcedureState.CANCELLED: Actor.BUYER},
}
_BOX_MOVES: Moves = {
    BoxState.OPEN: {BoxState.CLOSING: Actor.VAULT},
    BoxState.CLOSING: {BoxState.CLOSED: Actor.VAULT},
    BoxState.CLOSED: {
        BoxState.OPENING: Actor.BUYER,
        BoxState.OPENED: Actor.VAULT,  # nothing was listed: opened by its closing, protocol 4.6
    },
    BoxState.OPENING: {BoxState.KEYED: Actor.VAULT},
    BoxState.KEYED: {BoxState.OPENED: Actor.VAULT},
}
_ENVELOPE_MOVES: Moves = {
    EnvelopeState.RECEIVING: {**_JUDGED, EnvelopeState.RECEIVED: Actor.VAULT},
    EnvelopeState.RECEIVED: {**_JUDGED, EnvelopeState.WITHDRAWN: Actor.DEPOSITOR},
    EnvelopeState.SEALED: {
        EnvelopeState.WITHDRAWN: Actor.DEPOSITOR,
        EnvelopeState.SUPERSEDED: Actor.VAULT,
        EnvelopeState.LISTED: Actor.VAULT,
    },
    EnvelopeState.LATE: _ADMITTED,
    EnvelopeState.REVIEW: _ADMITTED,
    EnvelopeState.LISTED: {
        EnvelopeState.KEYED: Actor.VAULT,
        EnvelopeState.UNKEYED: Actor.VAULT,
        EnvelopeState.FAILED: Actor.VAULT,  # its object rotted, step O4a
    },
    EnvelopeState.UNKEYED: {EnvelopeState.KEYED: Actor.CUSTODIANS},  # only by decision, protocol 4.7
    EnvelopeState.KEYED: {EnvelopeState.OPENED: Actor.VAULT, EnvelopeState.FAILED: Actor.VAULT},
}
_CONTRIBUTION_MOVES: Moves = {
    ContributionState.STORED: {ContributionState.ACCEPTED: Actor.VAULT, ContributionState.REFUSED: Actor.VAULT},
}
_MOVES: Mapping[type[State], Moves] = {
    ProcedureState: _PROCEDURE_MOVES,
    BoxState: _BOX_MOVES,
    EnvelopeState: _ENVELOPE_MOVES,
    ContributionState: _CONTRIBUTION_MOVES,
}
