# SPDX-License-Identifier: EUPL-1.2
"""What the flush costs that the embedded store lacks, beside the same without it; and what power cuts have shown.

Rules
  1. Each turn writes what a 10 KB deposit writes before it may be acknowledged: a wrapped key, a locked object; with
     the flush it then waits for the disk, without it takes the store's word.
  2. Both ways take turns, with the same clients, on the same store.
  3. Power cuts need root and loop devices: they are counted by `make test-long` (tests/power) and shown from there.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from uuid import uuid4

from api.bootstrap import objects_of
from bench.measures import ROOT, Measure, alone, more_is_better
from bench.stage import Stage
from crypto.wraps import WrapKind
from vault.store import KeyStore, ObjectStore
from vault.store.barrier import OutsidePromise
from vault.store.locks import evidence_lock
from vault.store.names import key_name, object_name
from vault.store.s3_objects import S3ObjectStore

CLIENTS = 8
SIZE = 10 * 1000
WRAP = 60  # bytes of a wrapped key
FIGURES = ROOT / "tests" / "figures.json"
CUTS, HELD, LOST = (f"power cuts under load: {what}" for what in ("cuts", "acknowledged", "lost"))
AFTER_KEYED = "power cut just after O6: envelopes lost"

Write = Callable[[int], None]


def measure(stage: Stage, *, writes: int, turns: int) -> list[Measure]:
    """Rates with the flush and without, then what the power cuts have lost."""
    works = stage.works
    bare = S3ObjectStore(objects_of(works.settings), clock=works.clock.now, barrier=OutsidePromise())
    ways: tuple[ObjectStore, ObjectStore] = (works.store, bare)
    each = max(writes // (CLIENTS * turns), 1)
    for store in ways:
        _rate(_writing(stage, works.key_store, store), 1)
    rates = [[_rate(_writing(stage, works.key_store, store), each) for store in ways] for _ in range(turns)]
    flushed, unflushed = (median(turn[way] for turn in rates) for way in (0, 1))
    name = f"what a deposit of 10 KB stores, flushed, {CLIENTS} clients"
    return [more_is_better(name, flushed, "/s", peer=("the same without the flush", unflushed)), *power_cuts()]


def power_cuts() -> list[Measure]:
    """The last counted power cuts; nothing where none were counted yet."""
    if not FIGURES.exists():
        return []
    kept = {row["name"]: float(row["value"]) for row in json.loads(FIGURES.read_text(encoding="utf-8"))}
    found = []
    if {CUTS, HELD, LOST} <= kept.keys():
        name = f"acknowledged deposits lost in {kept[CUTS]:.0f} simulated power cuts"
        found = [
            alone("deposits acknowledged before simulated power cuts", kept[HELD], ""),
            _none_lost(name, kept[LOST]),
        ]
    if AFTER_KEYED in kept:
        found.append(_none_lost("envelopes of a box lost by a power cut just after it was keyed", kept[AFTER_KEYED]))
    return found


def _none_lost(name: str, lost: float) -> Measure:
    return Measure(name, lost, "", "limit: none", 0.0, float(lost == 0), 1.0)


def _writing(stage: Stage, keys: KeyStore, store: ObjectStore) -> Write:
    data, lock_until = os.urandom(SIZE), evidence_lock(stage.works.clock.now())

    def write(count: int) -> None:
        for _ in range(count):
            object_id = uuid4().bytes
            keys.put_if_absent(key_name(WrapKind.OBJECT, object_id), os.urandom(WRAP))
            store.put(object_name(object_id), data, lock_until=lock_until)
            store.durable()

    return write


def _rate(write: Write, each: int) -> float:
    """Writes per second of all clients together."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        began = time.perf_counter()
        list(pool.map(write, [each] * CLIENTS))
        return CLIENTS * each / (time.perf_counter() - began)
