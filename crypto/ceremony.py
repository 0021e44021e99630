# SPDX-License-Identifier: EUPL-1.2
"""What is said from the rehearsal to the minutes: one value for each statement (protocol 3.7, 3.8).

Rules
  1. What is said at a closing is in crypto.closings, and read from here too.
  2. Indexes count from 0 through the lists of an opening's closings, in their order, and always rise.
  3. Every slot is answered for: a share or a named failure.
  4. A payload is one canonical map; a value that its decoder would refuse is not written.

Left to others: who may say it and when (crypto.opening_rules), the journal (crypto.events).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from crypto.algorithms import HASH_SIZE, HPKE_OVERHEAD, ID_SIZE, KEM_PUBLIC_SIZE, SHARE_SIZE
from crypto.closings import MAX_LIST, Closing, Decision, EnvelopeList, ListEntry, payload_of
from crypto.encoding import (
    MAX_ITEMS,
    Cbor,
    Fields,
    encode,
    label,
    require_array,
    require_bstr,
    require_text,
    require_uint,
    to_millis,
)
from crypto.errors import FormatError, KindError
from crypto.policy_parts import Opener, require_rising
from crypto.statement import MAX_LARGE_NOTE, MAX_NOTE, Kind, Statement

__all__ = [
    "Closing",
    "Contribution",
    "Decision",
    "EnvelopeList",
    "Keyed",
    "ListEntry",
    "MinutedEnvelope",
    "Minutes",
    "Opening",
    "Outcome",
    "Rehearsal",
    "SlotCode",
    "SlotFailure",
    "Unkeyed",
    "share_info",
]

MAX_CLOSINGS = 4096  # protocol 3.8
MAX_ATTEMPT = 64
MAX_REASON = 200
MAX_CONTRIBUTIONS = 64
# How many bytes a value takes at least where there are more than a few (crypto.encoding, rule 4)
_INDEX_BYTES = 3  # indexes rise, so few of them are short
_UNKEYED_ITEMS, _UNKEYED_BYTES = 3, 5  # [index, reason], the reason perhaps empty
_FAILURE_BYTES = 12  # [index, code], beside 33 bytes of its share
_MINUTED_BYTES = 7  # [index, outcome, reason, hash]
_NO_DOCUMENTS = bytes(HASH_SIZE)


class SlotCode(IntEnum):
    """Why a slot gave no share."""

    HPKE = 1
    COMMIT = 2
    HEADER = 3
    LEFT_OUT = 4


class Outcome(IntEnum):
    """What became of a listed envelope."""

    OPENED = 1
    FAILED = 2
    UNKEYED = 3


@dataclass(frozen=True)
class Opening:
    """An attempt to open the lists of some closings with one fresh key."""

    policy_hash: bytes
    closings: tuple[bytes, ...]
    attempt: int
    opening_key: bytes
    opener: Opener
    at: datetime
    left_out: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The payload."""
        entries: dict[int, Cbor] = {
            1: self.policy_hash,
            2: list(self.closings),
            3: self.attempt,
            4: self.opening_key,
            5: int(self.opener),
            6: to_millis(self.at),
        }
        if self.left_out:
            entries[7] = list(self.left_out)
        return encode(entries)

    @property
    def statement(self) -> Statement:
        """What the vault and the gates sign."""
        return Statement(Kind.OPENING, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Opening":
        """The opening a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.OPENING))

    @classmethod
    def decode(cls, data: bytes) -> "Opening":
        """Read a payload strictly; FormatError."""
        items = MAX_ITEMS + len(data) // _INDEX_BYTES
        fields = Fields.decode(data, limit=MAX_NOTE, mandatory=range(1, 7), optional=(7,), items=items)
        left_out = _indexes(fields.array(7, least=1, most=MAX_LIST)) if fields.has(7) else ()
        return cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            closings=_distinct_ids(fields.array(2, least=1, most=MAX_CLOSINGS)),
            attempt=fields.uint(3, least=1, most=MAX_ATTEMPT),
            opening_key=fields.bstr(4, size=KEM_PUBLIC_SIZE),
            opener=Opener(fields.uint(5, least=1, most=len(Opener))),
            at=fields.moment(6),
            left_out=left_out,
        )


@dataclass(frozen=True, slots=True)
class SlotFailure:
    """A listed envelope whose slot gave no share."""

    index: int
    code: SlotCode


@dataclass(frozen=True)
class Contribution:
    """One holder's shares for one opening, sealed to its key; a gate's is called release."""

    opening_id: bytes
    kid: bytes
    sealed: bytes
    failures: tuple[SlotFailure, ...] = ()

    @property
    def count(self) -> int:
        """How many share places the sealed part holds."""
        return (len(self.sealed) - HPKE_OVERHEAD) // SHARE_SIZE

    def encode(self) -> bytes:
        """The payload."""
        failures: Cbor = [[failure.index, int(failure.code)] for failure in self.failures]
        return encode({1: self.opening_id, 2: self.kid, 3: self.sealed, 4: failures})

    def statement(self, kind: Kind) -> Statement:
        """What its holder signs: a custodian a contribution, a gate a release."""
        return Statement(_require_share_kind(kind), self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Contribution":
        """The contribution or release a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, _require_share_kind(statement.kind)))

    @classmethod
    def decode(cls, data: bytes) -> "Contribution":
        """Read a payload strictly; FormatError."""
        items = MAX_ITEMS + len(data) // _FAILURE_BYTES
        fields = Fields.decode(data, limit=MAX_LARGE_NOTE, mandatory=range(1, 5), items=items)
        sealed = fields.bstr(3, most=HPKE_OVERHEAD + MAX_LIST * SHARE_SIZE)
        count, rest = divmod(len(sealed) - HPKE_OVERHEAD, SHARE_SIZE)
        if count < 0 or rest:
            raise FormatError("a contribution holds whole shares")
        rows = [Fields.row(row, size=2) for row in fields.array(4, most=count)]
        codes = (1, len(SlotCode))
        failures = tuple(
            SlotFailure(row.uint(0, most=count - 1), SlotCode(row.uint(1, least=codes[0], most=codes[1])))
            for row in rows
        )
        require_rising([failure.index for failure in failures], "indexes")
        return cls(fields.bstr(1, size=HASH_SIZE), fields.bstr(2, size=ID_SIZE), sealed, failures)


