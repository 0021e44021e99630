# SPDX-License-Identifier: EUPL-1.2
"""The one sequencer: journal rows get their places, tiles and a signed head (protocol §5).

Rules
  1. One runs at a time (an advisory lock); rows get places in the order of their ids, among those it can see.
  2. Order of durable writes: places ◆, copy of the rows (vault.mirror), tiles, checkpoint object (locked, if absent),
     checkpoint row ◆, publication.
  3. Killed between any two, the next run finishes the same batch: places and dummies are rows, so tiles come out alike.
  4. Only growing sizes are signed, over tiles that still give the head signed before; a checkpoint or a copy of rows
     ahead of the database means that it was rolled back.
  5. Each publication is padded with dummies to a multiple of 64, so that its size tells little.

A tool: closing, opening and export publish before they rely on an entry; the worker publishes what is left.
"""

from dataclasses import dataclass
from functools import cache

from sqlalchemy import func
from sqlmodel import col, select

from crypto.checkpoint import Checkpoint, LogProof, read_checkpoint
from crypto.errors import CryptoError
from crypto.events import BATCH, dummy_leaf
from crypto.merkle import (
    TILE_WIDTH,
    ReadTile,
    Tile,
    entry_bundle,
    grow,
    inclusion_proof,
    leaf_hash,
    root_from_tiles,
)
from vault import mirror
from vault.errors import NotReady, ObjectMissing, RolledBack, StoreConflict
from vault.hidden import hide
from vault.journal import STATE, TABLE, next_seq
from vault.models import CheckpointRow, JournalRow
from vault.store.locks import evidence_lock
from vault.store.names import CHECKPOINTS, checkpoint_name, tile_name
from vault.work import Work, Works

SEQUENCER_LOCK = 1
LARGEST_BATCH = 16_384  # rows placed in one transaction
PLATFORM = "default"  # dummies belong to no one; they need a platform to look like the rest


@dataclass(frozen=True)
class Head:
    """The newest published head of the log."""

    size: int
    note: bytes


def publish(works: Works) -> Head | None:
    """Place all journal rows that are visible now, and sign the head that covers them.

    Returns:
        The newest head; None while the journal is empty.

    Raises:
        RolledBack: the store holds a head that this database does not know.
        StoreUnavailable: tiles could not be written; the next run goes on.
    """
    with works.open() as guard:
        guard.lock_named(SEQUENCER_LOCK)
        while True:
            head = latest(guard)
            end = _place(works, head.size if head else 0)
            mirror.write(works)
            if end == (head.size if head else 0):
                return head
            _sign(works, head=head, end=end)
            guard.session.expire_all()


def latest(work: Work) -> Head | None:
    """The newest published head."""
    newest = select(CheckpointRow).where(CheckpointRow.is_published).order_by(col(CheckpointRow.size).desc()).limit(1)
    row = work.session.exec(newest).first()
    return Head(row.size, row.note) if row else None


def has_unplaced(work: Work) -> bool:
    """Whether entries wait for their place."""
    waiting = select(JournalRow.seq).where(col(JournalRow.position).is_(None)).limit(1)
    return work.session.exec(waiting).first() is not None


def prove(works: Works, position: int, *, head: Head) -> LogProof:
    """The proof that the entry at a place stands under a head.

    Raises:
        NotReady: the head does not cover it yet.
    """
    if position >= head.size:
        raise NotReady("the journal's next publication")
    hashes = inclusion_proof(stored_tiles(works), index=position, size=head.size)
    return LogProof(position, tuple(hashes), head.note)


def require_not_rolled_back(works: Works) -> None:
    """Compare the newest checkpoint object with the database; run at every start.

    Raises:
        RolledBack: the store is ahead: the database was restored from an older copy.
    """
    with works.open() as work:
        head = latest(work)
    known = head.size if head else 0
    sizes = (int(version.key.removeprefix(CHECKPOINTS)) for version in works.store.list_versions(CHECKPOINTS))
    newest = max(sizes, default=0)
    with works.open() as work:
        placed = _placed(work)
    if newest > max(known, placed):
        raise RolledBack(
            f"the store holds a journal head of {newest} entries, the database knows {known}: it was restored from "
            "an older copy. Run `bidvault recover`, or restore the newer database."
        )
    mirror.require_not_behind(works)


def _placed(work: Work) -> int:
    highest = work.session.exec(select(func.max(JournalRow.position))).one()
    return 0 if highest is None else int(highest) + 1


