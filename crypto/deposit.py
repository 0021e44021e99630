# SPDX-License-Identifier: EUPL-1.2
"""What is said about a deposit: record, registration notice, receipt, withdrawal (protocol 3.5, 3.6).

Rules
  1. The record is what time authorities stamp: imprint = H(its bytes).
  2. A record sealed by the vault carries the documents tag; no digest of a plaintext stands anywhere.
  3. A receipt carries no place in the journal: places count the rivals before the closing.

Left to others: the verdict (vault.lifecycle), the five legal mentions in print (vault.prints).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from crypto.algorithms import HASH_SIZE, ID_SIZE
from crypto.encoding import Cbor, Fields, decode, encode, require_bstr, sha256, to_millis
from crypto.errors import FormatError
from crypto.events import SALT_SIZE, Event
from crypto.policy import Mode
from crypto.policy_parts import MAX_BOXES, MAX_SEALED
from crypto.statement import MAX_RECEIPT, Kind, Statement

MAX_RECORD = 1024  # protocol 3.5
MAX_TOKENS = 8
MAX_TOKEN = 32 << 10  # with certificates, qualified tokens in use are below 10 KB
MAX_LEVEL = 3


class Verdict(IntEnum):
    """Whether a deposit was in time (protocol 4.3)."""

    IN_TIME = 1
    LATE = 2
    REVIEW = 3


@dataclass(frozen=True)
class DepositRecord:
    """One deposit as received; `imprint` is what is stamped."""

    policy_hash: bytes
    box: int
    envelope_id: bytes
    mode: Mode
    header_hash: bytes
    file_hash: bytes
    length: int
    bidder: str
    first_byte_at: datetime
    last_byte_at: datetime
    documents_tag: bytes | None

    @property
    def imprint(self) -> bytes:
        """H(D)."""
        return sha256(self.encode())

    def encode(self) -> bytes:
        """The canonical bytes D."""
        return encode(self.to_cbor())

    def to_cbor(self) -> Cbor:
        """The map of protocol 3.5."""
        entries: dict[int, Cbor] = {
            1: self.policy_hash,
            2: self.box,
            3: self.envelope_id,
            4: int(self.mode),
            5: self.header_hash,
            6: self.file_hash,
            7: self.length,
            8: self.bidder,
            9: to_millis(self.first_byte_at),
            10: to_millis(self.last_byte_at),
        }
        if self.documents_tag is not None:
            entries[11] = self.documents_tag
        return entries

    @classmethod
    def decode(cls, data: bytes) -> "DepositRecord":
        """Read D strictly; FormatError."""
        return cls.from_cbor(decode(data, limit=MAX_RECORD))

    @classmethod
    def from_cbor(cls, value: Cbor) -> "DepositRecord":
        """Read the map of protocol 3.5; FormatError."""
        fields = Fields(value, mandatory=range(1, 11), optional=(11,))
        record = cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            box=fields.uint(2, least=1, most=MAX_BOXES),
            envelope_id=fields.bstr(3, size=ID_SIZE),
            mode=Mode(fields.uint(4, least=1, most=len(Mode))),
            header_hash=fields.bstr(5, size=HASH_SIZE),
            file_hash=fields.bstr(6, size=HASH_SIZE),
            length=fields.uint(7, least=1, most=MAX_SEALED),
            bidder=fields.text(8),
            first_byte_at=fields.moment(9),
            last_byte_at=fields.moment(10),
            documents_tag=fields.bstr(11, size=HASH_SIZE) if fields.has(11) else None,
        )
        if record.mode is Mode.SERVER and record.documents_tag is None:
            raise FormatError("a record sealed by the vault carries the documents tag")
        if record.last_byte_at < record.first_byte_at:
            raise FormatError("the last byte came before the first")
        return record


@dataclass(frozen=True)
class WithdrawalRecord:
    """One withdrawal as received; keys 1, 2, 3, 8, 10 of a deposit record."""

    policy_hash: bytes
    box: int
    envelope_id: bytes
    bidder: str
    last_byte_at: datetime

    @property
    def imprint(self) -> bytes:
        """H of the record's bytes."""
        return sha256(self.encode())

    def encode(self) -> bytes:
        """The canonical bytes."""
        return encode(self.to_cbor())

    def to_cbor(self) -> Cbor:
        """The map of protocol 3.5."""
        return {
            1: self.policy_hash,
            2: self.box,
            3: self.envelope_id,
            8: self.bidder,
            10: to_millis(self.last_byte_at),
        }

    @classmethod
    def decode(cls, data: bytes) -> "WithdrawalRecord":
        """Read the record strictly; FormatError."""
        return cls.from_cbor(decode(data, limit=MAX_RECORD))

    @classmethod
    def from_cbor(cls, value: Cbor) -> "WithdrawalRecord":
        """Read the map; FormatError."""
        fields = Fields(value, mandatory=(1, 2, 3, 8, 10))
        return cls(
            policy_hash=fields.bstr(1, size=HASH_SIZE),
            box=fields.uint(2, least=1, most=MAX_BOXES),
            envelope_id=fields.bstr(3, size=ID_SIZE),
            bidder=fields.text(8),
            last_byte_at=fields.moment(10),
        )


