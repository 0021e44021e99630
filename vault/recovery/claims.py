# SPDX-License-Identifier: EUPL-1.2
"""Statements shown by their holders bring back what the database lost: envelope, verdict, withdrawal (protocol §5).

Rules
  1. What the vault once signed stands: its verdict is not judged anew, its entry keeps its leaf, its bytes come out the
     same. What it did not sign is nothing.
  2. A receipt or notice registers the object whose sealed envelope has exactly its digest; a claim alone is no object.
  3. What was in time by its receipt, and whose box was closed without it, waits in review for its custodians: the list
     of a closing is never changed.
  4. Order is that of the first acknowledgements, not of showing.
  5. The same statement shown again changes nothing.

Left to others: which objects have no row (vault.recovery.objects), who may show what (api.deposit).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from crypto.certificates import RevocationEvidence, chain_to_anchor
from crypto.closings import EnvelopeList
from crypto.deposit import DepositRecord, Receipt, Registration, Verdict, Withdrawal
from crypto.errors import CryptoError, FormatError, KindError
from crypto.events import Event, leaf_data
from crypto.receipt_evidence import ReceiptEvidence
from crypto.statement import Kind, Statement, parse_note, require_signers
from crypto.timestamp import token_certificates
from vault import attempts, envelopes, journal, shelf, withdrawal
from vault.envelopes import Addressed, Kept, Wanted
from vault.errors import AuthorityUnavailable, NotFound, NotReady
from vault.lifecycle import BoxState, EnvelopeState, state_after
from vault.models import ClosingRow, JournalRow, PolicyRow, Procedure
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.recovery.objects import Loose, find_loose
from vault.rows import EnvelopeFacts, Stamp
from vault.store.names import object_name
from vault.work import Work, Works

KINDS = (Kind.REGISTRATION, Kind.RECEIPT, Kind.WITHDRAWAL)
Payload = Registration | Receipt | Withdrawal


@dataclass(frozen=True)
class Shown:
    """A statement as its holder shows it, with the file beside it, if there is one."""

    name: str
    note: bytes = field(repr=False)
    evidence: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Claim:
    """A statement that this vault once signed.

    Attributes:
        name: how its holder calls it.
        said: what it says.
        at: when it was given: statements are worked off in this order.
    """

    name: str
    statement: Statement = field(repr=False)
    said: Payload = field(repr=False)
    at: datetime
    evidence: bytes = field(repr=False)

    @property
    def envelope_id(self) -> UUID:
        """The envelope it is about."""
        return UUID(bytes=self.said.record.envelope_id)

    @property
    def entry(self) -> tuple[Event, bytes]:
        """The journal entry that it tells, with its salt."""
        told = self.said if isinstance(self.said, Registration) else self.said.ruling
        return told.event, told.salt


def read_claim(works: Works, shown: Shown) -> Claim:
    """Read a shown statement.

    Raises:
        KindError, FormatError: not a receipt, notice or withdrawal.
        SignatureError: this vault has not signed it.
    """
    statement = _parse(shown.note)
    require_signers(statement, [works.service_keys.statement.verifier], 1)
    said: Payload
    match statement.kind:
        case Kind.REGISTRATION:
            said = Registration.decode(statement.payload)
        case Kind.WITHDRAWAL:
            said = Withdrawal.decode(statement.payload)
        case _:
            said = Receipt.decode(statement.payload)
    at = said.at if isinstance(said, Registration) else said.ruling.committed_at
    return Claim(shown.name, statement, said, at, shown.evidence)


def read_claims(works: Works, shown: Iterable[Shown], found: Findings) -> list[Claim]:
    """All that can be read, in the order in which it was given; what cannot is named."""
    claims = []
    for one in shown:
        try:
            claims.append(read_claim(works, one))
        except CryptoError as error:
            found.name(Loss(Lost.STATEMENT, one.name, reason=error.code))
    return sorted(claims, key=lambda claim: (claim.at, KINDS.index(claim.statement.kind)))


def settle(works: Works, claim: Claim, *, loose: Loose | None = None) -> Done | None:
    """Make true again what a statement says; tells what that took, None where it was true already.

    Args:
        loose: objects without a row by envelope, where the caller looked for them; else attempts are asked.

    Raises:
        NotFound: no such procedure; a withdrawal of an envelope that nobody has shown yet.
        NotReady: no object has the digest that the statement names.
        FormatError: the vault holds another statement in its place.
    """
    with works.open() as work:
        box = _addressed(work, claim)
        kept = envelopes.find(works, work, claim.envelope_id, procedure=box.procedure)
    if isinstance(claim.said, Withdrawal):
        return _withdraw(works, claim, claim.said, box=box)
    facts = None
    if kept is None:
        facts = _facts_of(works, claim.said.record, box=box, loose=loose)
    stamps = _stamps(works, claim)
    with works.open() as work:
        work.lock_box(box.box_id)
        box = _addressed(work, claim)
        kept = envelopes.find(works, work, claim.envelope_id, procedure=box.procedure, lock=True)
        if kept is not None:
            return _complete(works, work, claim, kept=kept, box=box, stamps=stamps)
        if facts is None:
            raise NotReady("the envelope's object")
        return _register(works, work, claim, facts=facts, box=box, stamps=stamps)


def settle_own(works: Works, wanted: Wanted, note: bytes) -> Done | None:
    """A statement shown to a running vault by the depositor who holds it.

    Args:
        wanted: the envelope as the depositor names it; a statement about any other is nobody's here.

    Raises:
        SignatureError, KindError, FormatError: not a statement that this vault signed.
        NotFound: it is about something else, or somebody else's.
        NotReady: as `settle`.
    """
    claim = read_claim(works, Shown("shown", note))
    with works.open() as work:
        box = _addressed(work, claim)
    said = (box.platform, claim.said.record.bidder, box.procedure, box.box.lot, claim.envelope_id)
    asked = (wanted.depositor.platform, wanted.depositor.bidder, wanted.procedure, wanted.lot, wanted.envelope_id)
    if said != asked:
        raise NotFound
    return settle(works, claim)


def place_of(works: Works, claim: Claim) -> journal.Place:
    """Where a claim's entry belongs; NotFound."""
    with works.open() as work:
        return _addressed(work, claim).place(works)


