# SPDX-License-Identifier: EUPL-1.2
"""A vault that holds much already: rows and entries written straight into its tables, as many as are wanted.

Rules
  1. A filled row has the columns of a real one and random bytes where real ones hide their facts; its facts are shorter
     than real ones (`FACTS`), which leaves the indexes as they would be and a million rows within a minute.
  2. Filled entries have their places in the log, under a signed head, and the log's right edge lies in the store: the
     sequencer goes on behind them. The tiles within are left out, so nothing can be proved of them; it is a bench.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import psycopg

from bench.stage import Stage
from crypto.checkpoint import Checkpoint
from crypto.merkle import TILE_WIDTH, Tile, grow, root_from_tiles
from vault.errors import StoreConflict
from vault.sequencer import SEQUENCER_LOCK
from vault.store.locks import evidence_lock
from vault.store.names import checkpoint_name, tile_name
from vault.work import NAMED_LOCKS

FACTS = 1024  # bytes
ENVELOPES = """
INSERT INTO envelope (id, platform, bucket, state, facts)
SELECT gen_random_uuid(), 'default', %(bucket)s, 'sealed', %(facts)s || int8send(n) FROM generate_series(1, %(count)s) n
"""
ENTRIES = """
INSERT INTO journal (platform, bucket, leaf, state, facts, position)
SELECT 'default', %(bucket)s, '\\x01'::bytea || sha256(int8send(n)), 'entered', %(facts)s || int8send(n), n
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
LEAVES = "SELECT leaf FROM journal WHERE position < %(size)s ORDER BY position"
HEAD = "INSERT INTO checkpoint (size, root, note, is_published, at) VALUES (%(size)s, %(root)s, %(note)s, true, now())"


@dataclass(frozen=True)
class Fill:
    """How many envelopes and entries are added, in which week."""

    envelopes: int
    entries: int
    week: datetime
    facts: int = FACTS


def fill(stage: Stage, wanted: Fill) -> None:
    """Write the rows; what is there stays."""
    works = stage.works
    bucket = works.keys.bucket("default", wanted.week)
    address = stage.vault.owner_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(address) as line:
        line.execute("SET bidvault.putting_back = 'on'")  # nothing of it is copied to the store
        line.execute("SET statement_timeout = 0")
        line.execute("SELECT pg_advisory_xact_lock(%s, %s)", (NAMED_LOCKS, SEQUENCER_LOCK))
        line.execute(ENVELOPES, {"bucket": bucket, "facts": os.urandom(wanted.facts), "count": wanted.envelopes})
        first = _placed(line)
        size = first + wanted.entries + -(first + wanted.entries) % TILE_WIDTH
        facts = os.urandom(FACTS)
        line.execute(ENTRIES, {"bucket": bucket, "facts": facts, "first": first, "last": size - 1})
        line.execute(HEAD, _head(stage, line, size))
    with psycopg.connect(address, autocommit=True) as line:
        line.execute("VACUUM (ANALYZE) envelope")
        line.execute("VACUUM (ANALYZE) journal")


def _placed(line: psycopg.Connection) -> int:
    found = line.execute("SELECT coalesce(max(position) + 1, 0) FROM journal").fetchone()
    assert found is not None
    return int(found[0])


def _head(stage: Stage, line: psycopg.Connection, size: int) -> dict[str, int | bytes]:
    """The head over all entries; its tiles that are not full lie in the store afterwards: the sequencer reads them."""
    works = stage.works
    leaves = [
        leaf for (leaf,) in line.execute("SELECT leaf FROM journal WHERE position < %s ORDER BY position", (size,))
    ]
    nothing: dict[Tile, bytes] = {}
    tiles = grow(nothing.__getitem__, 0, leaves)
    root = root_from_tiles(tiles.__getitem__, size)
    until = evidence_lock(works.clock.now())
    for tile, hashes in tiles.items():
        if tile.width < TILE_WIDTH:
            with suppress(StoreConflict):  # one path is one tile
                works.store.put(tile_name(tile.path), hashes, lock_until=until)
    journal = works.service_keys.journal
    note = Checkpoint(journal.name, size, root).signed_by(journal)
    works.store.put(checkpoint_name(size), note, lock_until=until)
    return {"size": size, "root": root, "note": note}
