# SPDX-License-Identifier: EUPL-1.2
"""Chunked encryption: C2SP chunked-encryption, instance Cobblestone-256 (protocol 2.4).

    salt 24 ‖ commitment 32 ‖ chunks of 16 384 + 16 bytes, the last one shorter

Rules
  1. The commitment is compared, in constant time, before any chunk is looked at.
  2. Only authenticated chunks leave; the stream is whole only when the short last chunk was seen.
  3. A salt is random unless a resumed upload brings its own; one key and salt seal one message.
  4. Random access authenticates the last chunk, and so the length, before anything else.

Left to others: where keys come from (sealing, vault.keys), what the bytes mean (sealing).
"""

import hmac
import os
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256, sha512
from typing import Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.algorithms import GCM_NONCE_SIZE, GCM_TAG_SIZE, KEY_SIZE
from crypto.errors import ChunkError, CommitmentError, TruncatedError

BytesLike: TypeAlias = bytes | bytearray | memoryview
Read: TypeAlias = Callable[[int, int], bytes]  # (offset, size) of the sealed bytes; shorter only at their end

CHUNK = 16384  # chunked-encryption, "Message chunking"
SEALED_CHUNK = CHUNK + GCM_TAG_SIZE
SALT_SIZE = 24  # chunked-encryption, "Key derivation"
COMMITMENT_SIZE = 32
HEAD_SIZE = SALT_SIZE + COMMITMENT_SIZE
MAX_CHUNKS = 2**38  # chunked-encryption: the counter's end, 4 PiB
# A range is read 512 KiB at a time: what larger blocks cost in fresh pages is more than both ciphers; at 4 MiB opening
# took 5 SHA-256 passes of the processor, here 3. Few requests are the matter of who reads ahead (vault.shelf).
BLOCK_CHUNKS = 32
_PURPOSE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
SWITCH_INTERVAL = 0.0005  # seconds between threads' turns in a process that seals or opens (sys.setswitchinterval)
_INLINE_DIGEST = 64 * 1024  # handing less than this to a thread costs more than hashing it
_DIGEST_THREADS = ThreadPoolExecutor(thread_name_prefix="digest")  # threads start with the first large block