def name_after_closing(works: Works, found: Findings, claim: Claim) -> None:
    """Name an envelope that was in time and whose box was closed without it (rule 3)."""
    if not isinstance(claim.said, Receipt) or claim.said.ruling.verdict is not Verdict.IN_TIME:
        return
    with works.open() as work:
        box = _addressed(work, claim)
        kept = envelopes.find(works, work, claim.envelope_id, procedure=box.procedure)
    if kept is not None and kept.state is EnvelopeState.REVIEW:
        found.name(Loss(Lost.AFTER_CLOSING, str(kept.id), procedure=box.procedure, box=box.box.number))


def _parse(note: bytes) -> Statement:
    for kind in KINDS:
        if note.startswith(f"bidvault/{kind.value}/".encode()):
            return parse_note(note, kind)
    raise KindError("not a receipt, a registration notice or a withdrawal")


def _addressed(work: Work, claim: Claim) -> Addressed:
    record = claim.said.record
    row = work.session.exec(select(PolicyRow).where(PolicyRow.policy_hash == record.policy_hash)).first()
    if row is None:
        raise NotFound
    procedure = work.session.get_one(Procedure, row.procedure_id)
    return envelopes.address_number(work, procedure.platform, procedure.id, number=record.box)


def _facts_of(works: Works, record: DepositRecord, *, box: Addressed, loose: Loose | None) -> EnvelopeFacts | None:
    """The facts of the object that holds exactly the sealed envelope of a record (rule 2)."""
    envelope_id = UUID(bytes=record.envelope_id)
    if loose is None:
        objects = find_loose(works, box, envelope_id)
    else:
        objects = [one.object_id for one in loose.get(envelope_id, ())]
    for object_id in objects:
        for version in works.store.list_versions(object_name(object_id.bytes)):
            facts = EnvelopeFacts(
                procedure=box.procedure,
                box=record.box,
                bidder=record.bidder,
                record=record.encode(),
                object_id=object_id,
                version_id=version.version_id,
                length=version.size,
            )
            if not version.is_marker and shelf.is_intact(works, facts):
                return facts
    return None


def _register(
    works: Works, work: Work, claim: Claim, *, facts: EnvelopeFacts, box: Addressed, stamps: tuple[Stamp, ...]
) -> Done:
    """A row for an envelope that has none, with the verdict it had."""
    ledger = envelopes.lock_ledger(works, work, box, bidder=facts.bidder)
    seq = _seq_of(works, work, claim, box)
    later = [one for one in _of_ledger(works, work, ledger.facts.envelopes, box) if _given_at(one) > claim.at]
    first_event = min([seq, *(one.facts.first_event - 1 for one in later)])
    facts, state = _said(replace(facts, first_event=first_event), claim, stamps)
    kept = envelopes.add(works, work, claim.envelope_id, facts, box=box, state=state)
    _find_place(works, work, kept, box=box)
    attempts.claim(works, work, box, target=_target(facts, claim))
    others = [one for one in ledger.facts.envelopes if one not in {late.id for late in later}]
    ledger.write(works, box, (*others, kept.id, *(one.id for one in later)))
    return Done.REGISTERED


def _target(facts: EnvelopeFacts, claim: Claim) -> attempts.Target:
    return attempts.Target(claim.envelope_id, facts.bidder, facts.length, facts.object_id)