def share_info(kind: Kind, opening_id: bytes, kid: bytes) -> bytes:
    """HPKE info that binds a contribution's or release's shares to opening and holder."""
    return label(_require_share_kind(kind).value) + opening_id + kid


@dataclass(frozen=True, slots=True)
class Unkeyed:
    """A listed envelope without file key, and why (a refusal word)."""

    index: int
    reason: str


@dataclass(frozen=True)
class Keyed:
    """Every listed envelope that will ever open in this attempt has its file key now."""

    opening_id: bytes
    contributions: tuple[bytes, ...]
    unkeyed: tuple[Unkeyed, ...] = ()

    def encode(self) -> bytes:
        """The payload."""
        unkeyed: Cbor = [[one.index, one.reason] for one in self.unkeyed]
        return encode({1: self.opening_id, 2: list(self.contributions), 3: unkeyed})

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.KEYED, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Keyed":
        """What a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.KEYED))

    @classmethod
    def decode(cls, data: bytes) -> "Keyed":
        """Read a payload strictly; FormatError."""
        items = MAX_ITEMS + len(data) * _UNKEYED_ITEMS // _UNKEYED_BYTES
        fields = Fields.decode(data, limit=MAX_LARGE_NOTE, mandatory=range(1, 4), items=items)
        rows = [require_array(row, size=2) for row in fields.array(3, most=MAX_LIST)]
        unkeyed = tuple(Unkeyed(_index(row[0]), require_text(row[1], most=MAX_REASON)) for row in rows)
        require_rising([one.index for one in unkeyed], "indexes")
        return cls(
            fields.bstr(1, size=HASH_SIZE), _distinct_ids(fields.array(2, least=1, most=MAX_CONTRIBUTIONS)), unkeyed
        )


@dataclass(frozen=True, slots=True)
class MinutedEnvelope:
    """What the minutes say of one listed envelope; zeros stand for documents that were not read."""

    index: int
    outcome: Outcome
    reason: str = ""
    documents_hash: bytes = _NO_DOCUMENTS


@dataclass(frozen=True)
class Minutes:
    """The statement of an opening."""

    opening_id: bytes
    keyed_id: bytes
    began: datetime
    ended: datetime
    contributors: tuple[bytes, ...]
    envelopes: tuple[MinutedEnvelope, ...]

    def encode(self) -> bytes:
        """The payload."""
        envelopes: Cbor = [[one.index, int(one.outcome), one.reason, one.documents_hash] for one in self.envelopes]
        return encode(
            {
                1: self.opening_id,
                2: self.keyed_id,
                3: to_millis(self.began),
                4: to_millis(self.ended),
                5: list(self.contributors),
                6: envelopes,
            }
        )

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.MINUTES, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Minutes":
        """The minutes a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.MINUTES))

    @classmethod
    def decode(cls, data: bytes) -> "Minutes":
        """Read a payload strictly; FormatError."""
        items = MAX_ITEMS + len(data) // _MINUTED_BYTES
        fields = Fields.decode(data, limit=MAX_LARGE_NOTE, mandatory=range(1, 7), items=items)
        envelopes = tuple(_minuted(row) for row in fields.array(6, most=MAX_LIST))
        require_rising([one.index for one in envelopes], "indexes")
        return cls(
            opening_id=fields.bstr(1, size=HASH_SIZE),
            keyed_id=fields.bstr(2, size=HASH_SIZE),
            began=fields.moment(3),
            ended=fields.moment(4),
            contributors=_distinct(fields.array(5, least=1, most=MAX_CONTRIBUTIONS), size=ID_SIZE),
            envelopes=envelopes,
        )


