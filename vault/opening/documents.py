# SPDX-License-Identifier: EUPL-1.2
"""What was opened: lists of envelopes and documents, one document by range, everything as a streamed zip.

Rules
  1. Only documents of opened envelopes are served; each reading is an entry in the journal.
  2. A block leaves only after its chunks were checked in both layers; a stream that fails breaks off, never ends well.
  3. Lengths and checksums come from the opening, so that a zip's length is known before its first byte.

Left to others: who may read (api.auth), HTTP ranges (api.opening).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from stat import S_IFREG
from uuid import UUID

from sqlmodel import col, select
from stream_zip import NO_COMPRESSION_64, Method, stream_zip

from crypto.deposit import DepositRecord
from crypto.errors import CryptoError
from crypto.events import EventKind
from crypto.reader import EnvelopeReader
from vault import envelopes, journal
from vault.envelopes import Kept
from vault.errors import NotFound, ObjectChanged
from vault.lifecycle import EnvelopeState
from vault.models import Envelope, Procedure
from vault.opening.reading import facts_of, open_reader
from vault.rows import DocumentFacts
from vault.work import Work, Works

FILE_MODE = S_IFREG | 0o600
Member = tuple[str, datetime, int, Method, Iterable[bytes]]


@dataclass(frozen=True)
class OpenedEnvelope:
    """One envelope of a closed box, as its buyer sees it."""

    id: UUID
    box: int
    state: EnvelopeState
    bidder: str
    received_at: datetime
    documents: tuple[DocumentFacts, ...]


@dataclass(frozen=True)
class OpenedDocument:
    """One opened document with the stream of its bytes."""

    facts: DocumentFacts
    envelope: Kept

    def read(self, works: Works, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Bytes of the document, all or a range.

        Raises:
            ObjectChanged: what is stored is no longer what was opened; what came before that byte was good.
        """
        with _as_stored():
            reader = open_reader(works, self.envelope.facts)
        return _read(reader, self.facts, offset, size)


def list_envelopes(works: Works, platform: str, procedure: UUID) -> list[OpenedEnvelope]:
    """All envelopes of a procedure's closed boxes, by box and order of arrival; documents only of opened ones.

    Raises:
        NotFound: no such procedure.
    """
    with works.open() as work:
        _require_procedure(work, platform, procedure)
        found = sorted(_of_procedure(works, work, procedure), key=lambda one: (one.facts.box, one.facts.first_event))
        return [_opened(works, work, kept) for kept in found]


def find_document(
    works: Works, platform: str, procedure: UUID, *, envelope_id: UUID, number: int, reader: str
) -> OpenedDocument:
    """One document of an opened envelope; its reading is journaled before the first byte.

    Args:
        reader: who reads, for the journal.

    Raises:
        NotFound: no such procedure, opened envelope or document.
    """
    with works.open() as work:
        _require_procedure(work, platform, procedure)
        kept = envelopes.find(works, work, envelope_id, procedure=procedure)
        if kept is None or kept.state is not EnvelopeState.OPENED:
            raise NotFound
        facts = facts_of(works, work, kept)
        if not 0 <= number < len(facts):
            raise NotFound
        _journal_reading(works, work, kept, f"{reader}:{number}")
        return OpenedDocument(facts[number], kept)


def zip_all(works: Works, platform: str, procedure: UUID, *, reader: str) -> Iterable[bytes]:
    """Every opened document of a procedure as one zip, streamed, nothing compressed.

    Raises:
        NotFound: no such procedure, or nothing was opened yet.
    """
    with works.open() as work:
        row = _require_procedure(work, platform, procedure)
        opened = [one for one in _of_procedure(works, work, procedure) if one.state is EnvelopeState.OPENED]
        if not opened:
            raise NotFound
        opened.sort(key=lambda one: (one.facts.box, one.facts.first_event))
        listed = [(kept, facts_of(works, work, kept)) for kept in opened]
        for kept, _ in listed:
            _journal_reading(works, work, kept, f"{reader}:zip")
        at = row.published_at or work.now
    return stream_zip(_members(works, listed, at))


def _members(works: Works, listed: list[tuple[Kept, list[DocumentFacts]]], at: datetime) -> Iterator[Member]:
    for kept, documents in listed:
        with _as_stored():
            reader = open_reader(works, kept.facts)
        folder = f"box-{kept.facts.box}/{kept.id}"
        for facts in documents:
            method = NO_COMPRESSION_64(facts.size, facts.crc32)
            yield f"{folder}/{facts.path}", at, FILE_MODE, method, _read(reader, facts)


@contextmanager
def _as_stored() -> Iterator[None]:
    """What was opened once and does not open now is no fault of who reads it."""
    try:
        yield
    except CryptoError as error:
        raise ObjectChanged(error.code) from error


def _read(reader: EnvelopeReader, facts: DocumentFacts, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
    with _as_stored():
        yield from reader.read(facts.path, offset, size)


def _of_procedure(works: Works, work: Work, procedure: UUID) -> list[Kept]:
    rows = work.session.exec(select(Envelope).where(col(Envelope.procedure_id) == procedure))
    return [Kept(row, envelopes.read(works, row, procedure=procedure)) for row in rows]


def _opened(works: Works, work: Work, kept: Kept) -> OpenedEnvelope:
    documents = facts_of(works, work, kept) if kept.state is EnvelopeState.OPENED else []
    return OpenedEnvelope(
        id=kept.id,
        box=kept.facts.box,
        state=kept.state,
        bidder=kept.facts.bidder,
        received_at=DepositRecord.decode(kept.facts.record).last_byte_at,
        documents=tuple(documents),
    )


def _journal_reading(works: Works, work: Work, kept: Kept, who: str) -> None:
    place = journal.Place(kept.row.platform, kept.facts.procedure, kept.facts.box)
    subject = DepositRecord.decode(kept.facts.record).imprint
    data = who.encode()[:512]
    told = journal.event(EventKind.DOCUMENT_READ, at=work.now, place=place, subject=subject, data=data)
    journal.append(works, work, told, place=place)


def _require_procedure(work: Work, platform: str, procedure: UUID) -> Procedure:
    row = work.session.get(Procedure, procedure)
    if row is None or row.platform != platform:
        raise NotFound
    return row