def sealed_length(plain: int) -> int:
    """How many bytes a message of that many bytes becomes."""
    return HEAD_SIZE + plain + GCM_TAG_SIZE * (plain // CHUNK + 1)


def plain_length(sealed: int) -> int:
    """How many bytes a sealed message of that many bytes holds.

    Raises:
        TruncatedError: no message has that sealed length.
    """
    full, last = divmod(sealed - HEAD_SIZE, SEALED_CHUNK)
    if full < 0 or last < GCM_TAG_SIZE:
        raise TruncatedError("no whole stream has this length")
    return full * CHUNK + last - GCM_TAG_SIZE


def require_commitment(key: BytesLike, context: bytes, head: bytes) -> None:
    """Check that a stream's first 56 bytes were made with this key and context; CommitmentError if not."""
    _Chunks.of_head(key, context, head)


class _Chunks:
    """The derived keys of one message: seals and opens chunks by index."""

    def __init__(self, key: BytesLike, context: bytes, salt: bytes) -> None:
        if len(key) != KEY_SIZE or len(salt) != SALT_SIZE:
            raise ValueError("a key has 32 bytes and a salt 24")
        derived = bytearray(KEY_SIZE + GCM_NONCE_SIZE + COMMITMENT_SIZE)
        HKDFExpand(SHA512(), len(derived), _PURPOSE + salt + context).derive_into(key, derived)
        self._aead = AESGCM(memoryview(derived)[:KEY_SIZE])
        self._base = int.from_bytes(derived[KEY_SIZE : KEY_SIZE + GCM_NONCE_SIZE], "big")
        self.commitment = bytes(derived[-COMMITMENT_SIZE:])
        derived[:] = bytes(len(derived))

    @classmethod
    def of_head(cls, key: BytesLike, context: bytes, head: bytes) -> "_Chunks":
        if len(head) != HEAD_SIZE:
            raise TruncatedError("the stream ends within its head")
        chunks = cls(key, context, head[:SALT_SIZE])
        if not hmac.compare_digest(chunks.commitment, head[SALT_SIZE:]):
            raise CommitmentError("the stream was not sealed with this key for this place")
        return chunks

    def nonce(self, index: int) -> bytes:
        if index >= MAX_CHUNKS:
            raise ChunkError(index)
        return (self._base ^ index).to_bytes(GCM_NONCE_SIZE, "big")

    def seal_into(self, index: int, plain: BytesLike, out: memoryview) -> None:
        self._aead.encrypt_into(self.nonce(index), plain, None, out)

    def open_into(self, index: int, sealed: BytesLike, out: memoryview) -> None:
        try:
            self._aead.decrypt_into(self.nonce(index), sealed, None, out)
        except InvalidTag as error:
            raise ChunkError(index) from error

    def open_all(self, first: int, sealed: memoryview, count: int) -> bytearray:
        """Open `count` full chunks that lie behind each other."""
        out = bytearray(count * CHUNK)
        view = memoryview(out)
        for place in range(count):
            chunk = sealed[place * SEALED_CHUNK : (place + 1) * SEALED_CHUNK]
            self.open_into(first + place, chunk, view[place * CHUNK : (place + 1) * CHUNK])
        return out

    def open_last(self, index: int, sealed: BytesLike) -> bytearray:
        """Open the short last chunk."""
        if not GCM_TAG_SIZE <= len(sealed) < SEALED_CHUNK:
            raise TruncatedError("the stream ends without its last chunk")
        out = bytearray(len(sealed) - GCM_TAG_SIZE)
        self.open_into(index, sealed, memoryview(out))
        return out


class CobEncryptor:
    """Seals one message as it passes; holds at most one chunk.

    Attributes:
        head: salt and commitment, the first 56 bytes of the sealed message; `update` does not repeat them.
    """

    def __init__(self, key: BytesLike, context: bytes, salt: bytes | None = None) -> None:
        salt = os.urandom(SALT_SIZE) if salt is None else salt
        self._chunks = _Chunks(key, context, salt)
        self.head = salt + self._chunks.commitment
        self._rest = bytearray(CHUNK)
        self._filled = 0
        self._index = 0
        self._done = False

    def update_size(self, size: int) -> int:
        """How many bytes the next `update` with `size` bytes puts out."""
        return (self._filled + size) // CHUNK * SEALED_CHUNK

    def update(self, data: BytesLike) -> bytearray:
        """Take some bytes, give the chunks that are full."""
        out = bytearray(self.update_size(len(data)))
        self.update_into(data, memoryview(out))
        return out

    def update_into(self, data: BytesLike, out: memoryview) -> int:
        """As `update`, into a buffer of at least `update_size(len(data))` bytes; gives how many were written."""
        if self._done:
            raise ValueError("the message is finished")
        source = memoryview(data)
        place = taken = 0
        if self._filled:
            taken = min(CHUNK - self._filled, len(source))
            self._keep(source[:taken])
            if self._filled == CHUNK:
                place = self._seal(self._rest, out, place)
                self._filled = 0
        while len(source) - taken >= CHUNK:
            place = self._seal(source[taken : taken + CHUNK], out, place)
            taken += CHUNK
        self._keep(source[taken:])
        return place

    def finish(self) -> bytearray:
        """The short last chunk, without which the message is truncated."""
        if self._done:
            raise ValueError("the message is finished")
        self._done = True
        out = bytearray(self._filled + GCM_TAG_SIZE)
        self._chunks.seal_into(self._index, memoryview(self._rest)[: self._filled], memoryview(out))
        self.close()
        return out

    def close(self) -> None:
        """Forget the plaintext that is held; nothing more can be sealed."""
        self._done = True
        self._rest[:] = bytes(CHUNK)

    def _keep(self, data: memoryview) -> None:
        self._rest[self._filled : self._filled + len(data)] = data
        self._filled += len(data)

    def _seal(self, plain: BytesLike, out: memoryview, place: int) -> int:
        self._chunks.seal_into(self._index, plain, out[place : place + SEALED_CHUNK])
        self._index += 1
        return place + SEALED_CHUNK


class CobDecryptor:
    """Opens one message as it passes: what `update` gives is authentic, what `finish` gives makes it whole.

    After a refusal every further call refuses too.
    """

    def __init__(self, key: BytesLike, context: bytes) -> None:
        self._key = bytearray(key)
        self._context = context
        self._chunks: _Chunks | None = None
        self._rest = bytearray()
        self._index = 0
        self._ended: Exception | None = None

    def update(self, data: BytesLike) -> bytearray:
        """Take some sealed bytes, give the plaintext of the chunks that are complete."""
        if self._ended is not None:
            raise self._ended
        self._rest += data
        try:
            return self._open_full(self._start())
        except Exception as error:
            self._ended = error
            raise

    def finish(self) -> bytearray:
        """The plaintext of the last chunk; only now the message is known to be whole."""
        if self._ended is not None:
            raise self._ended
        self._ended = ValueError("the message is finished")
        if self._chunks is None:
            self._ended = TruncatedError("the stream ends within its head")
            raise self._ended
        try:
            return self._chunks.open_last(self._index, self._rest)
        except Exception as error:
            self._ended = error
            raise

    def _start(self) -> _Chunks | None:
        if self._chunks is None and len(self._rest) >= HEAD_SIZE:
            self._chunks = _Chunks.of_head(self._key, self._context, bytes(self._rest[:HEAD_SIZE]))
            self._key[:] = bytes(len(self._key))
            del self._rest[:HEAD_SIZE]
        return self._chunks

    def _open_full(self, chunks: _Chunks | None) -> bytearray:
        count = len(self._rest) // SEALED_CHUNK
        if chunks is None or count == 0:
            return bytearray()
        with memoryview(self._rest) as sealed:
            plain = chunks.open_all(self._index, sealed, count)
        self._index += count
        del self._rest[: count * SEALED_CHUNK]
        return plain


class CobRange:
    """Any part of a sealed message, through a function that reads its sealed bytes.

    Once it exists, key, context and length are authentic; every chunk is checked as it is read.

    Attributes:
        plain_length: how many bytes the message has.
    """

    def __init__(self, key: BytesLike, context: bytes, read: Read, length: int) -> None:
        self.plain_length = plain_length(length)
        self._read = read
        self._chunks = _Chunks.of_head(key, context, read(0, HEAD_SIZE))
        self._full = self.plain_length // CHUNK
        last = self._sealed(self._full, length - HEAD_SIZE - self._full * SEALED_CHUNK)
        self._last = bytes(self._chunks.open_last(self._full, last))

    def read(self, offset: int, size: int) -> Iterator[bytes]:
        """Give `size` bytes from `offset` in blocks; each block's chunks were checked before it leaves.

        Raises:
            ValueError: the range lies outside the message.
            ChunkError, TruncatedError: the sealed bytes are not what was sealed.
        """
        if offset < 0 or size < 0 or offset + size > self.plain_length:
            raise ValueError("the range lies outside the message")
        end = offset + size
        while offset < end:
            first = offset // CHUNK
            count = min((end - 1) // CHUNK + 1 - first, BLOCK_CHUNKS)
            block = self._open(first, count)
            begin = offset - first * CHUNK
            piece = block[begin : begin + end - offset]
            offset += len(piece)
            yield piece

    def read_exact(self, offset: int, size: int) -> bytes:
        """The same range as one value, for small ones."""
        return b"".join(self.read(offset, size))

    def _open(self, first: int, count: int) -> bytes:
        full = min(count, self._full - first)
        tail = self._last if full < count else b""
        if full == 0:
            return tail
        sealed = self._sealed(first, full * SEALED_CHUNK)
        return bytes(self._chunks.open_all(first, memoryview(sealed), full)) + tail

    def _sealed(self, first: int, size: int) -> bytes:
        sealed = self._read(HEAD_SIZE + first * SEALED_CHUNK, size)
        if len(sealed) != size:
            raise TruncatedError("the sealed bytes end early")
        return sealed


class _Hash(Protocol):
    def update(self, data: BytesLike, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    """CRC-32 in the manner of a hash, big-endian as object stores write it."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: BytesLike, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class PassingDigest:
    """A digest computed in a thread of its own while the caller does other work on the same bytes.

    A block given to `update` must stay as it is until the next call of `update`, `wait` or `digest`.
    """

    def __init__(self, algorithm: _Hash | None = None) -> None:
        self._hash: _Hash = sha256() if algorithm is None else algorithm
        self._pending: Future[None] | None = None

    def update(self, data: BytesLike) -> None:
        """Wait for the block before, then begin with this one."""
        self.wait()
        if len(data) < _INLINE_DIGEST:
            self._hash.update(data)
        else:
            self._pending = _DIGEST_THREADS.submit(self._hash.update, data)

    def wait(self) -> None:
        """Return when the last block may be changed."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None

    def digest(self) -> bytes:
        """The digest of all blocks."""
        self.wait()
        return self._hash.digest()


def passing_sha512() -> PassingDigest:
    """A SHA-512 in a thread."""
    return PassingDigest(sha512())


def passing_crc32() -> PassingDigest:
    """A CRC-32 in a thread, four bytes."""
    return PassingDigest(_Crc32())