@dataclass(frozen=True)
class Rehearsal:
    """One holder opened its slot of a canary: its key works. The share is worth nothing."""

    policy_hash: bytes
    kid: bytes
    canary_header_hash: bytes
    share: bytes

    def encode(self) -> bytes:
        """The payload."""
        return encode({1: self.policy_hash, 2: self.kid, 3: self.canary_header_hash, 4: self.share})

    @property
    def statement(self) -> Statement:
        """What the holder signs."""
        return Statement(Kind.REHEARSAL, self.encode())

    @classmethod
    def of(cls, statement: Statement) -> "Rehearsal":
        """The rehearsal a statement carries; FormatError, KindError."""
        return cls.decode(payload_of(statement, Kind.REHEARSAL))

    @classmethod
    def decode(cls, data: bytes) -> "Rehearsal":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_NOTE, mandatory=range(1, 5))
        return cls(
            fields.bstr(1, size=HASH_SIZE),
            fields.bstr(2, size=ID_SIZE),
            fields.bstr(3, size=HASH_SIZE),
            fields.bstr(4, size=SHARE_SIZE),
        )


def _require_share_kind(kind: Kind) -> Kind:
    if kind not in (Kind.CONTRIBUTION, Kind.RELEASE):
        raise KindError("neither a contribution nor a release")
    return kind


def _index(value: Cbor) -> int:
    return require_uint(value, most=MAX_LIST - 1)


def _indexes(values: Sequence[Cbor]) -> tuple[int, ...]:
    indexes = tuple(_index(value) for value in values)
    require_rising(indexes, "indexes")
    return indexes


def _distinct_ids(values: Sequence[Cbor]) -> tuple[bytes, ...]:
    return _distinct(values, size=HASH_SIZE)


def _distinct(values: Sequence[Cbor], *, size: int) -> tuple[bytes, ...]:
    ids = tuple(require_bstr(value, size=size) for value in values)
    if len(set(ids)) != len(ids):
        raise FormatError("one id stands twice")
    return ids


def _minuted(value: Cbor) -> MinutedEnvelope:
    index, outcome, reason, documents_hash = require_array(value, size=4)
    return MinutedEnvelope(
        _index(index),
        Outcome(require_uint(outcome, least=1, most=len(Outcome))),
        require_text(reason, most=MAX_REASON),
        require_bstr(documents_hash, size=HASH_SIZE),
    )