def _place(works: Works, published: int) -> int:
    """◆ Give places to unplaced rows, unless an earlier batch is unfinished; returns the end of the placed log."""
    with works.open() as work:
        end = _placed(work)
        if end > published:
            return end
        unplaced = select(JournalRow).where(col(JournalRow.position).is_(None)).order_by(col(JournalRow.seq))
        rows = list(work.session.exec(unplaced.limit(LARGEST_BATCH)))
        if not rows:
            return end
        for position, row in enumerate(rows, start=end):
            row.position = position
        end += len(rows)
        for position in range(end, end + -end % BATCH):
            work.session.add(_dummy(works, work, position))
        return end + -end % BATCH


def _dummy(works: Works, work: Work, position: int) -> JournalRow:
    """A row that looks like any other and tells nothing."""
    seq = next_seq(work)
    key = works.keys.platform_facts(PLATFORM)
    return JournalRow(
        seq=seq,
        platform=PLATFORM,
        bucket=b"",
        leaf=dummy_leaf(),
        facts=hide(key, b"", table=TABLE, row_id=seq, state=STATE),
        position=position,
    )


def _sign(works: Works, *, head: Head | None, end: int) -> None:
    """Write the tiles of a placed batch, its checkpoint object, then ◆ its row."""
    start = head.size if head else 0
    leaves = _leaves(works, start - start % 256, end)
    read = cache(stored_tiles(works))
    if head is not None:
        _require_unchanged(works, read, head, leaves[: start % 256])
    grown = grow(read, start, leaves[start % 256 :])
    lock_until = evidence_lock(works.clock.now())
    for tile, hashes in grown.items():
        _put(works, tile_name(tile.path), hashes)
        if tile.level == 0:
            first = tile.index * 256 - (start - start % 256)
            _put(works, tile_name(tile.entries_path), entry_bundle(leaves[first : first + tile.width]))
    root = root_from_tiles(_tiles(works, grown), end)
    note = Checkpoint(works.service_keys.journal.name, end, root).signed_by(works.service_keys.journal)
    try:
        works.store.put(checkpoint_name(end), note, lock_until=lock_until)
    except StoreConflict as error:
        if read_object(works, checkpoint_name(end)) != note:
            raise RolledBack(f"another head of {end} entries is already signed. Run `bidvault recover`.") from error
    works.store.durable()
    with works.open() as work:
        work.session.add(CheckpointRow(size=end, root=root, note=note, is_published=True, at=work.now))


def _require_unchanged(works: Works, read: ReadTile, head: Head, last: list[bytes]) -> None:
    """Refuse to grow a log whose tiles or last leaves are not those of the head that was signed: a tile that rotted, or
    one that the store never kept, would be signed over, and every proof given before would fail.
    """
    try:
        signed = read_checkpoint(head.note, journal=works.service_keys.journal.verifier)
        is_same = root_from_tiles(read, head.size) == signed.root
        if last:
            edge = read(Tile(0, head.size // TILE_WIDTH, len(last)))
            is_same = is_same and edge == b"".join(map(leaf_hash, last))
    except (CryptoError, ObjectMissing):
        is_same = False
    if not is_same:
        raise RolledBack(
            f"tiles or entries of the journal are not those of the signed head of {head.size} entries. Restore them "
            "from a copy, or run `bidvault recover`."
        )


def _leaves(works: Works, start: int, end: int) -> list[bytes]:
    with works.open() as work:
        placed = select(JournalRow.leaf).where(col(JournalRow.position) >= start, col(JournalRow.position) < end)
        return list(work.session.exec(placed.order_by(col(JournalRow.position))))


def _put(works: Works, name: str, data: bytes) -> None:
    """Write a tile; the same tile left by a killed run is as good."""
    try:
        works.store.put(name, data, lock_until=evidence_lock(works.clock.now()))
    except StoreConflict as error:
        if read_object(works, name) != data:
            raise RolledBack(f"another journal tile lies at {name}. Run `bidvault recover`.") from error


def read_object(works: Works, name: str) -> bytes:
    """A tile, bundle or head as stored; ObjectMissing."""
    facts = works.store.latest(name)
    return works.store.get_range(name, facts.version_id, offset=0, size=facts.size)


def stored_tiles(works: Works) -> ReadTile:
    """Reads the log's tiles from the store."""
    return lambda tile: read_object(works, tile_name(tile.path))


def _tiles(works: Works, grown: dict[Tile, bytes]) -> ReadTile:
    stored = stored_tiles(works)
    return lambda tile: grown[tile] if tile in grown else stored(tile)


def read_tile_object(works: Works, path: str) -> bytes:
    """A tile or bundle as stored, for auditors."""
    return read_object(works, tile_name(path))
