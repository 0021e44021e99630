# SPDX-License-Identifier: EUPL-1.2
"""Sealing an envelope in one pass (protocol 3.4, 4.2); the door to `slots` and `reader`, its way back.

Rules
  1. Bytes pass once, in flat memory: digest beside cipher, nothing kept but digests and sizes.
  2. Both secrets go once the file key is made, the file key once the stream has its own keys.
  3. What is sealed already is not sealed again.

Left to others: limits and announcements (vault.deposit), the second layer at rest (vault.deposit, with
`object_context` and crypto.stream). The switch interval that lets digests run beside ciphers is the process's.
"""

import os
from collections.abc import Iterable, Iterator

from crypto.algorithms import ID_SIZE, SECRET_SIZE
from crypto.encoding import label
from crypto.errors import AlreadySealedError, ManifestError
from crypto.header import MAGIC, Core, EnvelopeKind, Header, Secrets, build_header
from crypto.manifest import (
    LENGTH_SIZE,
    Document,
    Manifest,
    documents_tag,
    padded_length,
    path_key,
    require_path,
    tag_key,
    trailer,
)
from crypto.policy import Policy
from crypto.reader import CheckedDocument, EnvelopeReader, bytes_reader, read_head
from crypto.shares import zero
from crypto.slots import check_share, file_key, open_slot, recover_file_key
from crypto.stream import BytesLike, CobEncryptor, PassingDigest, sealed_length

__all__ = [
    "BodySealer",
    "CheckedDocument",
    "EnvelopeReader",
    "EnvelopeSealer",
    "bytes_reader",
    "check_share",
    "file_key",
    "object_context",
    "open_slot",
    "read_head",
    "recover_file_key",
    "seal_whole",
    "zero",
]

_ZEROS = bytes(1 << 20)  # padding leaves in blocks of this size


def object_context(object_id: bytes) -> bytes:
    """What the outer layer of an object at rest is bound to (protocol 3.10)."""
    if len(object_id) != ID_SIZE:
        raise ValueError(f"an object id has {ID_SIZE} bytes")
    return label("object") + object_id


