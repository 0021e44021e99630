# SPDX-License-Identifier: EUPL-1.2
"""A procedure's entries out of the journal, each with the proof that it stands under one signed head.

Rules
  1. The head is the first one after the procedure's last act; later heads change nothing, so a package stays the same.
  2. Exports, readings and tokens are no acts of the procedure: they are left out. Refused accesses are no acts of it
     either, whoever knocks changes no package; those before its last act are told.

Left to others: heads and tiles (vault.sequencer), checking (retention.verification.journal).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlmodel import col, select

from crypto.checkpoint import LogProof
from crypto.encoding import sha256
from crypto.events import Event, EventKind
from crypto.merkle import Tile, inclusion_proof
from crypto.statement import to_base64
from retention.package import ExtractEntry, JournalExtract, instant
from vault import journal, sequencer
from vault.errors import NotReady
from vault.models import CheckpointRow, JournalRow
from vault.work import Work, Works

LEFT_OUT = frozenset({EventKind.PACKAGE_EXPORTED, EventKind.DOCUMENT_READ, EventKind.TOKEN_ISSUED})


@dataclass(frozen=True)
class Taken:
    """One entry as it is stored."""

    seq: int
    position: int | None
    event: Event
    salt: bytes


@dataclass(frozen=True)
class Extract:
    """What a package says of the journal.

    Attributes:
        as_of: when the procedure's last act was.
        checkpoint: the signed head.
        entries: the document that goes into the package.
        proofs: proof files by H(event bytes ‖ salt): one for each entry.
    """

    as_of: datetime
    checkpoint: bytes
    entries: JournalExtract
    proofs: Mapping[bytes, LogProof] = field(repr=False)


def take(works: Works, work: Work, procedure: UUID) -> list[Taken]:
    """The acts of a procedure in the order of the journal, and what was refused up to the last of them."""
    rows = select(JournalRow).where(JournalRow.procedure_id == procedure).order_by(col(JournalRow.seq))
    taken = []
    for row in work.session.exec(rows):
        facts = journal.read(works, row, procedure=procedure)
        event = Event.decode(facts.event)
        if event.kind not in LEFT_OUT:
            taken.append(Taken(row.seq or 0, row.position, event, facts.salt))
    while taken and taken[-1].event.kind is EventKind.ACCESS_REFUSED:
        taken.pop()
    return taken


def extract(works: Works, work: Work, procedure: UUID) -> Extract:
    """The entries of a procedure with proofs; the journal must have been published since its last act.

    Raises:
        NotReady: a head that covers its last act is not there yet.
    """
    acts = take(works, work, procedure)
    positions = [one.position for one in acts if one.position is not None]
    if not acts or len(positions) != len(acts):
        raise NotReady("the journal's next publication")
    head = _first_after(work, max(positions))

    @cache
    def read_tile(tile: Tile) -> bytes:
        return sequencer.read_tile_object(works, tile.path)

    entries, proofs = [], {}
    ordered = sorted(zip(acts, positions, strict=True), key=lambda pair: pair[1])
    for act, position in ordered:
        hashes = inclusion_proof(read_tile, index=position, size=head.size)
        proofs[entry_key(act.event, act.salt)] = LogProof(position, tuple(hashes), head.note)
        entries.append(_entry(act, position, hashes))
    return Extract(ordered[-1][0].event.at, head.note, JournalExtract(entries=tuple(entries)), proofs)


def entry_key(event: Event, salt: bytes) -> bytes:
    """Names an entry by what opens its leaf."""
    return sha256(event.encode(), salt)


def _first_after(work: Work, position: int) -> sequencer.Head:
    heads = select(CheckpointRow).where(CheckpointRow.is_published, CheckpointRow.size > position)
    row = work.session.exec(heads.order_by(col(CheckpointRow.size)).limit(1)).first()
    if row is None:
        raise NotReady("the journal's next publication")
    return sequencer.Head(row.size, row.note)


def _entry(act: Taken, position: int, hashes: list[bytes]) -> ExtractEntry:
    return ExtractEntry(
        position=position,
        kind=act.event.kind.value,
        at=instant(act.event.at),
        event=to_base64(act.event.encode()),
        salt=to_base64(act.salt),
        proof=tuple(to_base64(one) for one in hashes),
    )
