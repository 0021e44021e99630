# SPDX-License-Identifier: EUPL-1.2
"""The file key of one envelope as a file: two unsigned lines of kind `bid-key` (protocol 3.8).

In an archive package it lets anyone open the envelope again; before the opening it would be a rescue file.
"""

from dataclasses import dataclass, field

from crypto.algorithms import HASH_SIZE, ID_SIZE
from crypto.encoding import Fields, encode
from crypto.errors import FormatError
from crypto.policy_parts import MAX_BOXES, MAX_SEALED
from crypto.statement import from_base64, to_base64

FIRST_LINE = "bidvault/bid-key/v1"
FILE_KEY_SIZE = 32
MAX_FILE = 1024
_LINES = 3  # two, and nothing behind the last line feed


@dataclass(frozen=True)
class BidKey:
    """Whose envelope's key it is, by every name the envelope has, and the key."""

    policy_hash: bytes
    box: int
    envelope_id: bytes
    header_hash: bytes
    file_hash: bytes
    length: int
    file_key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The file's bytes."""
        payload = encode(
            {
                1: self.policy_hash,
                2: self.box,
                3: self.envelope_id,
                4: self.header_hash,
                5: self.file_hash,
                6: self.length,
                7: self.file_key,
            }
        )
        return f"{FIRST_LINE}\n{to_base64(payload)}\n".encode()

    @classmethod
    def decode(cls, data: bytes) -> "BidKey":
        """Read the file strictly; FormatError."""
        if len(data) > MAX_FILE:
            raise FormatError(f"{len(data)} bytes, at most {MAX_FILE} allowed")
        lines = data.decode("ascii", errors="replace").split("\n")
        if len(lines) != _LINES or lines[0] != FIRST_LINE or lines[2]:
            raise FormatError("not the key of an envelope")
        fields = Fields.decode(from_base64(lines[1]), limit=MAX_FILE, mandatory=range(1, 8))
        return cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            box=fields.uint(2, least=1, most=MAX_BOXES),
            envelope_id=fields.bstr(3, size=ID_SIZE),
            header_hash=fields.bstr(4, size=HASH_SIZE),
            file_hash=fields.bstr(5, size=HASH_SIZE),
            length=fields.uint(6, least=1, most=MAX_SEALED),
            file_key=fields.bstr(7, size=FILE_KEY_SIZE),
        )
