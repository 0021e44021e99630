# SPDX-License-Identifier: EUPL-1.2
"""Sealing in process, both layers and both digests, beside one SHA-256 pass over the same bytes."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from statistics import median
from typing import Self
from uuid import uuid4

from bench.measures import Measure, alone
from bench.stage import LOT, Stage
from crypto.header import EnvelopeKind
from crypto.policy import Part
from crypto.sealing import EnvelopeSealer
from crypto.stream import SWITCH_INTERVAL
from vault.deposit import pipeline
from vault.deposit.announcement import AnnouncedDocument, DepositRequest, Piece
from vault.store import StoredObject

BLOCK = 1024 * 1024
GOALS = {2: 0.45, 4: 0.7}  # by cores
BIDDER = "other:bench"


@dataclass
class _Body:
    """The same block again and again."""

    block: bytes
    count: int

    def __iter__(self) -> Iterator[Piece]:
        view = memoryview(self.block)
        return (Piece(0, view) for _ in range(self.count))

    @property
    def last_byte_at(self) -> datetime:
        return datetime.now(UTC)


class Nowhere:
    """An upload that keeps nothing."""

    key = "nowhere"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def put_part(self, part: bytes | bytearray) -> None:
        pass

    def complete(self) -> StoredObject:
        return StoredObject(self.key, "", 0)

    def abort(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        pass


def measure(stage: Stage, *, size: int, pairs: int) -> list[Measure]:
    """The figure, its worst pair beside it."""
    body = _Body(os.urandom(BLOCK), size // BLOCK)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        turns = [(_digest(body), _seal(stage, body)) for _ in range(pairs)]
    finally:
        sys.setswitchinterval(before)
    ratios = [digest / sealing for digest, sealing in turns]
    goal = max((goal for least, goal in GOALS.items() if cores() >= least), default=None)
    whole = body.count * BLOCK / 1e6
    rate, peer = (median(whole / turn[which] for turn in turns) for which in (1, 0))
    name = f"sealing in process, both layers and both digests, on {cores()} cores"
    return [
        Measure(name, round(rate, 1), "MB/s", "one SHA-256 pass", round(peer, 1), round(median(ratios), 3), goal),
        alone("worst pair of sealing in process", min(ratios), "ratio"),
    ]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def _digest(body: _Body) -> float:
    began, digest = time.perf_counter(), sha256()
    for piece in body:
        digest.update(piece.data)
    digest.digest()
    return time.perf_counter() - began


def _seal(stage: Stage, body: _Body) -> float:
    envelope, secret = uuid4(), os.urandom(32)
    document = AnnouncedDocument("bench.bin", body.count * BLOCK)
    request = DepositRequest(
        platform="default",
        procedure=stage.procedure,
        lot=LOT,
        part=Part.TECHNICAL,
        envelope_id=envelope,
        bidder=BIDDER,
        secret=secret,
        documents=(document,),
    )
    began = time.perf_counter()
    sealer = EnvelopeSealer(
        stage.policy, 1, envelope.bytes, kind=EnvelopeKind.BID, bidder=BIDDER, deposit_secret=secret
    )
    pipeline.seal(sealer, pipeline.outer_layer(os.urandom(32), uuid4()), Nowhere(), request=request, body=body)
    return time.perf_counter() - began