def _complete(
    works: Works, work: Work, claim: Claim, *, kept: Kept, box: Addressed, stamps: tuple[Stamp, ...]
) -> Done | None:
    """What a row lacks of its statements."""
    is_notice = isinstance(claim.said, Registration)
    known = kept.facts.registration if is_notice else kept.facts.receipt
    if known:
        if known != claim.statement.payload:
            raise FormatError("the vault holds another statement in its place")
        return None
    seq = _seq_of(works, work, claim, box)
    facts, state = _said(replace(kept.facts, first_event=kept.facts.first_event or seq), claim, stamps)
    if is_notice or kept.state is not EnvelopeState.RECEIVED:
        state = kept.state
    written = envelopes.write(works, kept.row, facts, state=state)
    if not is_notice:
        _find_place(works, work, written, box=box)
    return Done.REGISTERED if is_notice else Done.JUDGED


def _said(facts: EnvelopeFacts, claim: Claim, stamps: tuple[Stamp, ...]) -> tuple[EnvelopeFacts, EnvelopeState]:
    """Facts with a statement's words, and the state that it gives."""
    if isinstance(claim.said, Receipt):
        ruling = claim.said.ruling
        judged = replace(
            facts,
            verdict=int(ruling.verdict),
            reason=ruling.reason,
            stamps=(*facts.stamps, *stamps),
            receipt=claim.statement.payload,
        )
        return judged, state_after(ruling.verdict)
    return replace(facts, registration=claim.statement.payload), EnvelopeState.RECEIVED


def _find_place(works: Works, work: Work, kept: Kept, *, box: Addressed) -> None:
    """An envelope in time whose box is closing or closed: listed where it is listed, else superseded or in review."""
    if kept.state is not EnvelopeState.SEALED or box.state is BoxState.OPEN:
        return
    main = select(ClosingRow).where(ClosingRow.box_id == box.box_id, col(ClosingRow.decision_id).is_(None))
    row = work.session.exec(main).one()
    listed = {UUID(bytes=one.envelope_id): index for index, one in enumerate(EnvelopeList.decode(row.list).entries)}
    if kept.id in listed:
        envelopes.write(works, kept.row, kept.facts, state=EnvelopeState.LISTED)
        kept.row.closing_id, kept.row.list_index = row.id, listed[kept.id]
        return
    ledger = envelopes.ledger(works, work, box, bidder=kept.facts.bidder).envelopes
    newer = {one.id for one in _of_ledger(works, work, ledger, box) if _given_at(one) > _given_at(kept)}
    state = EnvelopeState.SUPERSEDED if newer & listed.keys() else EnvelopeState.REVIEW
    envelopes.write(works, kept.row, kept.facts, state=state)


def _withdraw(works: Works, claim: Claim, said: Withdrawal, *, box: Addressed) -> Done | None:
    (stamp, *_) = _stamps(works, claim)
    with works.open() as work:
        work.lock_box(box.box_id)
        box = _addressed(work, claim)
        kept = envelopes.find(works, work, claim.envelope_id, procedure=box.procedure, lock=True)
        if kept is None:
            raise NotFound
        if kept.facts.withdrawal:
            return None
        if said.ruling.verdict is Verdict.IN_TIME and box.state is not BoxState.OPEN:
            raise NotReady("a box that is still open: the withdrawal was lost, and the box closed without it")
        _seq_of(works, work, claim, box)
        withdrawal.adopt(works, work, box, said=said, stamp=stamp)
    return Done.WITHDRAWN


def _seq_of(works: Works, work: Work, claim: Claim, box: Addressed) -> int:
    """The number of the entry that a claim tells; it is appended where the log lost it, with the leaf it had."""
    event, salt = claim.entry
    row = work.session.exec(select(JournalRow.seq).where(JournalRow.leaf == leaf_data(event, salt))).first()
    if row is not None:
        return row
    entry = journal.append(works, work, event, place=box.place(works), salt=salt)
    work.session.flush()
    return entry.seq


def _of_ledger(works: Works, work: Work, ids: Iterable[UUID], box: Addressed) -> list[Kept]:
    found = (envelopes.find(works, work, one, procedure=box.procedure, lock=True) for one in ids)
    return [one for one in found if one is not None]


def _given_at(kept: Kept) -> datetime:
    """When an envelope was first acknowledged."""
    if kept.facts.registration:
        return Registration.decode(kept.facts.registration).at
    return Receipt.decode(kept.facts.receipt).ruling.committed_at


def _stamps(works: Works, claim: Claim) -> tuple[Stamp, ...]:
    """A statement's tokens with their evidence: from the file beside it, else asked for anew."""
    if isinstance(claim.said, Registration):
        return ()
    tokens = claim.said.ruling.tokens
    beside = ReceiptEvidence.decode(claim.evidence).revocation if claim.evidence else ()
    if len(beside) == len(tokens):
        return tuple(Stamp(token, one.encode()) for token, one in zip(tokens, beside, strict=True))
    return tuple(Stamp(token, _asked(works, token).encode()) for token in tokens)


def _asked(works: Works, token: bytes) -> RevocationEvidence:
    try:
        chain = chain_to_anchor(token_certificates(token), anchors=works.authorities.anchors)
        return works.authorities.revocation_evidence(chain)
    except (AuthorityUnavailable, CryptoError):
        return RevocationEvidence()
