# SPDX-License-Identifier: EUPL-1.2
"""Receiving: steps D4 and D5 of one deposit whose bytes are stored, at once or later.

Rules
  1. The token is asked for outside any transaction; nothing is held while waiting for it.
  2. Without a token the deposit is kept as `received`, with its time, and its depositor has the notice (D4).
  3. The verdict falls under the box's lock, after its state was read anew; it is written once (D5).
  4. Of several deposits of one depositor under one id the first row stands; the others compare with it and get its
     receipt, or learn that they hold other content. Under another depositor's id they learn nothing.
  5. What was signed once is signed again byte for byte: the payload is stored, Ed25519 is deterministic.

Left to others: the bytes (vault.deposit), when to try again (vault.sweep, vault.closing).
"""

import hmac
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from crypto.certificates import RevocationEvidence
from crypto.deposit import DepositRecord, Receipt, Registration, Ruling, Service, Verdict, Withdrawal
from crypto.encoding import to_millis
from crypto.events import EventKind
from crypto.receipt_evidence import ReceiptEvidence
from crypto.statement import Kind, Statement
from vault import attempts, envelopes, journal
from vault.attempts import Begun
from vault.authorities import Stamp
from vault.envelopes import Addressed, Kept
from vault.errors import AuthorityUnavailable, DepositLimitReached, IdTaken, NotFound, OtherContent, WrongState
from vault.lifecycle import BoxTimes, EnvelopeState, Judgement, ProcedureState, judge, state_after
from vault.models import AttemptState, BoxRow, Procedure
from vault.rows import EnvelopeFacts
from vault.rows import Stamp as KeptStamp
from vault.settings import Settings
from vault.work import Work, Works

TEST_ONLY = 0  # protocol §1, levels
SEALED_BY_VAULT = 1


@dataclass(frozen=True)
class Acknowledgement:
    """What a depositor gets: a receipt, a registration notice or a withdrawal, signed."""

    kind: Kind
    state: EnvelopeState
    note: bytes = field(repr=False)


@dataclass(frozen=True)
class Arrived:
    """A deposit whose object is stored and flushed (D3), and which no row tells of yet."""

    box: Addressed
    attempt: Begun
    record: DepositRecord
    facts: EnvelopeFacts

    @property
    def envelope_id(self) -> UUID:
        return UUID(bytes=self.record.envelope_id)


def take(works: Works, arrived: Arrived) -> Acknowledgement:
    """Steps D4 and D5 of a deposit that has just been stored.

    Raises:
        OtherContent, IdTaken: its id holds something else; nothing was written, the object is swept one day.
    """
    # D4. A token within five seconds, else ◆ the deposit is kept with its time, and the notice is given.
    try:
        stamp: Stamp | None = works.authorities.stamp(arrived.record.imprint)
    except AuthorityUnavailable:
        stamp = None
    # D5. ◆ Under the box's lock: verdict, entry, row, receipt payload; then it is signed.
    try:
        with works.open() as work:
            kept = _enter(works, work, arrived, stamp)
    except IntegrityError as error:  # another depositor's envelope took the id between our look and our commit
        raise IdTaken from error
    if kept.state is EnvelopeState.RECEIVED and stamp is not None:
        return settle_one(
            works, kept.id, procedure=kept.facts.procedure
        )  # an earlier twin had no token; now there is one
    return acknowledge(works, kept)


def settle(works: Works, box_id: int) -> int:
    """Steps D4 and D5 for every received deposit of one box (C1); tells how many still wait for a token."""
    with works.open() as work:
        box = _box(work, box_id)
        buckets = envelopes.weeks(works, work, box)
        waiting = [
            kept.id
            for kept in envelopes.received(works, work, procedure=box.procedure, platform=box.platform, buckets=buckets)
            if kept.facts.box == box.box.number
        ]
    return settle_all(works, waiting, procedure=box.procedure)


def settle_all(works: Works, waiting: list[UUID], *, procedure: UUID) -> int:
    """Steps D4 and D5 for some received deposits; the first that gets no token ends it. Tells how many still wait."""
    for done, envelope_id in enumerate(waiting):
        if settle_one(works, envelope_id, procedure=procedure).kind is Kind.REGISTRATION:
            return len(waiting) - done
    return 0


