# SPDX-License-Identifier: EUPL-1.2
"""What all of the second implementation stands on: labels, hashes, maps, signed notes; from the reference pages alone.

Rules
  1. Nothing of ours is imported; what the pages do not say is not here.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
MLKEM_PUBLIC = 1184
ED25519 = b"\x01"


def label(name: str) -> bytes:
    return b"bidvault/v1/" + name.encode() + b"\x00"


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value: object) -> bytes:
    return cbor2.dumps(value, canonical=True)


def public_key(kem: bytes) -> MLKEM768X25519PublicKey:
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(kem[:MLKEM_PUBLIC]),
        X25519PublicKey.from_public_bytes(kem[MLKEM_PUBLIC:]),
    )


def private_key(master: bytes) -> MLKEM768X25519PrivateKey:
    expanded = hashlib.shake_256(HKDFExpand(hashes.SHA512(), 32, label("key/xwing")).derive(master)).digest(96)
    return MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
    )


@dataclass(frozen=True)
class Note:
    """A signed note: its text, and who signed it with what."""

    text: str
    signatures: Mapping[str, bytes] = field(repr=False)

    @property
    def id(self) -> bytes:
        return digest(self.text.encode())

    @property
    def payload(self) -> bytes:
        return base64.b64decode(self.text.split("\n")[1], validate=True)

    @property
    def kind(self) -> str:
        return self.text.split("\n")[0].split("/")[1]


def read_note(note: bytes) -> Note:
    text, _, signed = note.decode().rpartition("\n\n")
    signatures = {}
    for line in signed.removesuffix("\n").split("\n"):
        dash, name, value = line.split(" ")
        assert dash == "—"
        signatures[name] = base64.b64decode(value, validate=True)
    return Note(text + "\n", signatures)


def require_signed(note: Note, vkey: str) -> None:
    """Check the signature of a verifier line: name, hash of name and key, type and key."""
    name, key_hash, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    signature = note.signatures[name]
    assert key[:1] == ED25519
    assert signature[:4].hex() == key_hash == digest(name.encode() + b"\n" + key)[:4].hex()
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], note.text.encode())


def write_note(kind: str, payload: object, *, name: str, master: bytes) -> bytes:
    """A statement signed by the holder of a master."""
    private = Ed25519PrivateKey.from_private_bytes(HKDFExpand(hashes.SHA512(), 32, label("key/ed25519")).derive(master))
    text = f"bidvault/{kind}/v1\n{base64.b64encode(canonical(payload)).decode()}\n"
    key = ED25519 + private.public_key().public_bytes_raw()
    signature = digest(name.encode() + b"\n" + key)[:4] + private.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n".encode()
