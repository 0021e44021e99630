# SPDX-License-Identifier: EUPL-1.2
"""What the blobs of hidden rows hold, as values (protocol 4.12).

Each class encodes itself as one canonical CBOR array, and decodes only that. Absent bytes are empty, absent numbers 0.
"""

from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from crypto.encoding import Cbor, decode, encode

MAX_FACTS = 64 * 1024 * 1024  # an envelope with its tokens and their evidence: a public CRL may have 10 MB


class DamagedRow(Exception):
    """A blob opened but does not hold what its table's rows hold."""


def _array(blob: bytes, length: int) -> list[Cbor]:
    value = decode(blob, limit=MAX_FACTS, items=MAX_FACTS)  # our own, authenticated by its key
    if not isinstance(value, list) or len(value) != length:
        raise DamagedRow
    return value


def _bytes(value: Cbor) -> bytes:
    if not isinstance(value, bytes):
        raise DamagedRow
    return value


def _int(value: Cbor) -> int:
    if not isinstance(value, int):
        raise DamagedRow
    return value


def _text(value: Cbor) -> str:
    if not isinstance(value, str):
        raise DamagedRow
    return value


def _list(value: Cbor) -> list[Cbor]:
    if not isinstance(value, list):
        raise DamagedRow
    return value


@dataclass(frozen=True)
class Stamp:
    """A verified token with the revocation data received for it (both as bytes).

    `asked_at` is our own clock's time midway between question and answer (ms since 1970 UTC, 0: not kept): beside the
    token's it tells for ever how far our clock was off.
    """

    token: bytes
    evidence: bytes
    asked_at: int = 0


@dataclass(frozen=True)
class EnvelopeFacts:
    """All that the vault knows of an envelope before its box is closed.

    `record` is the deposit record as encoded; `first_event` the journal row of its first event among
    deposit.received and envelope.sealed (0: none yet); `receipt`, `registration`, `withdrawal` are payloads.
    """

    procedure: UUID
    box: int
    bidder: str
    record: bytes
    object_id: UUID
    version_id: str
    length: int  # of the object as stored, both layers
    first_event: int = 0
    verdict: int = 0
    reason: str = ""
    stamps: tuple[Stamp, ...] = ()
    receipt: bytes = b""
    registration: bytes = b""
    withdrawal: bytes = b""

    def encode(self) -> bytes:
        stamps: list[Cbor] = [[stamp.token, stamp.evidence, stamp.asked_at] for stamp in self.stamps]
        return encode(
            [
                self.procedure.bytes,
                self.box,
                self.bidder,
                self.record,
                self.object_id.bytes,
                self.version_id,
                self.length,
                self.first_event,
                self.verdict,
                self.reason,
                stamps,
                self.receipt,
                self.registration,
                self.withdrawal,
            ]
        )

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        row = _array(blob, 14)
        stamps = [_list(one) for one in _list(row[10])]
        return cls(
            procedure=UUID(bytes=_bytes(row[0])),
            box=_int(row[1]),
            bidder=_text(row[2]),
            record=_bytes(row[3]),
            object_id=UUID(bytes=_bytes(row[4])),
            version_id=_text(row[5]),
            length=_int(row[6]),
            first_event=_int(row[7]),
            verdict=_int(row[8]),
            reason=_text(row[9]),
            stamps=tuple(Stamp(_bytes(token), _bytes(beside), _int(asked_at)) for token, beside, asked_at in stamps),
            receipt=_bytes(row[11]),
            registration=_bytes(row[12]),
            withdrawal=_bytes(row[13]),
        )


@dataclass(frozen=True)
class AttemptFacts:
    """A deposit that began: for whom, where its bytes go, when (ms since 1970 UTC)."""

    procedure: UUID
    box: int
    envelope_id: UUID
    object_id: UUID
    bidder: str
    t_first: int
    announced: int  # bytes
    outcome: str = ""

    def encode(self) -> bytes:
        return encode(
            [
                self.procedure.bytes,
                self.box,
                self.envelope_id.bytes,
                self.object_id.bytes,
                self.bidder,
                self.t_first,
                self.announced,
                self.outcome,
            ]
        )

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        row = _array(blob, 8)
        return cls(
            procedure=UUID(bytes=_bytes(row[0])),
            box=_int(row[1]),
            envelope_id=UUID(bytes=_bytes(row[2])),
            object_id=UUID(bytes=_bytes(row[3])),
            bidder=_text(row[4]),
            t_first=_int(row[5]),
            announced=_int(row[6]),
            outcome=_text(row[7]),
        )


@dataclass(frozen=True)
class LedgerFacts:
    """One bidder's envelopes in one box, oldest first."""

    envelopes: tuple[UUID, ...] = ()

    def with_envelope(self, envelope_id: UUID) -> Self:
        return replace(self, envelopes=(*self.envelopes, envelope_id))

    def encode(self) -> bytes:
        return encode([[one.bytes for one in self.envelopes]])

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        (envelopes,) = _array(blob, 1)
        return cls(tuple(UUID(bytes=_bytes(one)) for one in _list(envelopes)))


@dataclass(frozen=True)
class JournalFacts:
    """An entry's event, the salt that hides it in its leaf (protocol 3.9), and the box it concerns (0: none)."""

    salt: bytes
    event: bytes
    box: int = 0

    def encode(self) -> bytes:
        return encode([self.salt, self.event, self.box])

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        salt, event, box = _array(blob, 3)
        return cls(_bytes(salt), _bytes(event), _int(box))


@dataclass(frozen=True)
class DocumentFacts:
    """One opened document: where it lies in the envelope's plaintext, and its digests."""

    path: str
    offset: int
    size: int
    sha256: bytes
    sha512: bytes
    crc32: int

    def encode(self) -> bytes:
        return encode([self.path.encode(), self.offset, self.size, self.sha256, self.sha512, self.crc32])

    @classmethod
    def decode(cls, blob: bytes) -> Self:
        row = _array(blob, 6)
        return cls(_bytes(row[0]).decode(), _int(row[1]), _int(row[2]), _bytes(row[3]), _bytes(row[4]), _int(row[5]))
