# SPDX-License-Identifier: EUPL-1.2
"""The one pass over the bytes of a bid: digests, both layers, the store (protocol 4.2, storage.md §4).

Rules
  1. A block is sealed as it comes: inner layer, digest of the sealed bytes, outer layer, upload; memory is flat.
  2. The body is exactly what was announced: each document's length and order, its digest where one was announced.
  3. Digests run in threads beside the ciphers; a block is given back only when its digest has seen it.
  4. Nothing in clear is kept: buffers here hold sealed bytes only. What breaks off leaves no object.

Left to others: keys, rows and order of durable writes (vault.deposit.journey).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from crypto.deposit import DepositRecord
from crypto.manifest import Document, documents_tag, tag_key
from crypto.policy import Mode
from crypto.sealing import EnvelopeSealer, object_context
from crypto.stream import CobEncryptor, PassingDigest
from vault.deposit.announcement import AnnouncedDocument, Body, DepositRequest
from vault.errors import BodyBroken, BodyMismatch
from vault.store import Upload


@dataclass(frozen=True)
class Sealed:
    """An envelope on its way into the store, all of it sent; the object is not completed yet."""

    header_hash: bytes
    file_hash: bytes
    length: int
    documents_tag: bytes
    last_byte_at: datetime

    def record(
        self, request: DepositRequest, *, policy_hash: bytes, box: int, first_byte_at: datetime
    ) -> DepositRecord:
        """The deposit record D. A short body may be read whole before the attempt is written: first is never last."""
        return DepositRecord(
            policy_hash=policy_hash,
            box=box,
            envelope_id=request.envelope_id.bytes,
            mode=Mode.SERVER,
            header_hash=self.header_hash,
            file_hash=self.file_hash,
            length=self.length,
            bidder=request.bidder,
            first_byte_at=min(first_byte_at, self.last_byte_at),
            last_byte_at=self.last_byte_at,
            documents_tag=self.documents_tag,
        )


class Sink(Protocol):
    """Takes documents one after the other; what `update` was given may change when it has returned."""

    def begin_document(self, path: str) -> None: ...

    def update(self, data: memoryview) -> None: ...

    def end_document(self) -> Document: ...


def seal(sealer: EnvelopeSealer, outer: CobEncryptor, upload: Upload, *, request: DepositRequest, body: Body) -> Sealed:
    """Seal a body into an upload.

    Raises:
        BodyBroken, BodyMismatch: the body is not what was announced.
        crypto.errors.AlreadySealedError: a document is a sealed envelope.
        StoreUnavailable, StoreFull: the store takes no more.
    """
    sink = _SealingSink(sealer, outer, upload)
    try:
        pour(request.documents, body, sink)
        last_byte_at = body.last_byte_at
        sink.finish()
    finally:
        sink.close()
    return Sealed(sealer.header_hash, sink.file_hash, sealer.sealed_length, sealer.documents_tag, last_byte_at)


def outer_layer(key: bytes, object_id: UUID) -> CobEncryptor:
    """The second layer, under the object's own key."""
    return CobEncryptor(key, object_context(object_id.bytes))


def tag_of(request: DepositRequest, body: Body) -> bytes:
    """The tag over a body that is read and not kept: for a deposit that is there already."""
    documents = pour(request.documents, body, _DigestSink())
    return documents_tag(tag_key(request.secret, request.envelope_id.bytes), documents)


def announced_tag(request: DepositRequest) -> bytes | None:
    """The tag over what was announced, where every digest was."""
    documents = [Document(one.path, one.size, one.sha256) for one in request.documents if one.sha256 is not None]
    if len(documents) < len(request.documents):
        return None
    return documents_tag(tag_key(request.secret, request.envelope_id.bytes), documents)


def pour(announced: tuple[AnnouncedDocument, ...], body: Body, sink: Sink) -> tuple[Document, ...]:
    """Move a body into a sink, held against its announcement (rule 2)."""
    pouring = _Pouring(announced, sink)
    for piece in body:
        pouring.turn_to(piece.document)
        pouring.take(piece.data)
    return pouring.finish()


