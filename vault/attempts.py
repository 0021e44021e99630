# SPDX-License-Identifier: EUPL-1.2
"""Attempts: every deposit that began has a row and an entry, whatever came of it (D2, LOG-02, LATE-03).

Rules
  1. An attempt is written before the first byte of the bid is read, and stays as evidence.
  2. It ends once: done with its envelope, or failed with the code of the refusal.
  3. What is refused on the announcement alone is an attempt too, failed at once.
  4. An entry is hidden exactly while its box is not closed: an upload may take longer than the box stays open, so the
     box's state is read anew, under its lock, whenever an entry is made.

Left to others: the bytes (vault.deposit), attempts that nobody works on any more (vault.sweep).
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import update
from sqlmodel import col, select

from crypto.encoding import sha256, to_millis
from crypto.events import EventKind
from vault import journal
from vault.envelopes import Addressed, weeks
from vault.hidden import NotThisRow, hide, reveal
from vault.models import Attempt, AttemptState, BoxRow
from vault.rows import AttemptFacts
from vault.work import Work, Works

TABLE = "attempt"
NO_OBJECT = UUID(int=0)
FOUND = b"found"  # the object was there, and no row told of it
LONGEST_BIDDER = 200  # characters kept of a bidder that was refused; a good one has no more bytes


@dataclass(frozen=True)
class Begun:
    """An attempt's id and what it is about."""

    id: UUID
    facts: AttemptFacts

    @property
    def subject(self) -> bytes:
        """What its journal entries are about."""
        return sha256(self.id.bytes)


@dataclass(frozen=True)
class Target:
    """What an attempt is about: an envelope's id, its depositor's bidder, the bytes announced, the object to be."""

    envelope_id: UUID
    bidder: str
    announced: int
    object_id: UUID = NO_OBJECT


def begin(works: Works, work: Work, box: Addressed, *, target: Target) -> Begun:
    """Write an open attempt and its entry `deposit.started`; its time is t_first."""
    begun = _new(work.now, box, target)
    _add(works, work, begun, box=box, state=AttemptState.OPEN)
    _tell(works, work, begun, box=box, kind=EventKind.DEPOSIT_STARTED)
    return begun


def refuse_at_once(works: Works, work: Work, box: Addressed, *, target: Target, code: str) -> None:
    """Write an attempt that failed on its announcement, and its entry `deposit.refused`."""
    begun = _new(work.now, box, target)
    begun = replace(begun, facts=replace(begun.facts, outcome=code))
    _add(works, work, begun, box=box, state=AttemptState.FAILED)
    _tell(works, work, begun, box=box, kind=EventKind.DEPOSIT_REFUSED, data=code.encode())


def note(works: Works, work: Work, box: Addressed, *, target: Target) -> Begun:
    """Write the attempt of an object that was found without one: its own row was lost (vault.recovery)."""
    begun = _new(work.now, box, target)
    _add(works, work, begun, box=box, state=AttemptState.OPEN)
    _tell(works, work, begun, box=box, kind=EventKind.DEPOSIT_STARTED, data=FOUND)
    return begun


def claim(works: Works, work: Work, box: Addressed, *, target: Target) -> None:
    """End the attempt of an object whose holder has shown its receipt; it is noted where its row was lost."""
    begun = next((one for one in of_envelope(works, work, box, target.envelope_id) if _is_of(one, target)), None)
    begun = begun or note(works, work, box, target=target)
    work.session.flush()
    row = work.session.get_one(Attempt, begun.id, with_for_update=True)
    row.state = AttemptState.DONE
    row.facts = _hidden(works, begun.id, replace(begun.facts, outcome=""), row.state)


def of_envelope(works: Works, work: Work, box: Addressed, envelope_id: UUID) -> list[Begun]:
    """The attempts for one envelope that were given an object, newest first."""
    buckets = weeks(works, work, box)
    rows = work.session.exec(select(Attempt).where(Attempt.platform == box.platform, col(Attempt.bucket).in_(buckets)))
    found = []
    for row in rows:
        with suppress(NotThisRow):
            found.append(Begun(row.id, read(works, row, procedure=box.procedure)))
    wanted = [one for one in found if one.facts.envelope_id == envelope_id and one.facts.object_id != NO_OBJECT]
    return sorted(wanted, key=lambda one: one.facts.t_first, reverse=True)


def _is_of(begun: Begun, target: Target) -> bool:
    return begun.facts.object_id == target.object_id


def refuse(works: Works, work: Work, begun: Begun, *, box: Addressed, code: str) -> None:
    """End an attempt as refused, with its entry `deposit.refused`."""
    if end(works, work, begun, state=AttemptState.FAILED, outcome=code):
        _tell(works, work, begun, box=box, kind=EventKind.DEPOSIT_REFUSED, data=code.encode())


def end(works: Works, work: Work, begun: Begun, *, state: AttemptState, outcome: str = "") -> bool:
    """End an attempt; tells whether it was open still."""
    facts = _hidden(works, begun.id, replace(begun.facts, outcome=outcome), state)
    is_open = (col(Attempt.id) == begun.id, col(Attempt.state) == AttemptState.OPEN)
    ended = update(Attempt).where(*is_open).values(state=state, facts=facts).returning(col(Attempt.id))
    told = work.session.execute(ended, execution_options={"synchronize_session": False})
    return told.first() is not None


def read(works: Works, row: Attempt, *, procedure: UUID) -> AttemptFacts:
    """Open an attempt's facts; NotThisRow when it is another procedure's."""
    key = works.keys.facts(procedure)
    return AttemptFacts.decode(reveal(key, row.facts, table=TABLE, row_id=row.id, state=row.state.value))


def _new(now: datetime, box: Addressed, target: Target) -> Begun:
    facts = AttemptFacts(
        procedure=box.procedure,
        box=box.box.number,
        envelope_id=target.envelope_id,
        object_id=target.object_id,
        bidder=target.bidder[:LONGEST_BIDDER],
        t_first=to_millis(now),
        announced=max(target.announced, 0),
    )
    return Begun(uuid4(), facts)


def _add(works: Works, work: Work, begun: Begun, *, box: Addressed, state: AttemptState) -> None:
    work.session.add(
        Attempt(
            id=begun.id,
            platform=box.platform,
            bucket=box.bucket(works),
            state=state,
            facts=_hidden(works, begun.id, begun.facts, state),
        )
    )


def _tell(works: Works, work: Work, begun: Begun, *, box: Addressed, kind: EventKind, data: bytes = b"") -> None:
    work.lock_box(box.box_id)
    row = work.session.get_one(BoxRow, box.box_id, populate_existing=True)
    place = replace(box, state=row.state).place(works)
    told = journal.event(kind, at=work.now, place=place, subject=begun.subject, data=data)
    journal.append(works, work, told, place=place)


def _hidden(works: Works, attempt_id: UUID, facts: AttemptFacts, state: AttemptState) -> bytes:
    return hide(works.keys.facts(facts.procedure), facts.encode(), table=TABLE, row_id=attempt_id, state=state.value)