def settle_one(works: Works, envelope_id: UUID, *, procedure: UUID) -> Acknowledgement:
    """Steps D4 and D5 of one deposit that was received earlier; what it has already is given again."""
    with works.open() as work:
        kept = _kept(works, work, envelope_id, procedure=procedure)
        box = envelopes.address_number(work, kept.row.platform, procedure, number=kept.facts.box)
    if kept.state is not EnvelopeState.RECEIVED:
        return acknowledge(works, kept)
    record = DepositRecord.decode(kept.facts.record)
    # D4. The token, over the record with its old times.
    try:
        stamp = works.authorities.stamp(record.imprint)
    except AuthorityUnavailable:
        return acknowledge(works, kept)
    # D5. ◆ As for a new one, but the row is there already.
    with works.open() as work:
        work.lock_box(box.box_id)
        box = envelopes.address_number(work, box.platform, procedure, number=kept.facts.box)
        kept = _kept(works, work, envelope_id, procedure=procedure, lock=True)
        if kept.state is EnvelopeState.RECEIVED:
            kept = _judge_received(works, work, kept, box=box, stamp=stamp)
    return acknowledge(works, kept)


def acknowledge(works: Works, kept: Kept) -> Acknowledgement:
    """What the depositor of an envelope holds now: its receipt, or the notice while there is none."""
    facts = kept.facts
    kind, payload = (Kind.RECEIPT, facts.receipt) if facts.receipt else (Kind.REGISTRATION, facts.registration)
    return Acknowledgement(kind, kept.state, sign(works, kind, payload))


def sign(works: Works, kind: Kind, payload: bytes) -> bytes:
    """The note over a stored payload; the same again for the same."""
    return Statement(kind, payload).signed_by(works.service_keys.statement).note


def evidence_of(works: Works, work: Work, kept: Kept, *, kind: Kind) -> bytes:
    """The file that lies beside a receipt or a withdrawal.

    Raises:
        NotFound: there is no such statement yet.
    """
    payload = kept.facts.withdrawal if kind is Kind.WITHDRAWAL else kept.facts.receipt
    if not payload:
        raise NotFound
    ruling = Withdrawal.decode(payload).ruling if kind is Kind.WITHDRAWAL else Receipt.decode(payload).ruling
    beside = {stamp.token: stamp.evidence for stamp in kept.facts.stamps}
    return ReceiptEvidence(
        policies=envelopes.policy_notes(work, kept.facts.procedure, up_to=ruling.judged_by),
        anchors=tuple(anchor.der for anchor in works.authorities.anchors),
        revocation=tuple(RevocationEvidence.decode(beside[token]) for token in ruling.tokens),
    ).encode()


def rule(works: Works, work: Work, *, box: Addressed, judged: Judgement, stamp: Stamp, entry: journal.Entry) -> Ruling:
    """The part of a receipt or a withdrawal that the vault adds to its record."""
    return Ruling(
        verdict=judged.verdict,
        reason=judged.reason.value,
        committed_at=work.now,
        tokens=(stamp.verified.token,),
        level=level(works.settings),
        event=entry.event,
        salt=entry.salt,
        service=service(works.settings),
        judged_by=box.policy.hash,
    )


def level(settings: Settings) -> int:
    """Which promise the deployment can make (protocol §1): the vault seals, unless it is a test."""
    return TEST_ONLY if settings.is_development else SEALED_BY_VAULT


def service(settings: Settings) -> Service:
    """Who answers for this vault, as receipts say it."""
    return Service(settings.service.name, settings.service.address, settings.service.telephone)


def kept_stamp(stamp: Stamp) -> KeptStamp:
    """A token with its evidence and what our clock said, as a row keeps it."""
    return KeptStamp(stamp.verified.token, stamp.evidence.encode(), to_millis(stamp.verified.at - stamp.distance))


def is_withdrawn(facts: EnvelopeFacts) -> bool:
    """Whether a withdrawal that was in time names this envelope."""
    return bool(facts.withdrawal) and Withdrawal.decode(facts.withdrawal).ruling.verdict is Verdict.IN_TIME


def require_same(kept: Kept | None, *, box: Addressed, bidder: str, tag: bytes | None = None) -> None:
    """Refuse what an id does not allow: another's, withdrawn (one answer), or this depositor's other content.

    Raises:
        IdTaken: the id cannot be used; who holds it is not told.
        OtherContent: this depositor's envelope holds other documents, or the secret is another.
    """
    if kept is None or not envelopes.belongs(kept, envelopes.Depositor(box.platform, bidder), box):
        raise IdTaken
    if kept.state is EnvelopeState.WITHDRAWN or is_withdrawn(kept.facts):
        raise IdTaken
    stored = DepositRecord.decode(kept.facts.record).documents_tag or b""
    if tag is not None and not hmac.compare_digest(stored, tag):
        raise OtherContent