class _Pouring:
    """Where a body stands: the document that is passing, and how much of it has."""

    def __init__(self, announced: tuple[AnnouncedDocument, ...], sink: Sink) -> None:
        self._announced = announced
        self._sink = sink
        self._poured: list[Document] = []
        self._received = 0
        sink.begin_document(announced[0].path)

    @property
    def _current(self) -> AnnouncedDocument:
        return self._announced[len(self._poured)]

    def turn_to(self, index: int) -> None:
        if index == len(self._poured):
            return
        path = self._current.path
        self._end()
        if index != len(self._poured) or index >= len(self._announced):
            raise BodyMismatch(path, "another document follows than the announced one")
        self._received = 0
        self._sink.begin_document(self._current.path)

    def take(self, data: memoryview) -> None:
        self._received += len(data)
        if self._received > self._current.size:
            raise BodyMismatch(self._current.path, f"longer than the announced {self._current.size} bytes")
        self._sink.update(data)

    def finish(self) -> tuple[Document, ...]:
        self._end()
        if len(self._poured) < len(self._announced):
            raise BodyBroken(f"{len(self._announced) - len(self._poured)} of the announced documents are missing")
        return tuple(self._poured)

    def _end(self) -> None:
        current = self._current
        if self._received < current.size:
            raise BodyMismatch(current.path, f"{self._received} bytes instead of the announced {current.size}")
        document = self._sink.end_document()
        if current.sha256 is not None and not hmac.compare_digest(current.sha256, document.sha256):
            raise BodyMismatch(current.path, "its SHA-256 is not the announced one: it changed on the way")
        self._poured.append(document)


class _SealingSink:
    """Inner layer, digest of the sealed bytes, outer layer, upload."""

    def __init__(self, sealer: EnvelopeSealer, outer: CobEncryptor, upload: Upload) -> None:
        self._sealer = sealer
        self._outer = outer
        self._upload = upload
        self._digest = PassingDigest()
        self._inner = bytearray()
        self._stored = bytearray()
        self.file_hash = b""
        upload.write(outer.head)
        self._send(memoryview(sealer.prefix))

    def begin_document(self, path: str) -> None:
        self._sealer.begin_document(path)

    def update(self, data: memoryview) -> None:
        self._inner = _grown(self._inner, self._sealer.update_size(len(data)))
        with memoryview(self._inner) as room:
            size = self._sealer.update_into(data, room)
            self._send(room[:size])
            self._sealer.wait()

    def end_document(self) -> Document:
        return self._sealer.end_document()

    def finish(self) -> None:
        """Padding, manifest and both last chunks; the digest of the sealed file is known then."""
        for block in self._sealer.finish():
            self._send(memoryview(block))
        self._upload.write(self._outer.finish())
        self.file_hash = self._digest.digest()

    def close(self) -> None:
        """Forget what is held, also when the pass was given up."""
        self._digest.wait()
        self._sealer.close()
        self._outer.close()

    def _send(self, sealed: memoryview) -> None:
        self._digest.update(sealed)
        self._stored = _grown(self._stored, self._outer.update_size(len(sealed)))
        with memoryview(self._stored) as room:
            size = self._outer.update_into(sealed, room)
            self._upload.write(room[:size])
        self._digest.wait()


class _DigestSink:
    """Digests only."""

    def __init__(self) -> None:
        self._path = ""
        self._size = 0
        self._digest = PassingDigest()

    def begin_document(self, path: str) -> None:
        self._path, self._size, self._digest = path, 0, PassingDigest()

    def update(self, data: memoryview) -> None:
        self._size += len(data)
        self._digest.update(data)
        self._digest.wait()

    def end_document(self) -> Document:
        return Document(self._path, self._size, self._digest.digest())


def _grown(buffer: bytearray, size: int) -> bytearray:
    """The buffer, or a larger one in its place: made once or twice per envelope, not per block."""
    return buffer if len(buffer) >= size else bytearray(size)
