# SPDX-License-Identifier: EUPL-1.2
"""The encrypted row: what a table may not show before the closing (protocol 4.12).

Rules
  1. Facts of an envelope, an attempt, a ledger and a journal row, times included, are one AES-256-GCM blob.
  2. The blob is bound to its table, its row and its state: copied elsewhere it does not open.
  3. It is padded to a multiple of 1 KiB, so that its length tells little.
  4. What does not open under a procedure's key is not that procedure's row; nothing else tells whose it is.

Left to others: the key (vault.keys), which columns stay clear (vault.models).
"""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.encoding import label

BLOCK = 1024  # protocol 4.12
NONCE_BYTES = 12
LENGTH_BYTES = 4

RowId = UUID | int


class NotThisRow(Exception):
    """The blob does not open under this key at this place."""


def hide(key: bytes, facts: bytes, *, table: str, row_id: RowId, state: str) -> bytes:
    """Encrypt `facts` for one row: nonce ‖ ciphertext of length ‖ facts ‖ zeros."""
    nonce = os.urandom(NONCE_BYTES)
    framed = len(facts).to_bytes(LENGTH_BYTES, "big") + facts
    padded = framed + bytes(-len(framed) % BLOCK)
    return nonce + AESGCM(key).encrypt(nonce, padded, _place(table, row_id, state))


def reveal(key: bytes, blob: bytes, *, table: str, row_id: RowId, state: str) -> bytes:
    """Decrypt the facts of one row.

    Raises:
        NotThisRow: another procedure's key, another row, another state, or changed bytes.
    """
    try:
        padded = AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], _place(table, row_id, state))
    except (InvalidTag, ValueError) as error:
        raise NotThisRow from error
    length = int.from_bytes(padded[:LENGTH_BYTES], "big")
    return padded[LENGTH_BYTES : LENGTH_BYTES + length]


def is_revealed(key: bytes, blob: bytes, *, table: str, row_id: RowId, state: str) -> bool:
    """Whether these facts are this key's: most of a week's rows are others'."""
    try:
        AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], _place(table, row_id, state))
    except (InvalidTag, ValueError):
        return False
    return True


def _place(table: str, row_id: RowId, state: str) -> bytes:
    row = row_id.bytes if isinstance(row_id, UUID) else row_id.to_bytes(8, "big")
    return label("facts") + table.encode() + b"\0" + row + b"\0" + state.encode()
