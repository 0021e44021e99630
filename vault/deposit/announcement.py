# SPDX-License-Identifier: EUPL-1.2
"""What a depositor says before the first byte of a bid, and what is refused on its word alone.

Rules
  1. Everything that can be refused is refused here, before a byte of the bid is read (D0).
  2. A bidder is `siret:` and a valid SIRET, or `vat:` or `other:` and a bounded text; the text is kept as given.
  3. Names of documents are content: a refusal names the document to its depositor and to nobody else.

Left to others: which paths may be (crypto.manifest), who deposits and into which box (vault.deposit.journey).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from crypto.policy import Part


@dataclass(frozen=True)
class AnnouncedDocument:
    """One document that will follow; its digest is compared in memory where it was announced."""

    path: str
    size: int
    sha256: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DepositRequest:
    """One deposit as announced.

    Attributes:
        platform: of the caller's token.
        bidder: as the depositor wrote it; it goes into the record as it is.
        secret: the deposit secret, 32 bytes, kept nowhere.
    """

    platform: str
    procedure: UUID
    lot: str
    part: Part
    envelope_id: UUID
    bidder: str
    secret: bytes = field(repr=False)
    documents: tuple[AnnouncedDocument, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)


@dataclass(frozen=True)
class Piece:
    """Some bytes of one document; good until the next piece is asked for."""

    document: int
    data: memoryview = field(repr=False)


class Body(Protocol):
    """The bytes of the announced documents, in their order, pulled by one thread.

    Iterating raises BodyBroken, BodyMismatch or another typed refusal where the body is not what was announced, and
    ends only when all of it was read. `last_byte_at` is when the server read the last byte, known after the end.
    """

    def __iter__(self) -> Iterator[Piece]: ...

    @property
    def last_byte_at(self) -> datetime: ...
