# SPDX-License-Identifier: EUPL-1.2
"""Gathers what a package holds: from rows, stores and keys into planned files, nothing decided here.

Rules
  1. Only opened envelopes are given, with documents, sealed bytes and key; of all others digests and states.
  2. Statements, tokens and prints are those that are stored; receipts are signed again over their stored payloads.
  3. Large files are read from the store when they are written, in ranges.

Left to others: layout (retention.package), journal and proofs (retention.extract), when (retention.export).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from sqlmodel import col, select

from crypto.bid_key import BidKey
from crypto.certificates import Anchor, choose_anchors
from crypto.closings import Closing
from crypto.deposit import DepositRecord, Verdict
from crypto.policy import Policy
from crypto.reader import EnvelopeReader
from crypto.statement import Kind, Statement, parse_note
from retention import package as layout
from retention.package import PlannedFile, SealedEnvelope, SealedList
from vault import envelopes, receiving, shelf, stamps
from vault.envelopes import Kept
from vault.lifecycle import EnvelopeState
from vault.models import BoxRow, ClosingRow, ContributionRow, DecisionRow, Envelope, OpeningRow, PrintRow
from vault.opening import due
from vault.opening.contributing import of_opening
from vault.opening.reading import facts_of, file_key_of, open_reader
from vault.rows import DocumentFacts, Stamp
from vault.work import Work, Works

PIECE = 1 << 19  # as vault.shelf takes them from its window
VERDICTS = {0: "none", Verdict.IN_TIME: "in-time", Verdict.LATE: "late", Verdict.REVIEW: "review"}


@dataclass(frozen=True)
class Opened:
    """An opened envelope with its documents."""

    kept: Kept
    record: DepositRecord
    documents: tuple[DocumentFacts, ...]
    receipt: bytes = field(repr=False)
    evidence_size: int  # of what lies beside the receipt: it may be large, and is read again when it is written
    file_key: bytes = field(repr=False)


@dataclass(frozen=True)
class GatheredBox:
    """A box: its row, its closings (main first), what was opened, what stays sealed."""

    row: BoxRow
    closings: tuple[ClosingRow, ...]
    opened: tuple[Opened, ...]
    sealed: SealedList


@dataclass(frozen=True)
class Gathered:
    """A procedure as it is read in one transaction."""

    procedure: UUID
    policies: tuple[bytes, ...]
    policy: Policy
    anchors: tuple[Anchor, ...]
    boxes: tuple[GatheredBox, ...]
    openings: tuple[OpeningRow, ...]
    files: tuple[PlannedFile, ...] = field(repr=False)


def gather(works: Works, work: Work, procedure: UUID) -> Gathered:
    """All that a procedure's package holds beside journal, plan and read-me."""
    chain = envelopes.chain(work, procedure)
    notes = envelopes.policy_notes(work, procedure, up_to=chain[-1].hash)
    anchors = choose_anchors(works.authorities.anchors, chain[-1].time.anchors)
    held = _held(works, work, procedure)
    rows = work.session.exec(select(BoxRow).where(BoxRow.procedure_id == procedure).order_by(col(BoxRow.number)))
    boxes = tuple(_box(works, work, row, [one for one in held if one.facts.box == row.number]) for row in rows)
    openings = tuple(due.of_procedure(work, procedure))
    files = [
        *(PlannedFile.of(layout.policy_path(epoch), note) for epoch, note in enumerate(notes)),
        *_trust_files(chain[-1], anchors),
    ]
    for box in boxes:
        files += _box_files(works, work, box, chain)
    for opening in openings:
        files += _opening_files(works, work, opening)
    return Gathered(procedure, notes, chain[-1], anchors, boxes, openings, tuple(files))


def _held(works: Works, work: Work, procedure: UUID) -> list[Kept]:
    rows = work.session.exec(select(Envelope).where(col(Envelope.procedure_id) == procedure))
    held = [Kept(row, envelopes.read(works, row, procedure=procedure)) for row in rows]
    return sorted(held, key=lambda one: (one.facts.box, one.facts.first_event, one.id.bytes))