class BodySealer:
    """Seals documents behind a header that exists already.

    Use: send `prefix`; for each document `begin_document`, `update` as often as wanted, `end_document`;
    send what `finish` gives. What `update` was given must not change before the next call.

    Attributes:
        header: the header the body is bound to.
        prefix: everything before the first chunk; to be sent first.
        documents: all of them in order, once `finish` was called.
        sealed_length: bytes of the whole sealed envelope, once `finish` was called.
    """

    def __init__(
        self, header: Header, key: BytesLike, *, bidder: str, envelope_tag_key: bytes, salt: bytes | None = None
    ) -> None:
        self.header = header
        self._stream = CobEncryptor(key, header.body_context, salt)
        self.prefix = header.framed + self._stream.head
        self.documents: tuple[Document, ...] = ()
        self._bidder = bidder
        self._tag_key = envelope_tag_key
        self._ended: list[Document] = []
        self._paths: set[str] = set()
        self._open: _OpenDocument | None = None
        self._content = 0
        self.sealed_length = 0

    @property
    def header_hash(self) -> bytes:
        """HH."""
        return self.header.hash

    @property
    def documents_tag(self) -> bytes:
        """The tag over the documents that ended (protocol 3.5)."""
        return documents_tag(self._tag_key, self.documents or self._ended)

    def begin_document(self, path: str) -> None:
        """The next document.

        Raises:
            ManifestError: a path that is none, or that an earlier document has.
        """
        if self._open is not None:
            raise ValueError("the document before has not ended")
        key = path_key(require_path(path))
        if key in self._paths:
            raise ManifestError("two documents have the same path")
        self._paths.add(key)
        self._open = _OpenDocument(path)

    def update_size(self, size: int) -> int:
        """How many bytes the next `update` with `size` bytes puts out."""
        return self._stream.update_size(size)

    def update(self, data: BytesLike) -> bytearray:
        """Take bytes of the document, give sealed bytes."""
        out = bytearray(self.update_size(len(data)))
        self.update_into(data, memoryview(out))
        return out

    def update_into(self, data: BytesLike, out: memoryview) -> int:
        """As `update`, into a buffer of at least `update_size(len(data))` bytes; gives how many were written.

        Raises:
            AlreadySealedError: the document is a sealed envelope.
        """
        self._current().update(data)
        self._content += len(data)
        return self._stream.update_into(data, out)

    def wait(self) -> None:
        """Return when what the last `update` was given may change."""
        if self._open is not None:
            self._open.wait()

    def end_document(self) -> Document:
        """The document as the manifest will list it."""
        document = self._current().end()
        self._ended.append(document)
        self._open = None
        return document

    def finish(self) -> Iterator[bytearray]:
        """Padding, manifest and last chunk, in blocks; the envelope is sealed when all were taken.

        Raises:
            ManifestError: no document, or more than an envelope may hold.
        """
        if self._open is not None:
            raise ValueError("the last document has not ended")
        self.documents = tuple(self._ended)
        end = trailer(Manifest(self._bidder, self._tag_key, self.documents).encode())
        length = padded_length(self._content, len(end) - LENGTH_SIZE)
        self.sealed_length = len(self.header.framed) + sealed_length(length)
        return self._tail(length - self._content - len(end), end)

    def close(self) -> None:
        """Forget what is held, when sealing is given up."""
        self.wait()
        self._stream.close()

    def _tail(self, padding: int, end: bytes) -> Iterator[bytearray]:
        while padding:
            block = _ZEROS[:padding]
            padding -= len(block)
            yield self._stream.update(block)
        yield self._stream.update(end)
        yield self._stream.finish()

    def _current(self) -> "_OpenDocument":
        if self._open is None:
            raise ValueError("no document has begun")
        return self._open


class EnvelopeSealer(BodySealer):
    """Seals one envelope for a policy's box with fresh secrets, in server mode."""

    def __init__(
        self,
        policy: Policy,
        box_number: int,
        envelope_id: bytes,
        *,
        kind: EnvelopeKind,
        bidder: str,
        deposit_secret: bytes | bytearray,
    ) -> None:
        groups = policy.groups_of(policy.box(box_number))
        core = Core(policy.hash, box_number, envelope_id, kind)
        envelope_tag_key = tag_key(deposit_secret, envelope_id)
        secrets = Secrets(bytearray(os.urandom(SECRET_SIZE)), bytearray(os.urandom(SECRET_SIZE)))
        header = build_header(core, groups, secrets)
        key = file_key(secrets)
        secrets.close()
        super().__init__(header, key, bidder=bidder, envelope_tag_key=envelope_tag_key)
        zero(key)


class _OpenDocument:
    """The document that is passing: its size, its digest, its first bytes."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._size = 0
        self._digest = PassingDigest()
        self._first = b""

    def update(self, data: BytesLike) -> None:
        if len(self._first) < len(MAGIC):
            self._first += bytes(data[: len(MAGIC) - len(self._first)])
            if self._first == MAGIC:
                raise AlreadySealedError("a document is a sealed envelope")
        self._size += len(data)
        self._digest.update(data)

    def wait(self) -> None:
        self._digest.wait()

    def end(self) -> Document:
        return Document(self._path, self._size, self._digest.digest())


def seal_whole(sealer: BodySealer, documents: Iterable[tuple[str, bytes]]) -> bytes:
    """Seal small documents into one value (canaries, tests)."""
    sealed = bytearray(sealer.prefix)
    for path, data in documents:
        sealer.begin_document(path)
        sealed += sealer.update(data)
        sealer.end_document()
    for block in sealer.finish():
        sealed += block
    return bytes(sealed)
