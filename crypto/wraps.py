# SPDX-License-Identifier: EUPL-1.2
"""One key wrapped by another: 60 bytes bound to what it is and whose it is (protocol 2.6).

    nonce 12 ‖ AES-256-GCM(parent, nonce, key 32, AAD = L("wrap") ‖ kind 1 ‖ id 16)

Rules
  1. A wrap opens only as the kind and for the id it was made for; swapped wraps are refused.
  2. A nonce is random; a parent wraps far fewer than 2^32 keys.

Left to others: which key is whose parent and where wraps lie (vault.keys).
"""

import os
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.algorithms import GCM_NONCE_SIZE, GCM_TAG_SIZE, ID_SIZE, KEY_SIZE
from crypto.encoding import label
from crypto.errors import WrapError

WRAP_SIZE = GCM_NONCE_SIZE + KEY_SIZE + GCM_TAG_SIZE


class WrapKind(IntEnum):
    """What a wrapped key is (parent; id)."""

    PROCEDURE = 1  # root; procedure
    OBJECT = 2  # procedure key; object
    GATE_SEED = 3  # the gate's own root; procedure
    OPENING_SEED = 4  # procedure key; H(opening key)[:16]
    FILE = 5  # its envelope's object key; object
    INDEX = 6  # root; platform
    RESUMED_FILE = 7  # HKDF of the deposit secret; object


def wrap(
    parent: bytes | bytearray, key: bytes | bytearray, *, kind: WrapKind, id16: bytes, nonce: bytes | None = None
) -> bytes:
    """Wrap a 32-byte key; the nonce is given only by test vectors."""
    if len(key) != KEY_SIZE:
        raise ValueError(f"a wrapped key has {KEY_SIZE} bytes")
    drawn = os.urandom(GCM_NONCE_SIZE) if nonce is None else nonce
    return drawn + AESGCM(parent).encrypt(drawn, key, _place(kind, id16))


def unwrap(parent: bytes | bytearray, wrapped: bytes, *, kind: WrapKind, id16: bytes) -> bytearray:
    """The wrapped key.

    Raises:
        WrapError: another parent, kind or id, or changed bytes.
    """
    if len(wrapped) != WRAP_SIZE:
        raise WrapError(f"a wrap has {WRAP_SIZE} bytes")
    try:
        opened = AESGCM(parent).decrypt(wrapped[:GCM_NONCE_SIZE], wrapped[GCM_NONCE_SIZE:], _place(kind, id16))
    except InvalidTag as error:
        raise WrapError("not the wrap of this kind and id under this key") from error
    return bytearray(opened)


def _place(kind: WrapKind, id16: bytes) -> bytes:
    if len(id16) != ID_SIZE:
        raise ValueError(f"an id has {ID_SIZE} bytes")
    return label("wrap") + bytes((kind,)) + id16