def _box(works: Works, work: Work, row: BoxRow, held: Sequence[Kept]) -> GatheredBox:
    closings = select(ClosingRow).where(ClosingRow.box_id == row.id, ClosingRow.is_accepted)
    in_order = sorted(work.session.exec(closings), key=lambda one: (one.decision_id or b"", one.id))
    opened = tuple(_opened(works, work, one) for one in held if one.state is EnvelopeState.OPENED)
    sealed = tuple(_sealed(one) for one in held if one.state is not EnvelopeState.OPENED)
    return GatheredBox(row, tuple(in_order), opened, SealedList(box=row.number, envelopes=sealed))


def _opened(works: Works, work: Work, kept: Kept) -> Opened:
    return Opened(
        kept=kept,
        record=DepositRecord.decode(kept.facts.record),
        documents=tuple(facts_of(works, work, kept)),
        receipt=receiving.sign(works, Kind.RECEIPT, kept.facts.receipt),
        evidence_size=len(receiving.evidence_of(works, work, kept, kind=Kind.RECEIPT)),
        file_key=file_key_of(works, kept.facts),
    )


def _sealed(kept: Kept) -> SealedEnvelope:
    record = DepositRecord.decode(kept.facts.record)
    return SealedEnvelope(
        id=str(kept.id),
        state=kept.state.value,
        verdict=VERDICTS[kept.facts.verdict],
        record=record.imprint.hex(),
        header_sha256=record.header_hash.hex(),
        file_sha256=record.file_hash.hex(),
        length=record.length,
    )


def _trust_files(policy: Policy, anchors: Sequence[Anchor]) -> Iterator[PlannedFile]:
    yield PlannedFile.of(layout.STATEMENTS_VKEY, f"{policy.statement_vkey}\n".encode())
    yield PlannedFile.of(layout.JOURNAL_VKEY, f"{policy.journal_vkey}\n".encode())
    for anchor in anchors:
        pem = load_der_x509_certificate(anchor.der).public_bytes(Encoding.PEM)
        yield PlannedFile.of(f"{layout.ANCHORS}/{layout.short(anchor.hash)}.pem", pem)


def _box_files(works: Works, work: Work, box: GatheredBox, chain: Sequence[Policy]) -> Iterator[PlannedFile]:
    yield PlannedFile.of(layout.sealed_path(box.row.number), box.sealed.encode())
    for row in box.closings:
        yield from _closing_files(works, work, box.row.number, row, chain)
    readers = _Readers(works)
    for opened in box.opened:
        yield from _envelope_files(works, box.row.number, opened, readers)


def _closing_files(
    works: Works, work: Work, number: int, row: ClosingRow, chain: Sequence[Policy]
) -> Iterator[PlannedFile]:
    folder = layout.box_folder(number) if row.decision_id is None else layout.admitted_folder(number, row.decision_id)
    yield PlannedFile.of(f"{folder}/closing.note", row.note or b"")
    yield PlannedFile.of(f"{folder}/closing.list", row.list)
    yield from _stamp_files(f"{folder}/closing", stamps.kept(work, row.id))
    if row.decision_id is None:
        said = Closing.decode(row.payload)
        policy = next(one for one in chain if one.hash == said.policy_hash)
        request = policy.close_request(policy.box(number))
        yield from _stamp_files(f"{folder}/closing-request", stamps.kept(work, request))
    else:
        decision = work.session.get_one(DecisionRow, row.decision_id)
        yield PlannedFile.of(f"{folder}/decision.note", decision.note)
    yield from _print_files(works, work, row.id, f"{folder}/closing")


def _stamp_files(stem: str, kept: Sequence[Stamp]) -> Iterator[PlannedFile]:
    for number, stamp in enumerate(kept, start=1):
        yield PlannedFile.of(f"{stem}-{number}.tst", stamp.token)
        yield PlannedFile.of(f"{stem}-{number}.evidence", stamp.evidence)