@dataclass(frozen=True)
class Service:
    """Who answers for the vault: the receipt's legal mention."""

    name: str
    address: str
    telephone: str

    def to_cbor(self) -> Cbor:
        """`[name, address, telephone]`."""
        return [self.name, self.address, self.telephone]

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Service":
        """Read `[name, address, telephone]`; FormatError."""
        fields = Fields.row(value, size=3)
        return cls(fields.text(0), fields.text(1), fields.text(2))


@dataclass(frozen=True)
class Registration:
    """The notice given at once while no time authority answers; never changed, followed by the receipt."""

    record: DepositRecord
    at: datetime
    event: Event
    salt: bytes
    service: Service

    def encode(self) -> bytes:
        """The payload."""
        return encode(
            {
                1: self.record.to_cbor(),
                2: to_millis(self.at),
                3: self.event.to_cbor(),
                4: self.salt,
                5: self.service.to_cbor(),
            }
        )

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.REGISTRATION, self.encode())

    @classmethod
    def decode(cls, data: bytes) -> "Registration":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_RECEIPT, mandatory=range(1, 6))
        return cls(
            record=DepositRecord.from_cbor(fields.raw(1)),
            at=fields.moment(2),
            event=Event.from_cbor(fields.raw(3)),
            salt=fields.bstr(4, size=SALT_SIZE),
            service=Service.from_cbor(fields.raw(5)),
        )


@dataclass(frozen=True)
class Ruling:
    """The part of a receipt or withdrawal beside its record.

    Attributes:
        verdict: in time, late, or review.
        reason: which case gave it.
        committed_at: t_commit of the transaction that gave it.
        tokens: the tokens over the record, DER.
        level: the level of secrecy promised, 0 to 3.
        event: the journal event; its leaf needs `salt`.
        judged_by: hash of the policy in force at the verdict.
    """

    verdict: Verdict
    reason: str
    committed_at: datetime
    tokens: tuple[bytes, ...]
    level: int
    event: Event
    salt: bytes
    service: Service
    judged_by: bytes

    def to_map(self, record: Cbor) -> dict[int, Cbor]:
        """The map of protocol 3.6 around a record."""
        return {
            1: record,
            2: int(self.verdict),
            3: self.reason,
            4: to_millis(self.committed_at),
            5: list(self.tokens),
            6: self.level,
            7: self.event.to_cbor(),
            8: self.salt,
            9: self.service.to_cbor(),
            10: self.judged_by,
        }

    @classmethod
    def read(cls, fields: Fields) -> "Ruling":
        """Read keys 2 to 10; FormatError."""
        return cls(
            verdict=Verdict(fields.uint(2, least=1, most=len(Verdict))),
            reason=fields.text(3),
            committed_at=fields.moment(4),
            tokens=tuple(require_bstr(token, most=MAX_TOKEN) for token in fields.array(5, least=1, most=MAX_TOKENS)),
            level=fields.uint(6, most=MAX_LEVEL),
            event=Event.from_cbor(fields.raw(7)),
            salt=fields.bstr(8, size=SALT_SIZE),
            service=Service.from_cbor(fields.raw(9)),
            judged_by=fields.bstr(10, size=HASH_SIZE),
        )


@dataclass(frozen=True)
class Receipt:
    """The vault's word on a deposit: record, verdict, tokens."""

    record: DepositRecord
    ruling: Ruling

    def encode(self) -> bytes:
        """The payload."""
        return encode(self.ruling.to_map(self.record.to_cbor()))

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.RECEIPT, self.encode())

    @classmethod
    def decode(cls, data: bytes) -> "Receipt":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_RECEIPT, mandatory=range(1, 11))
        return cls(DepositRecord.from_cbor(fields.raw(1)), Ruling.read(fields))


@dataclass(frozen=True)
class Withdrawal:
    """The vault's word on a withdrawal; it takes effect only when in time."""

    record: WithdrawalRecord
    ruling: Ruling

    def encode(self) -> bytes:
        """The payload."""
        return encode(self.ruling.to_map(self.record.to_cbor()))

    @property
    def statement(self) -> Statement:
        """What the vault signs."""
        return Statement(Kind.WITHDRAWAL, self.encode())

    @classmethod
    def decode(cls, data: bytes) -> "Withdrawal":
        """Read a payload strictly; FormatError."""
        fields = Fields.decode(data, limit=MAX_RECEIPT, mandatory=range(1, 11))
        return cls(WithdrawalRecord.from_cbor(fields.raw(1)), Ruling.read(fields))
