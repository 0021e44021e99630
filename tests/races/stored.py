# SPDX-License-Identifier: EUPL-1.2
"""What a race left behind, read from what is stored: a box's envelopes, its list, and where the journal has them.

Left to others: everything else that must agree (tests.checks).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from crypto.closings import EnvelopeList
from crypto.deposit import DepositRecord, Verdict
from crypto.events import Event, EventKind
from tests.world.world import PLATFORM, World
from vault import envelopes, journal
from vault.envelopes import Kept
from vault.hidden import NotThisRow
from vault.lifecycle import EnvelopeState
from vault.models import BoxRow, ClosingRow, Envelope, JournalRow

STANDS = (EnvelopeState.LISTED, EnvelopeState.SUPERSEDED)


@dataclass(frozen=True)
class Told:
    """One entry of the journal, and its two places in order: its row's id and its index in the log."""

    event: Event
    seq: int
    position: int | None


@dataclass(frozen=True)
class StoredProcedure:
    """All that is stored of a procedure's boxes."""

    envelopes: tuple[Kept, ...]
    lists: dict[int, tuple[UUID, ...]]
    closings: dict[int, bytes]
    told: tuple[Told, ...]

    def of_box(self, number: int) -> list[Kept]:
        """A box's envelopes."""
        return [kept for kept in self.envelopes if kept.facts.box == number]

    def entries(self, kind: EventKind, subject: bytes) -> list[Told]:
        """The journal's entries of a kind about something."""
        return [one for one in self.told if one.event.kind is kind and one.event.subject == subject]

    def disagreements(self, number: int, *, but: UUID | None = None) -> list[str]:
        """Where verdict, list, and the order of the journal's rows and indexes say different things of one envelope.

        An envelope is in time, listed (or superseded by one that is) and sealed before the closing; or none of it. One
        that was withdrawn (`but`) is none of it either way.
        """
        [closing] = self.entries(EventKind.BOX_CLOSED, self.closings[number])
        found = []
        for kept in (one for one in self.of_box(number) if one.id != but):
            imprint = DepositRecord.decode(kept.facts.record).imprint
            [sealed] = self.entries(EventKind.ENVELOPE_SEALED, imprint)
            says = {
                "verdict": kept.facts.verdict == Verdict.IN_TIME,
                "list": kept.state in STANDS,
                "row": sealed.seq < closing.seq,
                "index": (sealed.position or 0) < (closing.position or 0),
            }
            is_listed = kept.id in self.lists[number]
            if len(set(says.values())) > 1 or is_listed != (kept.state is EnvelopeState.LISTED):
                found.append(f"{kept.id}: {says}, {kept.state}, listed: {is_listed}")
        return found


def read_procedure(world: World, procedure: UUID) -> StoredProcedure:
    """Read everything of one procedure, with its keys."""
    works = world.works
    with works.open() as work:
        boxes = {
            row.id: row.number for row in work.session.exec(select(BoxRow).where(BoxRow.procedure_id == procedure))
        }
        mains = select(ClosingRow).where(col(ClosingRow.box_id).in_(boxes), col(ClosingRow.decision_id).is_(None))
        closings = {boxes[row.box_id]: row for row in work.session.exec(mains)}
        weeks = {row.bucket for row in work.session.exec(select(Envelope))}
        kept = tuple(envelopes.in_week(works, work, procedure=procedure, platform=PLATFORM, buckets=weeks))
        told = tuple(_told(world, procedure, list(work.session.exec(select(JournalRow)))))
    return StoredProcedure(
        envelopes=kept,
        lists={number: _list(row) for number, row in closings.items()},
        closings={number: row.id for number, row in closings.items()},
        told=told,
    )


def _list(row: ClosingRow) -> tuple[UUID, ...]:
    return tuple(UUID(bytes=entry.envelope_id) for entry in EnvelopeList.decode(row.list).entries)


def _told(world: World, procedure: UUID, rows: list[JournalRow]) -> list[Told]:
    found = []
    for row in rows:
        try:
            facts = journal.read(world.works, row, procedure=procedure)
        except NotThisRow:
            continue
        assert row.seq is not None
        found.append(Told(Event.decode(facts.event), row.seq, row.position))
    return found
