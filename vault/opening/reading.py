# SPDX-License-Identifier: EUPL-1.2
"""Reading: each keyed envelope is read once and checked, then the minutes are written (O7, O8).

Rules
  1. Nothing is read before `keyed` is committed.
  2. Padding, length, digests, bidder and the documents tag of the record are checked; one bad envelope stops nothing.
  3. What was read once is known by its digests from then on; an envelope becomes opened once.

Left to others: serving documents (documents), prints of the minutes (vault.prints).
"""

from uuid import uuid4

from sqlmodel import col, select

from crypto.ceremony import Keyed, MinutedEnvelope, Minutes, Outcome
from crypto.deposit import DepositRecord
from crypto.errors import CryptoError, ManifestError
from crypto.events import EventKind
from crypto.manifest import Document, documents_digest
from crypto.reader import CheckedDocument, EnvelopeReader
from crypto.statement import Kind, parse_note
from crypto.wraps import WrapKind
from vault import envelopes, journal, shelf
from vault.envelopes import Kept
from vault.errors import ObjectMissing
from vault.hidden import hide, reveal
from vault.lifecycle import BoxState, EnvelopeState
from vault.models import ContributionRow, DocumentRow, OpeningRow, OpeningState
from vault.opening import due
from vault.opening.keying import LEFT_OUT, listed
from vault.rows import DocumentFacts, EnvelopeFacts
from vault.work import Work, Works

TABLE = "document"
STATE = "opened"
MISSING = "missing"  # listed, and no row tells of it any more


def read_all(works: Works, opening_id: bytes) -> None:
    """Steps O7 and O8 of a keyed opening; what is done already is not done again."""
    with works.open() as work:
        row = due.row_of(work, opening_id)
        if row.state is not OpeningState.KEYED:
            return
        keyed = [one for one in listed(works, work, row).values() if one.state is EnvelopeState.KEYED]
    # O7. ◆ each: read, check, keep what the documents are.
    for kept in keyed:
        _read(works, kept)
    # O8. ◆ The minutes.
    _minute(works, opening_id)


def open_reader(works: Works, facts: EnvelopeFacts) -> EnvelopeReader:
    """Open a keyed envelope with its file key.

    Raises:
        ObjectMissing: its key or its object is gone.
        CryptoError: the stored bytes are not what was sealed.
    """
    sealed = shelf.take(works, facts)
    return EnvelopeReader(sealed.read, sealed.length, file_key_of(works, facts))


def file_key_of(works: Works, facts: EnvelopeFacts) -> bytes:
    """The file key of a keyed envelope, for its reader or for the package it is exported in; ObjectMissing."""
    parent = works.keys.object(facts.procedure, facts.object_id)
    return works.keys.get(WrapKind.FILE, facts.object_id, parent=parent)


def _read(works: Works, kept: Kept) -> None:
    record = DepositRecord.decode(kept.facts.record)
    try:
        reader = open_reader(works, kept.facts)
        if record.documents_tag is not None and reader.documents_tag != record.documents_tag:
            raise ManifestError("the documents are not those of the record")
        checked = reader.check(kept.facts.bidder)
    except (CryptoError, ObjectMissing) as error:
        _commit(works, kept, record, checked=(), reason=error.code)
    else:
        _commit(works, kept, record, checked=checked, reason="")


def _commit(
    works: Works, kept: Kept, record: DepositRecord, *, checked: tuple[CheckedDocument, ...], reason: str
) -> None:
    with works.open() as work:
        current = envelopes.find(works, work, kept.id, procedure=kept.facts.procedure, lock=True)
        if current is None or current.state is not EnvelopeState.KEYED:
            return
        state = EnvelopeState.FAILED if reason else EnvelopeState.OPENED
        kind = EventKind.ENVELOPE_FAILED if reason else EventKind.ENVELOPE_OPENED
        envelopes.write(works, current.row, current.facts, state=state)
        offset = 0
        for number, document in enumerate(checked):
            work.session.add(_document(works, kept, number, _facts(document, offset)))
            offset += document.size
        place = journal.Place(kept.row.platform, kept.facts.procedure, kept.facts.box)
        told = journal.event(kind, at=work.now, place=place, subject=record.imprint, data=reason.encode())
        journal.append(works, work, told, place=place)


