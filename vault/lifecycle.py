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
from typing import TypeVar
from uuid import UUID

from crypto.deposit import DepositRecord, Verdict, WithdrawalRecord
from crypto.policy import Box, Limits, Mode, Part, Policy
from crypto.timestamp import VerifiedTimestamp
from vault.errors import DepositLimitReached, InvalidInput, NotFound, TooLarge, WrongState

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


class Actor(StrEnum):
    """Who moves a state."""

    BUYER = "buyer"
    DEPOSITOR = "depositor"
    VAULT = "vault"
    CUSTODIANS = "custodians"


class Reason(StrEnum):
    """Which case of protocol 4.3 gave a verdict; the receipt's reason."""

    TOKEN_BEFORE_DEADLINE = "token-before-deadline"
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


@dataclass(frozen=True)
class Announced:
    """One document as announced before the first byte."""

    path: str
    size: int


def judge(
    record: DepositRecord | WithdrawalRecord, token: VerifiedTimestamp, *, box: BoxTimes
) -> Judgement:
    """Decide whether a deposit or a withdrawal was in time, and by which case.

    Args:
        record: what was received, with the server's time of the last byte (UTC).
        token: the earliest verified token over `record`.
        box: its deadline (UTC) and whether a closing has begun.

    Source: protocol 4.3; R2151-5 CCP (late bids are eliminated).
    """
    last_byte_at = record.last_byte_at
    if not box.is_closing and token.latest <= box.deadline:
        return Judgement(Verdict.IN_TIME, Reason.TOKEN_BEFORE_DEADLINE)
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


_AFTER_VERDICT: Mapping[Verdict, EnvelopeState] = {
    Verdict.IN_TIME: EnvelopeState.SEALED,
    Verdict.LATE: EnvelopeState.LATE,
    Verdict.REVIEW: EnvelopeState.REVIEW,
}
