# SPDX-License-Identifier: EUPL-1.2
"""What depositors hold: each stored statement is signed again equal, its tokens judge, and it says what the row says.

Rules
  1. A receipt's record, verdict and reason are the row's; the verdict is judged anew from token, deadline and the order
     of the journal, and comes out the same (protocol 4.3).
  2. Every token is judged from the evidence kept beside it; a withdrawal's likewise.
  3. A notice is over the same record as the receipt that follows it.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from crypto.deposit import DepositRecord, Receipt, Registration, Ruling, Withdrawal, WithdrawalRecord
from crypto.errors import CryptoError
from crypto.events import EventKind
from crypto.policy import Policy
from crypto.statement import Kind, parse_note, require_signers
from crypto.timestamp import VerifiedTimestamp
from tests.checks.stored import Finding, Stored
from vault import receiving
from vault.authorities import TimeAuthorities
from vault.envelopes import Kept
from vault.lifecycle import BoxState, BoxTimes, EnvelopeState, judge


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    for kept in stored.envelopes.values():
        try:
            yield from _one(stored, kept)
        except (CryptoError, KeyError) as error:
            yield Finding("statement-does-not-hold", f"{kept.id}: {type(error).__name__} {error}")


def _one(stored: Stored, kept: Kept) -> Iterator[Finding]:
    facts = kept.facts
    record = DepositRecord.decode(facts.record)
    if record.envelope_id != kept.id.bytes or (record.box, record.bidder) != (facts.box, facts.bidder):
        yield Finding("record-of-another-envelope", str(kept.id))
    if (kept.state is EnvelopeState.RECEIVED) == bool(facts.receipt):
        yield Finding("receipt-and-state-differ", f"{kept.id} is {kept.state.value}")
    if facts.registration:
        notice = Registration.decode(facts.registration)
        _require_signed(stored, Kind.REGISTRATION, facts.registration)
        if notice.record != record:
            yield Finding("notice-of-another-record", str(kept.id))
    if facts.receipt:
        yield from _receipt(stored, kept, record)
    if facts.withdrawal:
        yield from _withdrawal(stored, kept)


def _receipt(stored: Stored, kept: Kept, record: DepositRecord) -> Iterator[Finding]:
    facts = kept.facts
    receipt = Receipt.decode(facts.receipt)
    _require_signed(stored, Kind.RECEIPT, facts.receipt)
    if receipt.record != record:
        yield Finding("receipt-of-another-record", str(kept.id))
    if (int(receipt.ruling.verdict), receipt.ruling.reason) != (facts.verdict, facts.reason):
        yield Finding("verdict-and-row-differ", str(kept.id))
    yield from _judged_alike(stored, kept, record, receipt.ruling)


def _withdrawal(stored: Stored, kept: Kept) -> Iterator[Finding]:
    said = Withdrawal.decode(kept.facts.withdrawal)
    _require_signed(stored, Kind.WITHDRAWAL, kept.facts.withdrawal)
    if (said.record.box, said.record.bidder) != (kept.facts.box, kept.facts.bidder):
        yield Finding("withdrawal-of-another-bidder", str(kept.id))
    yield from _judged_alike(stored, kept, said.record, said.ruling)


def _require_signed(stored: Stored, kind: Kind, payload: bytes) -> None:
    """The note made of the payload, twice the same, under the statement key."""
    works = stored.works
    first, again = receiving.sign(works, kind, payload), receiving.sign(works, kind, payload)
    if first != again:
        raise CryptoError("a repeat signs other bytes")
    require_signers(parse_note(first, kind), [works.service_keys.statement.verifier], 1)


def _judged_alike(
    stored: Stored, kept: Kept, record: DepositRecord | WithdrawalRecord, ruling: Ruling
) -> Iterator[Finding]:
    tokens = list(_tokens(stored, kept, record, ruling))
    policy = {one.hash: one for one in stored.policies(kept.facts.procedure)}[ruling.judged_by]
    times = BoxTimes(_deadline(policy, record.box), _state_at(stored, kept, ruling))
    judged = judge(record, min(tokens, key=lambda one: one.at), box=times)
    if (judged.verdict, judged.reason.value) != (ruling.verdict, ruling.reason):
        yield Finding("verdict-not-as-judged", f"{kept.id}: {ruling.verdict.name}, judged {judged.verdict.name}")


def _tokens(
    stored: Stored, kept: Kept, record: DepositRecord | WithdrawalRecord, ruling: Ruling
) -> Iterator[VerifiedTimestamp]:
    beside = {stamp.token: stamp.evidence for stamp in kept.facts.stamps}
    for token in ruling.tokens:
        yield _recalled(stored.works.authorities, token, beside[token], record.imprint)


@lru_cache(maxsize=4096)
def _recalled(authorities: TimeAuthorities, token: bytes, evidence: bytes, over: bytes) -> VerifiedTimestamp:
    """A token judged from its evidence: the same bytes again are judged once, though a test checks after every step."""
    return authorities.recall(token, evidence, over=over).verified


def _deadline(policy: Policy, number: int) -> datetime:
    return policy.box(number).deadline


def _state_at(stored: Stored, kept: Kept, ruling: Ruling) -> BoxState:
    """Whether the box's closing precedes the ruling's entry in the journal."""
    box = stored.box_of(kept)
    closing = box and stored.main_closing(box)
    closed = stored.by_fact.get((EventKind.BOX_CLOSED, closing.id), ()) if closing else ()
    told = stored.by_fact.get((ruling.event.kind, ruling.event.subject), ())
    ruled = [one.seq for one in told if one.event == ruling.event and one.facts and one.facts.salt == ruling.salt]
    if not ruled:
        raise CryptoError("its entry is not in the journal")
    return BoxState.CLOSING if closed and closed[0].seq < ruled[0] else BoxState.OPEN
