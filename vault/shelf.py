# SPDX-License-Identifier: EUPL-1.2
"""Stored envelopes read back through their outer layer, and texts kept under their digest.

Rules
  1. A read names the version of the row; nothing unauthenticated leaves the outer layer.
  2. A text under its digest is written once; the same text again is success.
  3. Reading goes in ranges of 8 MiB, one at a time: memory stays flat whatever the envelope's size.

Left to others: the inner layer and whose key opens it (vault.opening), writing envelopes (vault.deposit).
"""

from dataclasses import dataclass
from hashlib import sha256

from crypto.deposit import DepositRecord
from crypto.errors import CryptoError
from crypto.header import PREFIX_SIZE, parse_prefix
from crypto.sealing import object_context
from crypto.stream import CobRange, PassingDigest, Read
from vault.errors import ObjectMissing, StoreConflict
from vault.rows import EnvelopeFacts
from vault.store.locks import evidence_lock
from vault.store.names import object_name, text_name
from vault.work import Works

WINDOW = 8 * 1024 * 1024  # one range of about 8 MB ahead is enough: opening is bound by cryptography
HEADER_WINDOW = 64 * 1024
STEP = 512 * 1024  # what is taken from the window at once: larger pieces cost more in fresh pages than in digests


@dataclass(frozen=True)
class Sealed:
    """A stored envelope as it was sealed, its outer layer taken off while reading.

    Attributes:
        read: gives `size` bytes of the sealed envelope from `offset`.
        length: of the sealed envelope.
    """

    read: Read
    length: int


def take(works: Works, facts: EnvelopeFacts, *, window: int = WINDOW) -> Sealed:
    """Open an envelope's outer layer.

    Args:
        facts: of the envelope's row.
        window: how many bytes one request reads at least.

    Raises:
        ObjectMissing: its key or its object is not there.
        crypto.errors.CryptoError: key, object or length are not as stored.
    """
    key = works.keys.object(facts.procedure, facts.object_id)
    stored = _windowed(works, object_name(facts.object_id.bytes), facts, window)
    layer = CobRange(key, object_context(facts.object_id.bytes), stored, facts.length)
    return Sealed(layer.read_exact, layer.plain_length)


def read_header(works: Works, facts: EnvelopeFacts) -> bytes:
    """Prefix and header of a stored envelope; empty where they cannot be read."""
    try:
        sealed = take(works, facts, window=HEADER_WINDOW)
        prefix = sealed.read(0, PREFIX_SIZE)
        return prefix + sealed.read(PREFIX_SIZE, parse_prefix(prefix))
    except (CryptoError, ObjectMissing, ValueError):
        return b""


def is_intact(works: Works, facts: EnvelopeFacts) -> bool:
    """Read a whole stored envelope and compare H(file) with its record (OPEN-03)."""
    try:
        sealed = take(works, facts)
        return _file_hash(sealed) == DepositRecord.decode(facts.record).file_hash
    except (CryptoError, ObjectMissing):
        return False


def _file_hash(sealed: Sealed) -> bytes:
    digest = PassingDigest(sha256())
    for offset in range(0, sealed.length, STEP):
        digest.update(sealed.read(offset, min(STEP, sealed.length - offset)))
    return digest.digest()


def keep_text(works: Works, text: bytes) -> None:
    """Keep a text as a locked object under its SHA-256, so that a recovery can adopt it byte for byte."""
    try:
        works.store.put(text_name(sha256(text).digest()), text, lock_until=evidence_lock(works.clock.now()))
    except StoreConflict:
        return  # the name is the digest: what lies there is the same text


def _windowed(works: Works, name: str, facts: EnvelopeFacts, least: int) -> Read:
    """Ranges of the stored object, read ahead by a window: neighbours cost one request."""
    start, window = 0, b""

    def read(offset: int, size: int) -> bytes:
        nonlocal start, window
        if not start <= offset <= offset + size <= start + len(window):
            wanted = min(max(size, least), facts.length - offset)
            start, window = offset, works.store.get_range(name, facts.version_id, offset=offset, size=wanted)
        return window[offset - start : offset - start + size]

    return read
