# SPDX-License-Identifier: EUPL-1.2
"""Each fact has its one entry in the journal, and each entry its fact.

Rules
  1. A row that stands for a fact has exactly one entry that tells it: none is missing, none is told twice.
  2. An entry that tells of a deposit, a closing, an opening or a contribution has its row.
"""

from collections import Counter
from collections.abc import Iterator

from crypto.deposit import DepositRecord, Withdrawal
from crypto.encoding import sha256
from crypto.events import EventKind
from crypto.statement import Kind, parse_note
from tests.checks.stored import Finding, Stored
from vault.attempts import NO_OBJECT
from vault.lifecycle import ContributionState, EnvelopeState
from vault.models import AttemptState, OpeningState
from vault.sweep import ABANDONED

Fact = tuple[EventKind, bytes]
HAS_ROW = (  # told only of what has a row
    EventKind.DEPOSIT_STARTED,
    EventKind.DEPOSIT_RECEIVED,
    EventKind.DEPOSIT_REFUSED,
    EventKind.ENVELOPE_SEALED,
    EventKind.ENVELOPE_OPENED,
    EventKind.ENVELOPE_FAILED,
    EventKind.BOX_CLOSED,
    EventKind.OPENING_SIGNED,
    EventKind.OPENING_ABANDONED,
    EventKind.CONTRIBUTION_ACCEPTED,
    EventKind.CONTRIBUTION_REFUSED,
    EventKind.GATE_RELEASED,
    EventKind.BOX_KEYED,
    EventKind.OPENING_MINUTED,
    EventKind.DECISION_TAKEN,
    EventKind.POLICY_PUBLISHED,
    EventKind.POLICY_AMENDED,
)
SIGNED = (OpeningState.OFFERED, OpeningState.RELEASED, OpeningState.KEYED, OpeningState.MINUTED)


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    told = Counter((one.event.kind, one.event.subject) for one in stored.told if one.event is not None)
    facts = set(_facts(stored))
    for fact in facts:
        if told[fact] != 1:
            word = "fact-not-told" if told[fact] == 0 else "fact-told-twice"
            yield Finding(word, f"{fact[0].value} of {fact[1].hex()[:16]}, {told[fact]} times")
    for fact in told:
        if fact[0] in HAS_ROW and fact not in facts:
            yield Finding("entry-without-fact", f"{fact[0].value} of {fact[1].hex()[:16]}")
    yield from _withdrawals(stored)


def _facts(stored: Stored) -> Iterator[Fact]:
    yield from _of_deposits(stored)
    yield from _of_policies(stored)
    for closing in stored.closings.values():
        yield EventKind.BOX_CLOSED, closing.id
    for decision in stored.decisions.values():
        if decision.is_taken:
            yield EventKind.DECISION_TAKEN, decision.id
    yield from _of_openings(stored)
    yield from _of_contributions(stored)


def _of_deposits(stored: Stored) -> Iterator[Fact]:
    yield from _of_attempts(stored)
    for kept in stored.envelopes.values():
        imprint = DepositRecord.decode(kept.facts.record).imprint
        if kept.facts.registration:
            yield EventKind.DEPOSIT_RECEIVED, imprint
        if kept.facts.receipt:
            yield EventKind.ENVELOPE_SEALED, imprint
        if kept.state is EnvelopeState.OPENED:
            yield EventKind.ENVELOPE_OPENED, imprint
        if kept.state is EnvelopeState.FAILED:
            yield EventKind.ENVELOPE_FAILED, imprint


def _of_attempts(stored: Stored) -> Iterator[Fact]:
    """An attempt that failed without an object may have been refused on its announcement: then nothing had begun."""
    begun = {one.event.subject for one in stored.told if one.event and one.event.kind is EventKind.DEPOSIT_STARTED}
    for tried in stored.attempts:
        subject = sha256(tried.row.id.bytes)
        may_be_at_once = tried.row.state is AttemptState.FAILED and tried.facts.object_id == NO_OBJECT
        if subject in begun or not may_be_at_once:
            yield EventKind.DEPOSIT_STARTED, subject
        if tried.row.state is AttemptState.FAILED and tried.facts.outcome != ABANDONED:
            yield EventKind.DEPOSIT_REFUSED, subject


def _of_policies(stored: Stored) -> Iterator[Fact]:
    for procedure in stored.procedures:
        for policy in stored.policies(procedure):
            yield EventKind.POLICY_AMENDED if policy.epoch else EventKind.POLICY_PUBLISHED, policy.hash


def _of_openings(stored: Stored) -> Iterator[Fact]:
    for row in stored.openings:
        if row.state in SIGNED or (row.state is OpeningState.ABANDONED and row.note):
            yield EventKind.OPENING_SIGNED, row.id
        if row.state is OpeningState.ABANDONED:
            yield EventKind.OPENING_ABANDONED, row.id
        if row.release is not None:
            yield EventKind.GATE_RELEASED, parse_note(row.release, Kind.RELEASE).id
        if row.keyed is not None:
            yield EventKind.BOX_KEYED, parse_note(row.keyed, Kind.KEYED).id
        if row.minutes is not None:
            yield EventKind.OPENING_MINUTED, parse_note(row.minutes, Kind.MINUTES).id


def _of_contributions(stored: Stored) -> Iterator[Fact]:
    for row in stored.contributions:
        yield EventKind.CONTRIBUTION_ACCEPTED, row.id
        if row.state is ContributionState.REFUSED:
            yield EventKind.CONTRIBUTION_REFUSED, row.id


def _withdrawals(stored: Stored) -> Iterator[Finding]:
    """One entry for each envelope that a withdrawal names; the bare id in it says that it took effect."""
    told = Counter(
        (one.event.subject, (one.event.data or b"")[:16])
        for one in stored.told
        if one.event is not None and one.event.kind is EventKind.ENVELOPE_WITHDRAWN
    )
    facts = {
        (Withdrawal.decode(kept.facts.withdrawal).record.imprint, kept.id.bytes)
        for kept in stored.envelopes.values()
        if kept.facts.withdrawal
    }
    for fact in facts:
        if told[fact] != 1:
            yield Finding("fact-not-told" if told[fact] == 0 else "fact-told-twice", f"withdrawal of {fact[1].hex()}")
    for fact in told:
        if fact not in facts:
            yield Finding("entry-without-fact", f"withdrawal of {fact[1].hex()}")