def _print_files(works: Works, work: Work, statement_id: bytes, stem: str) -> Iterator[PlannedFile]:
    rows = select(PrintRow).where(PrintRow.statement_id == statement_id).order_by(col(PrintRow.language))
    for row in work.session.exec(rows):
        yield PlannedFile(f"{stem}.{row.language}.pdf", row.size, _print_reader(works, row))


def _print_reader(works: Works, row: PrintRow) -> layout.Read:
    return lambda: iter((works.store.get_range(row.key, row.version_id, offset=0, size=row.size),))


def _envelope_files(works: Works, number: int, opened: Opened, readers: "_Readers") -> Iterator[PlannedFile]:
    folder, record = layout.envelope_folder(number, opened.kept.id), opened.record
    key = BidKey(
        policy_hash=record.policy_hash,
        box=record.box,
        envelope_id=record.envelope_id,
        header_hash=record.header_hash,
        file_hash=record.file_hash,
        length=record.length,
        file_key=opened.file_key,
    )
    yield PlannedFile.of(f"{folder}/receipt.note", opened.receipt)
    yield PlannedFile(f"{folder}/receipt.evidence", opened.evidence_size, _evidence_reader(works, opened))
    yield PlannedFile.of(f"{folder}/envelope.key", key.encode())
    yield PlannedFile(f"{folder}/envelope.tvse", record.length, _sealed_reader(works, opened))
    for document in opened.documents:
        path = layout.document_path(folder, document.path)
        yield PlannedFile(path, document.size, _document_reader(readers, opened.kept, document.path))


def _sealed_reader(works: Works, opened: Opened) -> layout.Read:
    def read() -> Iterator[bytes]:
        sealed = shelf.take(works, opened.kept.facts)
        for offset in range(0, sealed.length, PIECE):
            yield sealed.read(offset, min(PIECE, sealed.length - offset))

    return read


def _evidence_reader(works: Works, opened: Opened) -> layout.Read:
    def read() -> Iterator[bytes]:
        with works.open() as work:
            yield receiving.evidence_of(works, work, opened.kept, kind=Kind.RECEIPT)

    return read


class _Readers:
    """Opens envelopes one after the other: the documents of one follow each other, and share its manifest."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._last: tuple[UUID, EnvelopeReader] | None = None

    def of(self, kept: Kept) -> EnvelopeReader:
        if self._last is None or self._last[0] != kept.id:
            self._last = (kept.id, open_reader(self._works, kept.facts))
        return self._last[1]


def _document_reader(readers: _Readers, kept: Kept, path: str) -> layout.Read:
    return lambda: readers.of(kept).read(path)


def _opening_files(works: Works, work: Work, row: OpeningRow) -> Iterator[PlannedFile]:
    if not row.note:
        return  # never signed: nobody was ever asked
    folder = layout.opening_folder(row.id)
    yield PlannedFile.of(f"{folder}/opening.note", row.note)
    for one in of_opening(work, row.id):
        yield PlannedFile.of(f"{folder}/{_contribution_name(one)}", one.note)
    for name, note in (("release", row.release), ("keyed", row.keyed), ("minutes", row.minutes)):
        if note is not None:
            yield PlannedFile.of(f"{folder}/{name}.note", note)
    if row.minutes is not None:
        minutes = parse_note(row.minutes, Kind.MINUTES)
        yield from _print_files(works, work, minutes.id, f"{folder}/minutes")


def _contribution_name(row: ContributionRow) -> str:
    return f"{'refused' if row.reason else 'contribution'}-{layout.short(row.id)}.note"


def minuted(rows: Sequence[OpeningRow]) -> Iterator[tuple[OpeningRow, Statement]]:
    """Openings that ended in minutes, with these."""
    for row in rows:
        if row.minutes is not None:
            yield row, parse_note(row.minutes, Kind.MINUTES)


def closed_at(box: GatheredBox) -> datetime:
    """When a box's list was fixed."""
    return Closing.decode(box.closings[0].payload).at
