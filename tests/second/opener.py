# SPDX-License-Identifier: EUPL-1.2
"""A second opener of envelopes, written from docs/reference/sealed-envelope.md alone; imports nothing of ours.

Rules
  1. What the page does not say is not here: where this fails, the page is wrong or the program is.
  2. Which reader opens a file is chosen by the version and suite in its first bytes, so that an old one stays readable
     when newer ones come.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tests.second.form import SUITE, canonical, digest, label, private_key

PURPOSE: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
SEALED_CHUNK: Final = 16384 + 16


@dataclass(frozen=True)
class Opened:
    """What an envelope holds."""

    bidder: str
    tag_key: bytes
    documents: dict[str, bytes]


def suite_of(sealed: bytes) -> tuple[int, int]:
    """Version and suite: all that one must know to choose a reader."""
    assert sealed[:8] == bytes.fromhex("89545653450d0a1a")
    return int.from_bytes(sealed[8:10], "big"), int.from_bytes(sealed[10:12], "big")


def open_envelope(sealed: bytes, masters: Mapping[bytes, bytes]) -> Opened:
    """Open with the masters of enough holders, by kid."""
    return READERS[suite_of(sealed)](sealed, masters)


def _open_version_1(sealed: bytes, masters: Mapping[bytes, bytes]) -> Opened:
    end = 16 + int.from_bytes(sealed[12:16], "big")
    header = cbor2.loads(sealed[16:end])
    core_hash = digest(canonical({key: header[key] for key in range(1, 6)}))
    secrets = {role: _secret(core_hash, role, k, slots, masters) for role, k, slots in header[6]}
    file_key = HKDF(hashes.SHA512(), 32, None, label("file-key")).derive(secrets[1] + secrets[2])
    return _unpack(unseal(file_key, label("body") + digest(sealed[:end]), sealed[end:]))


def _secret(core_hash: bytes, role: int, k: int, slots: list[list[bytes]], masters: Mapping[bytes, bytes]) -> bytes:
    shares: list[bytes] = []
    for kid, commit, slot in slots:
        if kid in masters and len(shares) < k:
            info = label("slot") + core_hash + bytes([role]) + kid + commit
            share = SUITE.decrypt(slot, private_key(masters[kid]), info=info)
            assert digest(label("share") + core_hash + bytes([role]) + share) == commit
            shares.append(share)
    assert len(shares) == k
    return combine(shares)


def times(left: int, right: int) -> int:
    """Product in GF(256) with the polynomial 0x11b."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left = (left << 1) ^ (0x11B if left & 0x80 else 0)
        right >>= 1
    return product


def inverse(value: int) -> int:
    return next(candidate for candidate in range(1, 256) if times(candidate, value) == 1)


def combine(shares: list[bytes]) -> bytes:
    """Interpolate at 0, byte by byte; the position is the last byte of a share."""
    secret = bytearray(32)
    for share in shares:
        weight = 1
        for other in shares:
            if other[32] != share[32]:
                weight = times(weight, times(other[32], inverse(other[32] ^ share[32])))
        for place in range(32):
            secret[place] ^= times(share[place], weight)
    return bytes(secret)


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Chunked encryption: salt, commitment, chunks, the last one shorter."""
    derived = HKDFExpand(hashes.SHA512(), 76, PURPOSE + sealed[:24] + context).derive(key)
    assert hmac.compare_digest(derived[44:], sealed[24:56])
    cipher, base = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    chunks = [sealed[place : place + SEALED_CHUNK] for place in range(56, len(sealed), SEALED_CHUNK)]
    assert len(chunks[-1]) < SEALED_CHUNK
    return b"".join(cipher.decrypt((base ^ i).to_bytes(12, "big"), chunk, None) for i, chunk in enumerate(chunks))


def padme(length: int) -> int:
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def _unpack(body: bytes) -> Opened:
    size = int.from_bytes(body[-4:], "big")
    manifest = cbor2.loads(body[-4 - size : -4])
    documents, offset = {}, 0
    for path, length, sha256 in manifest[3]:
        documents[path] = body[offset : offset + length]
        assert digest(documents[path]) == sha256
        offset += length
    assert not any(body[offset : -4 - size])
    assert len(body) == max(1024, padme(offset + size + 4))
    return Opened(manifest[1], manifest[2], documents)


READERS: Final[Mapping[tuple[int, int], Callable[[bytes, Mapping[bytes, bytes]], Opened]]] = {(1, 1): _open_version_1}
