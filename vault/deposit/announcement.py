# SPDX-License-Identifier: EUPL-1.2
"""What a depositor says before the first byte of a bid, and what is refused on its word alone.

Rules
  1. Everything that can be refused is refused here, before a byte of the bid is read (D0).
  2. A bidder is `siret:` and a valid SIRET, or `vat:` or `other:` and a bounded text; the text is kept as given.
  3. Names of documents are content: a refusal names the document to its depositor and to nobody else.

Left to others: which paths may be (crypto.manifest), who deposits and into which box (vault.deposit.journey).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from stdnum.fr import siret

from crypto.algorithms import SECRET_SIZE
from crypto.encoding import require_text
from crypto.errors import FormatError, ManifestError
from crypto.header import MAX_HEADER
from crypto.manifest import padded_length, require_documents, require_path
from crypto.policy import Part
from crypto.stream import sealed_length
from vault.errors import InvalidInput

UUID_VERSION = 4  # protocol 3.4: random, so that an id shows neither time nor order
_VAT = re.compile(r"[A-Z]{2}[0-9A-Z+*.]{2,16}")  # two letters of a country and what that country puts behind them
_SIRET = re.compile(r"[0-9]{14}")
_MANIFEST_ENTRY = 64  # bytes of a document in the manifest beside its path, rounded up
_MANIFEST_FRAME = 512


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
    secret: bytes | bytearray = field(repr=False)
    documents: tuple[AnnouncedDocument, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)

    @property
    def stored_size(self) -> int:
        """About how many bytes the store will be given: padded, both layers, never too few."""
        manifest = _MANIFEST_FRAME + sum(
            len(document.path.encode(errors="replace")) + _MANIFEST_ENTRY for document in self.documents
        )
        return sealed_length(MAX_HEADER + sealed_length(padded_length(self.size, manifest)))


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


def require_request(request: DepositRequest) -> None:
    """Check what the announcement alone shows; sizes against limits are `lifecycle.require_accepting`'s.

    Raises:
        InvalidInput: the bidder, the id, the secret or a path has not the form it must have.
    """
    require_bidder(request.bidder)
    require_envelope_id(request.envelope_id)
    if len(request.secret) != SECRET_SIZE:
        raise InvalidInput("Deposit-Secret", f"{SECRET_SIZE} bytes as base64url")
    for place, document in enumerate(request.documents):
        try:
            require_path(document.path)
        except ManifestError as error:
            raise InvalidInput(f"announcement[{place}].path", str(error)) from error
    if request.documents:
        try:
            require_documents(document.path for document in request.documents)
        except ManifestError as error:
            raise InvalidInput("announcement", str(error)) from error


def require_envelope_id(envelope_id: UUID) -> UUID:
    """The id, if it is random; InvalidInput otherwise."""
    if envelope_id.version != UUID_VERSION:
        raise InvalidInput("envelope id", "a random UUID (version 4)")
    return envelope_id


def require_bidder(bidder: str) -> str:
    """The bidder as given, if it names one (rule 2).

    Raises:
        InvalidInput: another scheme, not a SIRET, too long, or characters that no text may have.
    """
    try:
        require_text(bidder)
    except FormatError as error:
        raise InvalidInput("Bidder", str(error)) from error
    scheme, _, name = bidder.partition(":")
    fits = {
        "siret": lambda: bool(_SIRET.fullmatch(name)) and bool(siret.is_valid(name)),
        "vat": lambda: bool(_VAT.fullmatch(name)),
        "other": lambda: bool(name.strip()),
    }.get(scheme)
    if fits is None or not fits():
        raise InvalidInput("Bidder", "siret: and a valid SIRET, vat: and a VAT number, or other: and a name")
    return bidder