def _facts(document: CheckedDocument, offset: int) -> DocumentFacts:
    return DocumentFacts(
        path=document.path,
        offset=offset,
        size=document.size,
        sha256=document.sha256,
        sha512=document.sha512,
        crc32=int.from_bytes(document.crc32, "big"),
    )


def _document(works: Works, kept: Kept, number: int, facts: DocumentFacts) -> DocumentRow:
    row_id = uuid4()
    key = works.keys.facts(kept.facts.procedure)
    blob = hide(key, facts.encode(), table=TABLE, row_id=row_id, state=STATE)
    return DocumentRow(id=row_id, envelope_id=kept.id, number=number, state=STATE, facts=blob)


def _minute(works: Works, opening_id: bytes) -> None:
    with works.open() as work:
        row = work.session.get(OpeningRow, opening_id, with_for_update=True)
        if row is None or row.state is not OpeningState.KEYED or row.keyed is None:
            return
        keyed = parse_note(row.keyed, Kind.KEYED)
        said = Keyed.of(keyed)
        reasons = {one.index: one.reason for one in said.unkeyed}
        kept = listed(works, work, row)
        found = [
            _minuted(works, work, index, kept.get(index), reasons.get(index, ""))
            for index in range(sum(len(due.entries_of(one)) for one in due.closing_rows(work, row)))
        ]
        minutes = Minutes(
            opening_id=row.id,
            keyed_id=keyed.id,
            began=row.began_at,
            ended=work.now,
            contributors=tuple(dict.fromkeys(_persons(work, said.contributions))),
            envelopes=tuple(found),
        ).statement
        row.minutes = minutes.signed_by(works.service_keys.statement).note
        row.state = OpeningState.MINUTED
        for box in due.boxes(work, row):
            box.state = BoxState.OPENED
        place = journal.Place(due.platform_of(work, row), row.procedure_id)
        told = journal.event(EventKind.OPENING_MINUTED, at=work.now, place=place, subject=minutes.id)
        journal.append(works, work, told, place=place)


def _persons(work: Work, contributions: tuple[bytes, ...]) -> list[bytes]:
    rows = [work.session.get(ContributionRow, one) for one in contributions]
    return [row.person for row in rows if row is not None]


def _minuted(works: Works, work: Work, index: int, kept: Kept | None, reason: str) -> MinutedEnvelope:
    if kept is None:
        return MinutedEnvelope(index, Outcome.UNKEYED, reason or MISSING)
    if kept.state is EnvelopeState.OPENED:
        return MinutedEnvelope(index, Outcome.OPENED, "", documents_digest(documents_of(works, work, kept)))
    if kept.state is EnvelopeState.FAILED:
        return MinutedEnvelope(index, Outcome.FAILED, reason or "unreadable")
    return MinutedEnvelope(index, Outcome.UNKEYED, reason or LEFT_OUT)


def documents_of(works: Works, work: Work, kept: Kept) -> list[Document]:
    """An opened envelope's documents as its manifest lists them."""
    return [Document(one.path, one.size, one.sha256) for one in facts_of(works, work, kept)]


def facts_of(works: Works, work: Work, kept: Kept) -> list[DocumentFacts]:
    """An opened envelope's documents, in order, with all their digests."""
    key = works.keys.facts(kept.facts.procedure)
    rows = select(DocumentRow).where(DocumentRow.envelope_id == kept.id).order_by(col(DocumentRow.number))
    return [
        DocumentFacts.decode(reveal(key, row.facts, table=TABLE, row_id=row.id, state=row.state))
        for row in work.session.exec(rows)
    ]
