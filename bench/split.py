# SPDX-License-Identifier: EUPL-1.2
"""Where the time of a small deposit goes: the journey in this process, its tools timed, eight at once.

Rules
  1. The tools are the vault's own; each is timed from call to answer, waiting included. What is left is our own code,
     and waiting for a turn of the processor.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from statistics import quantiles
from threading import local
from uuid import uuid4

from api.bootstrap import objects_of
from bench.measures import Measure, alone
from bench.small import CLIENTS, SIZE, new_bidder
from bench.stage import LOT, Stage
from crypto.policy import Part
from crypto.statement import Kind
from vault import receiving
from vault.authorities import Authority, HttpLine, TimeAuthorities
from vault.deposit.announcement import AnnouncedDocument, DepositRequest, Piece
from vault.deposit.journey import deposit
from vault.keys import Keychain
from vault.store import KeyStore
from vault.store.barrier import Barrier, DiskBarrier
from vault.store.s3_objects import S3ObjectStore
from vault.work import Work, Works

PARTS = ("database", "store", "flush", "authority", "signature", "our own code")


class Times(local):
    """Seconds of one thread's deposit, by part."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count what the block takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[part] += time.perf_counter() - began


@dataclass
class _Flush:
    barrier: Barrier
    times: Times

    def wait(self) -> None:
        with self.times.of("flush"):
            self.barrier.wait()

    def require_room(self, size: int) -> None:
        self.barrier.require_room(size)


@dataclass
class _Keys:
    """A key store, timed."""

    keys: KeyStore
    times: Times

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        with self.times.of("store"):
            self.keys.put_if_absent(name, wrapped)

    def get(self, name: str) -> bytes:
        with self.times.of("store"):
            return self.keys.get(name)

    def delete(self, name: str) -> None:
        self.keys.delete(name)

    def list(self, prefix: str) -> Iterator[str]:
        return self.keys.list(prefix)

    def compact(self) -> None:
        self.keys.compact()

    def durable(self) -> None:
        with self.times.of("flush"):
            self.keys.durable()


class _Objects(S3ObjectStore):
    """The store of objects, its one conditional put timed."""

    times: Times

    def _put(self, *arguments: object, **options: object) -> object:  # type: ignore[override]
        with self.times.of("store"):
            return super()._put(*arguments, **options)  # type: ignore[arg-type]


class _Line(HttpLine):
    """The line to authorities, timed."""

    times: Times

    def exchange(self, address: str, body: bytes | None, *, media_type: str, patience: timedelta) -> bytes:
        with self.times.of("authority"):
            return super().exchange(address, body, media_type=media_type, patience=patience)


@dataclass(frozen=True)
class _Works(Works):
    """A vault whose transactions are timed from their opening to their end."""

    times: Times = field(default_factory=Times)

    @contextmanager
    def open(self) -> Iterator[Work]:
        with self.times.of("database"), super().open() as work:
            yield work

    @contextmanager
    def look(self) -> Iterator[Work]:
        with self.times.of("database"), super().look() as work:
            yield work


@dataclass
class _Body:
    data: bytes

    def __iter__(self) -> Iterator[Piece]:
        yield Piece(0, memoryview(self.data))

    @property
    def last_byte_at(self) -> datetime:
        return datetime.now(UTC)


def measure(stage: Stage, *, deposits: int) -> list[Measure]:
    """Half and 99 of 100 of each part."""
    works, line = _timed_works(stage)
    with line, ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(lambda _: _once(stage, works), range(CLIENTS)))
        taken = list(threads.map(lambda _: _once(stage, works), range(deposits)))
    rows: list[Measure] = []
    for part in PARTS:
        steps = quantiles((one[part] for one in taken), n=100)
        rows.append(alone(f"of a small deposit, {CLIENTS} at once: {part}, half take less", steps[49] * 1000, "ms"))
        rows.append(alone(f"of a small deposit, {CLIENTS} at once: {part}, 99 of 100", steps[98] * 1000, "ms"))
    return rows


def _once(stage: Stage, works: _Works) -> dict[str, float]:
    times, data = works.times, os.urandom(SIZE)
    times.spent = dict.fromkeys(PARTS, 0.0)
    request = DepositRequest(
        platform="default",
        procedure=stage.procedure,
        lot=LOT,
        part=Part.TECHNICAL,
        envelope_id=uuid4(),
        bidder=new_bidder(),
        secret=os.urandom(32),
        documents=(AnnouncedDocument("small.bin", len(data), sha256(data).digest()),),
    )
    began = time.perf_counter()
    note = deposit(works, request, _Body(data)).note
    whole = time.perf_counter() - began
    with times.of("signature"):
        receiving.sign(works, Kind.RECEIPT, note[:1000])  # a second time, to be timed by itself
    times.spent["our own code"] = whole - sum(times.spent.values())
    return times.spent


def _timed_works(stage: Stage) -> tuple[_Works, _Line]:
    times, works = Times(), stage.works
    settings = works.settings
    assert settings.embedded_store is not None
    barrier = _Flush(DiskBarrier(settings.embedded_store), times)
    objects = _Objects(objects_of(settings), clock=works.clock.now, barrier=barrier, horizon=settings.lock_horizon)
    line = _Line()
    objects.times = line.times = times
    keys = _Keys(works.key_store, times)
    authorities = TimeAuthorities(
        [Authority(one.name, one.url) for one in settings.authorities],
        line=line,
        anchors=works.authorities.anchors,
        clock=works.clock.now,
    )
    timed = replace(works, store=objects, key_store=keys, keys=Keychain(works.keys.root, keys), authorities=authorities)
    shared = {name: getattr(timed, name) for name in Works.__dataclass_fields__}
    return _Works(**shared, times=times), line
