# SPDX-License-Identifier: EUPL-1.2
"""A second sealer of envelopes, written from docs/reference/sealed-envelope.md alone; imports nothing of ours.

Rules
  1. What the page does not say is not here: what this makes, the program opens, or the page is wrong.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from tests.second.form import SUITE, canonical, digest, label, public_key
from tests.second.opener import PURPOSE, padme, times

CHUNK = 16384


@dataclass(frozen=True)
class Wanted:
    """What is to be sealed for which box, by whom."""

    box: int
    envelope_id: bytes
    bidder: str
    documents: Mapping[str, bytes] = field(repr=False)
    secret: bytes = field(repr=False)


def seal_envelope(policy: bytes, wanted: Wanted) -> bytes:
    """Seal by the payload of a policy."""
    core = canonical({1: digest(policy), 2: wanted.box, 3: wanted.envelope_id, 4: 2, 5: 1})
    secrets = {1: os.urandom(32), 2: os.urandom(32)}
    secrets[3] = secrets[1]
    groups = []
    for role, k, cards in _groups(cbor2.loads(policy), wanted.box):
        shares = split(secrets[role], k, len(cards))
        slots = [_slot(core, role, card, share) for card, share in zip(cards, shares, strict=True)]
        groups.append([role, k, slots])
    header = canonical({**cbor2.loads(core), 6: groups})
    framed = bytes.fromhex("89545653450d0a1a") + b"\0\1\0\1" + len(header).to_bytes(4, "big") + header
    file_key = HKDF(hashes.SHA512(), 32, None, label("file-key")).derive(secrets[1] + secrets[2])
    return framed + chunked(file_key, label("body") + digest(framed), _body(wanted))


def _groups(policy: dict[int, list[list[object]]], number: int) -> list[tuple[int, int, list[dict[int, bytes]]]]:
    box = next(box for box in policy[9] if box[0] == number)
    return [tuple(policy[10][group]) for group in box[5]]  # type: ignore[attr-defined]


def _slot(core: bytes, role: int, card: Mapping[int, bytes], share: bytes) -> list[bytes]:
    core_hash, kid = digest(core), digest(label("kid") + card[2] + card[3])[:16]
    commit = digest(label("share") + core_hash + bytes([role]) + share)
    info = label("slot") + core_hash + bytes([role]) + kid + commit
    return [kid, commit, SUITE.encrypt(share, public_key(card[2]), info=info)]


def split(secret: bytes, k: int, n: int) -> list[bytes]:
    """Shamir's shares, byte by byte: a polynomial of degree k - 1 with the secret at 0."""
    higher = [os.urandom(32) for _ in range(k - 1)]
    shares = []
    for x in range(1, n + 1):
        values = bytes(_at(x, [secret[i], *(one[i] for one in higher)]) for i in range(32))
        shares.append(values + bytes([x]))
    return shares


def _at(x: int, coefficients: Sequence[int]) -> int:
    return reduce(lambda value, coefficient: times(value, x) ^ coefficient, reversed(coefficients), 0)


def _body(wanted: Wanted) -> bytes:
    tag_key = hmac.digest(wanted.secret, label("tag-key") + wanted.envelope_id, hashlib.sha256)
    listed = [[path, len(content), digest(content)] for path, content in wanted.documents.items()]
    manifest = canonical({1: wanted.bidder, 2: tag_key, 3: listed})
    content = b"".join(wanted.documents.values())
    size = max(1024, padme(len(content) + len(manifest) + 4))
    zeros = bytes(size - len(content) - len(manifest) - 4)
    return content + zeros + manifest + len(manifest).to_bytes(4, "big")


def chunked(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Chunked encryption: salt, commitment, full chunks, and always a shorter last one."""
    salt = os.urandom(24)
    derived = HKDFExpand(hashes.SHA512(), 76, PURPOSE + salt + context).derive(key)
    cipher, base = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    pieces = [plaintext[place : place + CHUNK] for place in range(0, len(plaintext) + 1, CHUNK)]
    sealed = [cipher.encrypt((base ^ i).to_bytes(12, "big"), piece, None) for i, piece in enumerate(pieces)]
    return salt + derived[44:] + b"".join(sealed)
