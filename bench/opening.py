# SPDX-License-Identifier: EUPL-1.2
"""Opening in process, both layers and both digests, beside one SHA-256 pass over the same bytes.

The sealed bytes lie in memory: no store, no network. The digests are those of sealing on the way back: of the sealed
envelope, and of the document. What the vault computes beside them at its one reading (O7) has a row of its own.
"""

import os
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from statistics import median
from uuid import uuid4

from bench.measures import Measure, alone
from bench.sealing import BIDDER, BLOCK, cores
from bench.stage import Stage
from crypto.header import Core, EnvelopeKind, Secrets, build_header
from crypto.sealing import BodySealer, EnvelopeReader, object_context
from crypto.shares import zero
from crypto.slots import file_key
from crypto.stream import SWITCH_INTERVAL, CobEncryptor, CobRange, PassingDigest

GOALS = {2: 0.4, 4: 0.6}  # by cores
PATH = "bench.bin"


class _Envelope:
    """One sealed envelope under its second layer, in memory, with its keys."""

    def __init__(self, stage: Stage, size: int) -> None:
        object_id, envelope = uuid4(), uuid4()
        self.object_key, self.context = os.urandom(32), object_context(object_id.bytes)
        groups = stage.policy.groups_of(stage.policy.box(1))
        secrets = Secrets(bytearray(os.urandom(32)), bytearray(os.urandom(32)))
        header = build_header(Core(stage.policy.hash, 1, envelope.bytes, EnvelopeKind.BID), groups, secrets)
        self.file_key = file_key(secrets)
        sealer = BodySealer(header, self.file_key, bidder=BIDDER, envelope_tag_key=os.urandom(32))
        outer = CobEncryptor(self.object_key, self.context)
        self.block = os.urandom(BLOCK)
        self.stored = bytearray(outer.head) + outer.update(sealer.prefix)
        sealer.begin_document(PATH)
        for _block in range(size // BLOCK):
            self.stored += outer.update(sealer.update(self.block))
        sealer.end_document()
        for end in sealer.finish():
            self.stored += outer.update(end)
        self.stored += outer.finish()
        self.size = size // BLOCK * BLOCK

    def _stored(self, offset: int, size: int) -> bytes:
        return bytes(memoryview(self.stored)[offset : offset + size])  # as a store gives it: a copy

    def reader(self, seen: Callable[[bytes], None] | None = None) -> EnvelopeReader:
        layer = CobRange(self.object_key, self.context, self._stored, len(self.stored))
        passed = 0

        def read(offset: int, size: int) -> bytes:
            nonlocal passed
            block = layer.read_exact(offset, size)
            if seen is not None and offset == passed:
                passed += len(block)
                seen(block)
            return block

        return EnvelopeReader(read, layer.plain_length, self.file_key)


def measure(stage: Stage, *, size: int, pairs: int) -> list[Measure]:
    """The figure, its worst pair, and the vault's whole reading."""
    envelope = _Envelope(stage, size)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        turns = [(_digest(envelope), _open(envelope), _check(envelope)) for _ in range(pairs)]
    finally:
        sys.setswitchinterval(before)
        zero(envelope.file_key)
    ratios = [digest / opening for digest, opening, _ in turns]
    peer, own, reading = (median(envelope.size / 1e6 / turn[which] for turn in turns) for which in range(3))
    goal = max((goal for least, goal in GOALS.items() if cores() >= least), default=None)
    name = f"opening in process, both layers and both digests, on {cores()} cores"
    return [
        Measure(name, round(own, 1), "MB/s", "one SHA-256 pass", round(peer, 1), round(median(ratios), 3), goal),
        alone("worst pair of opening in process", min(ratios), "ratio"),
        alone(
            "the vault's one reading at O7: both layers, SHA-256, SHA-512 and CRC-32 of the document", reading, "MB/s"
        ),
    ]


def _digest(envelope: _Envelope) -> float:
    began, digest = time.perf_counter(), sha256()
    for _block in range(envelope.size // BLOCK):
        digest.update(envelope.block)
    digest.digest()
    return time.perf_counter() - began


def _open(envelope: _Envelope) -> float:
    began = time.perf_counter()
    whole, document = PassingDigest(), PassingDigest()
    reader = envelope.reader(whole.update)
    for block in reader.read(PATH):
        document.update(block)
    document.digest()
    whole.digest()
    return time.perf_counter() - began


def _check(envelope: _Envelope) -> float:
    began = time.perf_counter()
    envelope.reader().check(BIDDER)
    return time.perf_counter() - began
