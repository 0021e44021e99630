# SPDX-License-Identifier: EUPL-1.2
"""The log goes on where the store says that it stands: no second history, no entry in two places (LOG-03).

Rules
  1. The newest head in the store, signed by the journal's key, decides; tiles that give its root decide each leaf.
  2. An entry that a row holds gets its place by its leaf. One that a shown statement tells is written again from it.
  3. An entry that nobody can tell any more keeps its leaf and its place, and is named: the tree stays what was signed.

Left to others: entries behind the newest head, which the sequencer places as always.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlmodel import col, select

from crypto.checkpoint import Checkpoint, read_checkpoint
from crypto.errors import CryptoError
from crypto.events import Event, leaf_data
from crypto.merkle import TILE_WIDTH, Tile, leaf_hash, root_from_tiles, split_bundle
from vault import journal, sequencer
from vault.errors import CannotRecover, ObjectMissing
from vault.hidden import hide
from vault.journal import Place
from vault.keys import EVERYBODY
from vault.models import CheckpointRow, JournalRow
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.recovery.rows import Progress, advance_counters
from vault.store.names import CHECKPOINTS, checkpoint_name, tile_name
from vault.work import Work, Works


@dataclass(frozen=True)
class ToldEntry:
    """An entry as a statement's holder shows it: it opens its leaf, and says where it belongs."""

    event: Event
    salt: bytes = field(repr=False)
    place: Place

    @property
    def leaf(self) -> bytes:
        """The entry's leaf."""
        return leaf_data(self.event, self.salt)


Told = Mapping[bytes, ToldEntry]  # by leaf


def continue_log(works: Works, found: Findings, *, told: Told, progress: Progress) -> None:
    """Give the log's entries their places, and adopt the heads that were signed.

    Raises:
        CannotRecover: a head was not signed by this vault, or neither tiles nor rows tell what it stands over.
    """
    with works.open() as work:
        head = sequencer.latest(work)
    start = head.size if head else 0
    sizes = sorted({int(one.key.removeprefix(CHECKPOINTS)) for one in works.store.list_versions(CHECKPOINTS)})
    newer = [size for size in sizes if size > start]
    if not newer:
        return
    heads = [(size, *_head(works, size)) for size in newer]
    _place_all(works, found, start=start, newest=heads[-1][1], told=told, progress=progress)
    with works.open() as work:
        advance_counters(work)
        for size, checkpoint, note in heads:
            work.session.add(CheckpointRow(size=size, root=checkpoint.root, note=note, is_published=True, at=work.now))
    found.did(Done.HEADS, len(heads))


def _head(works: Works, size: int) -> tuple[Checkpoint, bytes]:
    note = sequencer.read_object(works, checkpoint_name(size))
    try:
        checkpoint = read_checkpoint(note, journal=works.service_keys.journal.verifier)
    except CryptoError as error:
        raise CannotRecover(f"the head of {size} entries in the store is not this journal's: {error}") from error
    if checkpoint.size != size:
        raise CannotRecover(f"the head of {size} entries in the store says {checkpoint.size}")
    return checkpoint, note


def _place_all(
    works: Works, found: Findings, *, start: int, newest: Checkpoint, told: Told, progress: Progress
) -> None:
    for first, leaves in _leaves(works, start, newest):
        progress("entries", first, newest.size)
        with works.open() as work:
            _place(works, work, found, first=first, leaves=leaves, told=told)
    with works.open() as work:
        count = text("SELECT count(*) FROM journal WHERE position < :size")
        if work.session.execute(count, {"size": newest.size}).scalar_one() != newest.size:
            raise CannotRecover(f"neither tiles nor rows tell all of the {newest.size} entries that were signed")


def _leaves(works: Works, start: int, newest: Checkpoint) -> Iterator[tuple[int, list[bytes]]]:
    """The log's leaves from the tile of `start` on, proved by its hashes; damaged tiles are left out."""
    stored = sequencer.stored_tiles(works)
    try:
        is_whole = root_from_tiles(stored, newest.size) == newest.root
    except (CryptoError, ObjectMissing):
        is_whole = False
    if not is_whole:
        return  # what the rows hold must do; `_place_all` counts
    for first in range(start - start % TILE_WIDTH, newest.size, TILE_WIDTH):
        tile = Tile(0, first // TILE_WIDTH, min(TILE_WIDTH, newest.size - first))
        try:
            leaves = split_bundle(sequencer.read_object(works, tile_name(tile.entries_path)))
            if b"".join(map(leaf_hash, leaves)) == stored(tile):
                yield first, leaves
        except (CryptoError, ObjectMissing):
            continue


def _place(works: Works, work: Work, found: Findings, *, first: int, leaves: list[bytes], told: Told) -> None:
    placed = select(JournalRow).where(col(JournalRow.position) >= first, col(JournalRow.position) < first + len(leaves))
    at = {row.position: row for row in work.session.exec(placed)}
    by_leaf = {row.leaf: row for row in work.session.exec(select(JournalRow).where(col(JournalRow.leaf).in_(leaves)))}
    before = _seq_before(work, first)
    for position, leaf in enumerate(leaves, start=first):
        row = at.get(position) or by_leaf.get(leaf)
        if row is None:
            row = _written_again(works, work, leaf, told=told, after=before)
            if leaf not in told:
                found.name(Loss(Lost.ENTRY, str(position)))
        if row.leaf != leaf or row.position not in {None, position}:
            raise CannotRecover(f"entry {position} of the log is another one in the database: two histories")
        if row.position is None:
            row.position = position
            found.did(Done.PLACES)
            work.session.flush()
        before = row.seq or before


def _seq_before(work: Work, position: int) -> int:
    row = select(JournalRow.seq).where(col(JournalRow.position) == position - 1)
    return work.session.exec(row).first() or 0


def _written_again(works: Works, work: Work, leaf: bytes, *, told: Told, after: int) -> JournalRow:
    """A row for an entry that has none: from a shown statement, or with its leaf alone."""
    seq = _free_seq(work, after)
    entry = told.get(leaf)
    if entry is not None:
        row = journal.row_of(works, seq, entry.event, entry.salt, place=entry.place)
    else:
        key = works.keys.platform_facts(EVERYBODY)
        row = JournalRow(
            seq=seq,
            platform=EVERYBODY,
            bucket=b"",
            leaf=leaf,
            facts=hide(key, b"", table=journal.TABLE, row_id=seq, state=journal.STATE),
        )
    work.session.add(row)
    return row


def _free_seq(work: Work, after: int) -> int:
    """A number between those of its neighbours in the log, where one is free: order by number is order of events."""
    free = text("""
        SELECT n FROM generate_series(:after + 1, :after + 64) AS n
        WHERE n < coalesce((SELECT min(seq) FROM journal WHERE seq > :after AND position IS NOT NULL), :after + 65)
          AND NOT EXISTS (SELECT FROM journal WHERE seq = n) ORDER BY n LIMIT 1
    """)
    found = work.session.execute(free, {"after": after}).scalar_one_or_none()
    return int(found) if found is not None else journal.next_seq(work)
