# SPDX-License-Identifier: EUPL-1.2
"""What is said when a box closes: its list, the closing, and decisions on single envelopes (protocol 3.7, 3.8).

Rules
  1. A list holds each envelope once, in journal order; its root is the tree hash over its entries.
  2. A closing with a decision's id is supplementary: its list is the decision's one entry.

Left to others: who may say it and when (crypto.opening_rules), opening and minutes (crypto.ceremony).
"""

import functools
from dataclasses import dataclass
from datetime import datetime

from crypto.algorithms import HASH_SIZE, ID_SIZE
from crypto.encoding import (
    MAX_ITEMS,
    Cbor,
    Fields,
    decode,
    encode,
    require_array,
    require_bstr,
    require_uint,
    to_millis,
)
from crypto.errors import FormatError, KindError
from crypto.merkle import tree_hash
from crypto.policy_parts import MAX_BOXES, MAX_SEALED
from crypto.statement import MAX_NOTE, Kind, Statement

MAX_LIST = 262_144  # protocol 3.7: entries of one opening
MAX_LIST_BYTES = MAX_LIST * 96 + 16  # an entry has at most 95 bytes
_ITEM_BYTES = 16  # an entry is an array of four, of 86 bytes at least
MAX_DECISION_REASON = 2000  # protocol 3.8
_MAX_ENTRY = 96
_ADMIT = 1


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One envelope as it was closed: id, header hash, file hash, length."""

    envelope_id: bytes
    header_hash: bytes
    file_hash: bytes
    length: int

    def encode(self) -> bytes:
        """The entry's bytes: a leaf of the list."""
        return encode(self.to_cbor())

    def to_cbor(self) -> Cbor:
        """`[envelope_id, HH, H(file), length]`."""
        return [self.envelope_id, self.header_hash, self.file_hash, self.length]

    @classmethod
    def decode(cls, data: bytes) -> "ListEntry":
        """Read an entry strictly; FormatError."""
        return cls.from_cbor(decode(data, limit=_MAX_ENTRY))

    @classmethod
    def from_cbor(cls, value: Cbor) -> "ListEntry":
        """Read `[envelope_id, HH, H(file), length]`; FormatError."""
        envelope_id, header_hash, file_hash, length = require_array(value, size=4)
        return cls(
            require_bstr(envelope_id, size=ID_SIZE),
            require_bstr(header_hash, size=HASH_SIZE),
            require_bstr(file_hash, size=HASH_SIZE),
            require_uint(length, least=1, most=MAX_SEALED),
        )


@dataclass(frozen=True)
class EnvelopeList:
    """The envelopes that stand in one box, in journal order."""

    entries: tuple[ListEntry, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def encode(self) -> bytes:
        """The list's bytes."""
        return encode([entry.to_cbor() for entry in self.entries])

    @functools.cached_property
    def root(self) -> bytes:
        """RFC 6962 tree hash over the entries."""
        return tree_hash([entry.encode() for entry in self.entries])

    @classmethod
    def decode(cls, data: bytes) -> "EnvelopeList":
        """Read a list strictly; FormatError."""
        value = decode(data, limit=MAX_LIST_BYTES, items=MAX_ITEMS + len(data) // _ITEM_BYTES)
        rows = require_array(value, most=MAX_LIST)
        entries = tuple(ListEntry.from_cbor(row) for row in rows)
        if len({entry.envelope_id for entry in entries}) != len(entries):
            raise FormatError("an envelope stands twice in a list")
        return cls(entries)


@dataclass(frozen=True)
class Closing:
    """A box is closed: its list is fixed. `decision` marks a supplementary closing."""

    policy_hash: bytes
    box: int
    count: int
    root: bytes
    deadline: datetime
    at: datetime
    decision: bytes | None = None

    def encode(self) -> bytes:
        """The payload."""
        entries: dict[int, Cbor] = {
            1: self.policy_hash,
            2: self.box,
            3: self.count,
            4: self.root,
            5: to_millis(self.deadline),
            6: to_millis(self.at),
        }
        if self.decision is not None:
            entries[7] = self.decision
        return encode(entries)

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.CLOSING, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Closing":
        """The closing a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.CLOSING))

    @classmethod
    def decode(cls, data: bytes) -> "Closing":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_NOTE, mandatory=range(1, 7), optional=(7,))
        return cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            box=fields.uint(2, least=1, most=MAX_BOXES),
            count=fields.uint(3, most=MAX_LIST),
            root=fields.bstr(4, size=HASH_SIZE),
            deadline=fields.moment(5),
            at=fields.moment(6),
            decision=fields.bstr(7, size=HASH_SIZE) if fields.has(7) else None,
        )


@dataclass(frozen=True)
class Decision:
    """k custodians' word: this one late or review envelope is admitted."""

    policy_hash: bytes
    box: int
    entry: ListEntry
    reason: str

    def encode(self) -> bytes:
        """The payload."""
        return encode({1: self.policy_hash, 2: self.box, 3: self.entry.to_cbor(), 4: _ADMIT, 5: self.reason})

    @property
    def statement(self) -> Statement:
        """What the custodians sign."""
        return Statement(Kind.DECISION, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Decision":
        """The decision a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.DECISION))

    @classmethod
    def decode(cls, data: bytes) -> "Decision":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_NOTE, mandatory=range(1, 6))
        fields.uint(4, least=_ADMIT, most=_ADMIT)
        return cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            box=fields.uint(2, least=1, most=MAX_BOXES),
            entry=ListEntry.from_cbor(fields.raw(3)),
            reason=fields.text(5, most=MAX_DECISION_REASON),
        )


def payload_of(statement: Statement, kind: Kind) -> bytes:
    """The payload of a statement of one kind; KindError for another."""
    if statement.kind is not kind:
        raise KindError(f"not a statement of kind {kind}")
    return statement.payload
