# SPDX-License-Identifier: EUPL-1.2
"""What a deposit costs where little is there already, and where a million envelopes are.

Rules
  1. Two vaults take turns, each with its own database, store and processes; the one that waits does nothing.
"""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from math import ceil, log2

from bench import small
from bench.client import write_document
from bench.filling import Fill, fill
from bench.measures import Measure, alone, less_is_better
from bench.stage import staged
from crypto.merkle import ReadTile, Tile, grow, inclusion_proof

FEW, MANY = 1024, 1024 * 1024
GOAL = round(1 / 1.1, 3)  # at most 1.1 to 1
SIZES = (1_000, 10_000, 100_000, 1_000_000)
PROOFS = 200


def measure(*, deposits: int, turns: int) -> list[Measure]:
    """The rate beside that of the emptier vault, and one deposit's time."""
    each = max(deposits // (small.CLIENTS * turns), 1)
    week = datetime.now(UTC) + timedelta(days=1)
    with ExitStack() as stack:
        vaults = []
        for count in (MANY, FEW):
            stage = stack.enter_context(staged())
            fill(stage, Fill(envelopes=count, entries=count, week=week))
            source = write_document(stage.home / "small.bin", small.SIZE)
            vaults.append(partial(small.deposit_some, stage, source, stage.vault.url))
        taken = small.take_turns(vaults[0], vaults[1], each=each, turns=turns)
    name = f"deposits of 10 KB, {small.CLIENTS} clients, with {MANY:,} envelopes and entries there".replace(",", " ")
    return [taken.row(name, f"with {FEW}", GOAL), *taken.waiting("one where a million are")]


def proofs() -> list[Measure]:
    """Proofs of inclusion in logs of four sizes, their tiles in memory."""
    rows: list[Measure] = []
    steps, seconds = {}, {}
    for size in SIZES:
        tiles = _tiles(size)
        began = time.perf_counter()
        longest = [_proof(tiles, size=size, index=index * (size // PROOFS)) for index in range(PROOFS)]
        seconds[size], steps[size] = (time.perf_counter() - began) / PROOFS, max(longest)
        rows.append(alone(f"milliseconds of one proof of inclusion at {size} entries", seconds[size] * 1000, "ms"))
    largest = SIZES[-1]
    name, limit = f"hashes in a proof of inclusion at {largest} entries", float(ceil(log2(largest)))
    rows.append(less_is_better(name, float(steps[largest]), "hashes", peer=("its logarithm", limit), goal=1.0))
    return rows


def _proof(tiles: dict[Tile, bytes], *, size: int, index: int) -> int:
    return len(inclusion_proof(_reading(tiles), index=index, size=size))


def _reading(tiles: dict[Tile, bytes]) -> ReadTile:
    return tiles.__getitem__


def _tiles(size: int) -> dict[Tile, bytes]:
    """All tiles of a log of that size: what the sequencer leaves in the store."""
    leaves = [b"\1" + sha256(number.to_bytes(8, "big")).digest() for number in range(size)]
    nothing: dict[Tile, bytes] = {}
    return grow(_reading(nothing), 0, leaves)