def _enter(works: Works, work: Work, arrived: Arrived, stamp: Stamp | None) -> Kept:
    """Write a new deposit, judged where it has a token; or find that its id is taken, by its twin or by another."""
    work.lock_box(arrived.box.box_id)
    box = envelopes.address_number(work, arrived.box.platform, arrived.box.procedure, number=arrived.box.box.number)
    ledger = envelopes.lock_ledger(works, work, box, bidder=arrived.facts.bidder)
    there, is_taken = envelopes.claimed(works, work, arrived.envelope_id, procedure=box.procedure, lock=True)
    if is_taken:
        require_same(there, box=box, bidder=arrived.facts.bidder, tag=arrived.record.documents_tag)
        assert there is not None
        attempts.end(works, work, arrived.attempt, state=AttemptState.DONE, outcome="repeated")
        return there
    _require_still_accepting(box, deposits=len(ledger.facts.envelopes))
    kept = (
        _write_received(works, work, arrived, box=box)
        if stamp is None
        else _write_sealed(works, work, arrived, box=box, stamp=stamp)
    )
    ledger.with_envelope(works, box, kept.id)
    attempts.end(works, work, arrived.attempt, state=AttemptState.DONE)
    return kept


def _require_still_accepting(box: Addressed, *, deposits: int) -> None:
    """What may have changed since the announcement was accepted; sizes have not."""
    if box.procedure_state is not ProcedureState.PUBLISHED:
        raise WrongState(box.procedure_state, ProcedureState.PUBLISHED)
    if deposits >= box.policy.limits.deposits:
        raise DepositLimitReached(box.policy.limits.deposits)


def _write_received(works: Works, work: Work, arrived: Arrived, *, box: Addressed) -> Kept:
    """D4 without a token: the row, its entry, and the notice's payload."""
    entry = _tell(works, work, EventKind.DEPOSIT_RECEIVED, box=box, record=arrived.record)
    notice = Registration(arrived.record, work.now, entry.event, entry.salt, service(works.settings))
    facts = replace(arrived.facts, first_event=entry.seq, registration=notice.encode())
    return envelopes.add(works, work, arrived.envelope_id, facts, box=box, state=EnvelopeState.RECEIVED)


def _write_sealed(works: Works, work: Work, arrived: Arrived, *, box: Addressed, stamp: Stamp) -> Kept:
    """D5 of a new deposit."""
    facts, judged = _judged(works, work, arrived.facts, box=box, stamp=stamp)
    return envelopes.add(works, work, arrived.envelope_id, facts, box=box, state=state_after(judged.verdict))


def _judge_received(works: Works, work: Work, kept: Kept, *, box: Addressed, stamp: Stamp) -> Kept:
    """D5 of a deposit received earlier; one withdrawn meanwhile gets its receipt and stays withdrawn."""
    facts, judged = _judged(works, work, kept.facts, box=box, stamp=stamp)
    state = EnvelopeState.WITHDRAWN if is_withdrawn(facts) else state_after(judged.verdict)
    return envelopes.write(works, kept.row, facts, state=state)


def _judged(
    works: Works, work: Work, facts: EnvelopeFacts, *, box: Addressed, stamp: Stamp
) -> tuple[EnvelopeFacts, Judgement]:
    """The verdict, its entry and the receipt's payload."""
    record = DepositRecord.decode(facts.record)
    judged = judge(record, stamp.verified, box=BoxTimes(box.box.deadline, box.state))
    entry = _tell(works, work, EventKind.ENVELOPE_SEALED, box=box, record=record, data=bytes((judged.verdict,)))
    ruling = rule(works, work, box=box, judged=judged, stamp=stamp, entry=entry)
    judged_facts = replace(
        facts,
        first_event=facts.first_event or entry.seq,
        verdict=int(judged.verdict),
        reason=judged.reason.value,
        stamps=(*facts.stamps, kept_stamp(stamp)),
        receipt=Receipt(record, ruling).encode(),
    )
    return judged_facts, judged


def _tell(
    works: Works, work: Work, kind: EventKind, *, box: Addressed, record: DepositRecord, data: bytes = b""
) -> journal.Entry:
    place = box.place(works)
    told = journal.event(kind, at=work.now, place=place, subject=record.imprint, data=data)
    return journal.append(works, work, told, place=place)


def _kept(works: Works, work: Work, envelope_id: UUID, *, procedure: UUID, lock: bool = False) -> Kept:
    kept = envelopes.find(works, work, envelope_id, procedure=procedure, lock=lock)
    if kept is None:
        raise NotFound
    return kept


def _box(work: Work, box_id: int) -> Addressed:
    found = work.session.exec(
        select(BoxRow.procedure_id, BoxRow.number, Procedure.platform)
        .join(Procedure, col(Procedure.id) == BoxRow.procedure_id)
        .where(BoxRow.id == box_id)
    ).first()
    if found is None:
        raise NotFound
    procedure, number, platform = found
    return envelopes.address_number(work, platform, procedure, number=number)
