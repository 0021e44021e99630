# SPDX-License-Identifier: EUPL-1.2
"""X-Wing seal and open of small secrets: RFC 9180 base mode, one shot (protocol 2.2).

Rules
  1. All binding is in `info`; there is no additional data.
  2. A private key is its 32-byte seed; the public key follows from it.
  3. Whatever does not open is one refusal: nobody learns at which step it failed.

Left to others: what a failed slot means (sealing, ceremony), where seeds lie (keys).
"""

import hashlib

from cryptography.exceptions import InvalidTag
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

from crypto.algorithms import HPKE_OVERHEAD, KEM_PUBLIC_SIZE, KEM_SEED_SIZE
from crypto.errors import FormatError, UnopenedError

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM_PUBLIC_SIZE = 1184  # FIPS 203, ML-KEM-768
_MLKEM_SEED_SIZE = 64  # FIPS 203: d ‖ z
_EXPANDED_SIZE = 96  # X-Wing: ML-KEM seed ‖ X25519 secret


def seal(kem_public: bytes, info: bytes, plaintext: bytes | bytearray) -> bytes:
    """Seal to the holder of a public key: enc(1120) ‖ ciphertext.

    Raises:
        FormatError: the public key is none.
    """
    key = _public_key(kem_public)
    try:
        return _SUITE.encrypt(plaintext, key, info=info)
    except ValueError as error:  # a point of low order: everybody could open it
        raise FormatError("a public key that protects nothing") from error


def require_kem_public(kem_public: bytes) -> bytes:
    """The key, if something can be sealed to it; FormatError if not."""
    seal(kem_public, b"", b"")
    return kem_public


def _public_key(kem_public: bytes) -> MLKEM768X25519PublicKey:
    if len(kem_public) != KEM_PUBLIC_SIZE:
        raise FormatError(f"a public key has {KEM_PUBLIC_SIZE} bytes")
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(kem_public[:_MLKEM_PUBLIC_SIZE]),
            X25519PublicKey.from_public_bytes(kem_public[_MLKEM_PUBLIC_SIZE:]),
        )
    except ValueError as error:
        raise FormatError("not a public key") from error


class KemKey:
    """A private X-Wing key, made from its seed.

    Attributes:
        public: the 1216 bytes others seal to.
    """

    def __init__(self, seed: bytes | bytearray) -> None:
        if len(seed) != KEM_SEED_SIZE:
            raise ValueError(f"a seed has {KEM_SEED_SIZE} bytes")
        expanded = bytearray(hashlib.shake_256(seed).digest(_EXPANDED_SIZE))
        lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_SIZE])
        curve = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_SIZE:])
        expanded[:] = bytes(_EXPANDED_SIZE)
        self._key = MLKEM768X25519PrivateKey(lattice, curve)
        self.public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"KemKey(public={self.public[:4].hex()}…)"

    def open(self, info: bytes, sealed: bytes) -> bytearray:
        """Open what was sealed to this key with the same `info`.

        Raises:
            UnopenedError: sealed to another key, for another purpose, or changed.
        """
        if len(sealed) < HPKE_OVERHEAD:
            raise UnopenedError("sealed bytes are too short")
        try:
            return bytearray(_SUITE.decrypt(sealed, self._key, info=info))
        except (InvalidTag, ValueError) as error:
            raise UnopenedError("sealed bytes do not open with this key") from error
