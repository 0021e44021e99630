# SPDX-License-Identifier: EUPL-1.2
"""The pass over the bytes: what it refuses, that it holds little, and that what leaves opens again."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self
from uuid import uuid4

import pytest

from crypto.encoding import sha256
from crypto.header import EnvelopeKind
from crypto.manifest import Document, documents_tag, tag_key
from crypto.sealing import EnvelopeSealer, object_context
from crypto.stream import CobDecryptor
from tests.vault import depositing
from tests.world.world import World
from vault.deposit import pipeline
from vault.deposit.announcement import AnnouncedDocument, DepositRequest, Piece
from vault.store import StoredObject

MIB = 1 << 20
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Drain:
    """An upload that counts, digests or keeps what it is given."""

    keeps: bool = True
    size: int = 0
    content: bytearray = field(default_factory=bytearray)

    key: str = "o/drain"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.size += len(data)
        if self.keeps:
            self.content += data

    def put_part(self, part: bytes | bytearray) -> None:
        self.write(part)

    def complete(self) -> StoredObject:
        return StoredObject(self.key, "1", self.size)

    def abort(self) -> None:
        self.content.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.abort()


@dataclass
class Flood:
    """A long body out of one block."""

    size: int
    block: bytearray = field(default_factory=lambda: bytearray(MIB))
    last_byte_at: datetime = NOON

    def __iter__(self) -> Iterator[Piece]:
        for _ in range(self.size // MIB):
            yield Piece(0, memoryview(self.block))


def sealer(world: World, request: DepositRequest) -> EnvelopeSealer:
    return EnvelopeSealer(
        world.policy,
        1,
        request.envelope_id.bytes,
        kind=EnvelopeKind.BID,
        bidder=request.bidder,
        deposit_secret=request.secret,
    )


@pytest.mark.parametrize("block", [1 << 10, 16_384, 50_001, 3 * MIB])
def test_what_leaves_is_the_same_for_every_way_of_cutting_the_body(shared_world: World, block: int) -> None:
    documents = {"a.bin": bytes(range(256)) * 5000, "b/c.bin": b"x", "d.bin": b"y" * 2_500_000}
    request = depositing.request(shared_world, depositing.announce(documents))
    key, object_id, drain = bytes(range(32)), uuid4(), Drain()

    sealed = pipeline.seal(
        sealer(shared_world, request),
        pipeline.outer_layer(key, object_id),
        drain,
        request=request,
        body=depositing.body(shared_world, documents, block=block),
    )

    outer = CobDecryptor(key, object_context(object_id.bytes))
    inner = bytes(outer.update(drain.content)) + bytes(outer.finish())
    assert (sealed.length, sealed.file_hash) == (len(inner), sha256(inner))
    listed = [Document(path, len(one), hashlib.sha256(one).digest()) for path, one in documents.items()]
    assert sealed.documents_tag == documents_tag(tag_key(request.secret, request.envelope_id.bytes), listed)
    assert pipeline.tag_of(request, depositing.body(shared_world, documents, block=block)) == sealed.documents_tag


def test_the_announced_tag_is_that_of_the_body_and_is_none_without_every_digest(shared_world: World) -> None:
    documents = {"a": b"1", "b": b"2"}
    told = tuple(AnnouncedDocument(path, len(one), hashlib.sha256(one).digest()) for path, one in documents.items())
    request = depositing.request(shared_world, told)

    assert pipeline.announced_tag(request) == pipeline.tag_of(request, depositing.body(shared_world, documents))
    assert pipeline.announced_tag(replace(request, documents=(told[0], replace(told[1], sha256=None)))) is None


@pytest.mark.proves("CONF-02")
def test_memory_stays_flat_whatever_the_length(shared_world: World) -> None:
    peaks = []
    for size in (16 * MIB, 96 * MIB):
        request = depositing.request(shared_world, (AnnouncedDocument("plans.zip", size),))
        drain = Drain(keeps=False)
        tracemalloc.start()
        pipeline.seal(
            sealer(shared_world, request),
            pipeline.outer_layer(bytes(32), uuid4()),
            drain,
            request=request,
            body=Flood(size),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert drain.size > size

    assert max(peaks) < 8 * MIB
