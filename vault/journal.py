# SPDX-License-Identifier: EUPL-1.2
"""The journal: every fact has its entry, written in the fact's own transaction (protocol 3.9).

Rules
  1. An entry is appended in the Work of the fact it tells: if it cannot be written, the act does not happen.
  2. Its leaf is a salted digest: who has the log without the salts learns nothing.
  3. Entries of deposits are hidden until their box is closed; entries of public acts name their procedure at once.
  4. An entry's row id is drawn after the box's lock (vault.work, rule 4); its place in the log comes later.

Left to others: places in the log, tiles, checkpoints (vault.sequencer).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select

from crypto.encoding import sha256
from crypto.errors import CryptoError
from crypto.events import SALT_SIZE, Event, EventKind, leaf_data
from vault.hidden import NotThisRow, hide, reveal
from vault.models import JournalRow
from vault.rows import JournalFacts
from vault.work import Work, Works

TABLE = "journal"
STATE = "entered"
PASSING = 1000  # rows held at once while a week is looked through
NO_PROCEDURE = UUID(int=0)


@dataclass(frozen=True)
class Place:
    """Where an entry belongs: the platform, the procedure and box if any, and the week bucket while it is hidden.

    An empty bucket makes the entry public: its row names the procedure.
    """

    platform: str
    procedure: UUID = NO_PROCEDURE
    box: int = 0
    bucket: bytes = b""


@dataclass(frozen=True)
class Entry:
    """An appended entry: its row, and what opens its leaf."""

    seq: int
    salt: bytes
    event: Event


def append(works: Works, work: Work, event: Event, *, place: Place, salt: bytes = b"") -> Entry:
    """Append one entry in the caller's transaction.

    Args:
        salt: of an entry that was told before and is not in the log (vault.recovery); else it is drawn.
    """
    seq = next_seq(work)
    salt = salt or os.urandom(SALT_SIZE)
    work.session.add(row_of(works, seq, event, salt, place=place))
    return Entry(seq, salt, event)


def row_of(works: Works, seq: int, event: Event, salt: bytes, *, place: Place) -> JournalRow:
    """The row of an entry under its number."""
    facts = JournalFacts(salt, event.encode(), place.box).encode()
    is_public = not place.bucket and place.procedure != NO_PROCEDURE
    return JournalRow(
        seq=seq,
        platform=place.platform,
        bucket=place.bucket,
        leaf=leaf_data(event, salt),
        facts=hide(_key(works, place), facts, table=TABLE, row_id=seq, state=STATE),
        procedure_id=place.procedure if is_public else None,
    )


def next_seq(work: Work) -> int:
    """Draw the next row id: the blob is bound to it, so it is known before the row is written."""
    drawn = work.session.execute(text("SELECT nextval(pg_get_serial_sequence('journal', 'seq'))")).scalar_one()
    return int(drawn)


def event(kind: EventKind, *, at: datetime, place: Place, subject: bytes, data: bytes = b"") -> Event:
    """The event of protocol 3.9 at a place."""
    return Event(kind=kind, at=at, procedure=place.procedure.bytes, subject=subject, data=data or None)


def read(works: Works, row: JournalRow, *, procedure: UUID) -> JournalFacts:
    """Open an entry's row with its procedure's key.

    Raises:
        NotThisRow: it is another procedure's.
    """
    if row.seq is None:
        raise NotThisRow
    key = works.keys.facts(procedure)
    return JournalFacts.decode(reveal(key, row.facts, table=TABLE, row_id=row.seq, state=STATE))


def refuse_by_gate(works: Works, error: CryptoError, *, place: Place, subject: bytes = b"") -> None:
    """Journal a refusal of the gate, in a transaction of its own: nothing else was written (protocol §6)."""
    with works.open() as work:
        about = subject or sha256(error.code.encode())
        refused = event(EventKind.GATE_REFUSED, at=work.now, place=place, subject=about, data=error.code.encode())
        append(works, work, refused, place=place)


def of_box(works: Works, work: Work, *, place: Place, buckets: frozenset[bytes]) -> Iterator[Event]:
    """The hidden events of one box, in no order."""
    for _seq, facts in _hidden_of(works, work, place=place, buckets=buckets):
        if facts.box == place.box:
            yield Event.decode(facts.event)


def show_box(works: Works, work: Work, *, place: Place, buckets: frozenset[bytes]) -> None:
    """Name the procedure on the entries of a box that is now closed: its deposits are no secret any more."""
    found = _hidden_of(works, work, place=place, buckets=buckets)
    mine = [seq for seq, facts in found if facts.box == place.box]
    for some in (mine[at : at + PASSING] for at in range(0, len(mine), PASSING)):
        shown = update(JournalRow).where(col(JournalRow.seq).in_(some)).values(procedure_id=place.procedure)
        work.session.execute(shown, execution_options={"synchronize_session": False})


def _hidden_of(
    works: Works, work: Work, *, place: Place, buckets: frozenset[bytes]
) -> Iterator[tuple[int, JournalFacts]]:
    """Others' rows pass as they come and are not kept: a week of many boxes costs time, not memory."""
    hidden = select(JournalRow.seq, JournalRow.facts).where(
        JournalRow.platform == place.platform,
        col(JournalRow.bucket).in_(buckets),
        col(JournalRow.procedure_id).is_(None),
    )
    key = works.keys.facts(place.procedure)
    for seq, facts in work.session.exec(hidden, execution_options={"yield_per": PASSING}):
        if seq is None:
            continue
        try:
            yield seq, JournalFacts.decode(reveal(key, facts, table=TABLE, row_id=seq, state=STATE))
        except NotThisRow:
            continue


def _key(works: Works, place: Place) -> bytes:
    if place.procedure == NO_PROCEDURE:
        return works.keys.platform_facts(place.platform)
    return works.keys.facts(place.procedure)
