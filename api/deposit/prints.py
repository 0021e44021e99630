# SPDX-License-Identifier: EUPL-1.2
"""`POST /v1/receipts/pdf`: the print of a receipt, made from what its holder sends back, and not kept.

Rules
  1. No token: who holds receipt, evidence, list and deposit secret is the holder. Nothing is looked up, so nothing is
     told but what was sent; whatever does not fit is one answer.
  2. Only receipts under this vault's own signature are printed: a print bears its seal.
  3. Two prints are made at once; further ones are asked to come again, so that strangers never take the threads of
     deposits.

Left to others: checking a receipt (crypto.receipt_evidence), the page (vault.prints).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Base64UrlBytes, BaseModel, ConfigDict, Field

from api.dependencies import ServicesOf
from api.deposit.announcement import DOCUMENTS_LIMIT, PATH_LIMIT, SIZE_LIMIT
from api.deposit.schemas import read_secret
from api.errors import Busy, NotThisReceipt
from api.services import Services
from crypto.errors import CryptoError, SignatureError
from crypto.manifest import Document
from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.sealing import zero
from crypto.statement import Kind
from vault.errors import InvalidInput
from vault.prints import Language, print_receipt

AT_ONCE = 2
SECRET_BYTES = 32  # protocol 3.5
NOTE_LIMIT = 64 * 1024  # protocol 3.6
PDF = "application/pdf"

router = APIRouter(tags=["deposit"])
_places = BoundedSemaphore(AT_ONCE)


class PrintedDocument(BaseModel):
    """One document of the list that the holder kept."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1, max_length=PATH_LIMIT)]
    size: Annotated[int, Field(gt=0, le=SIZE_LIMIT)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def document(self) -> Document:
        """As the receipt's tag covers it."""
        return Document(self.path, self.size, bytes.fromhex(self.sha256))


class HeldReceipt(BaseModel):
    """What the holder of a receipt sends back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receipt: Annotated[str, Field(max_length=NOTE_LIMIT, description="the signed note, as it was given")]
    evidence: Annotated[Base64UrlBytes, Field(repr=False, description="`receipt.evidence`, base64url")]
    documents: Annotated[list[PrintedDocument], Field(min_length=1, max_length=DOCUMENTS_LIMIT, repr=False)]
    deposit_secret: Annotated[str, Field(max_length=64, repr=False, description="32 bytes, base64url")]
    language: Literal["fr", "en"] = "fr"


@router.post(
    "/v1/receipts/pdf",
    response_class=Response,
    responses={
        200: {"description": "The print.", "content": {PDF: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def print_held_receipt(services: ServicesOf, held: HeldReceipt) -> Response:
    """Make the print of a receipt: PDF/A-3 with the signed statement in it, sealed by the vault."""
    with _place():
        secret = read_secret(held.deposit_secret)
        if len(secret) != SECRET_BYTES:
            raise InvalidInput("deposit_secret", f"{SECRET_BYTES} bytes as base64url")
        try:
            page = _page(services, held, bytes(secret))
        except CryptoError as error:
            raise NotThisReceipt from error
        finally:
            zero(secret)
        sealed = services.seal.sign(page, at=services.works.clock.now(), reason=Kind.RECEIPT.value)
    return Response(sealed, media_type=PDF, headers={"Cache-Control": "no-store"})


def _page(services: Services, held: HeldReceipt, secret: bytes) -> bytes:
    evidence = ReceiptEvidence.decode(held.evidence)
    checked = check_receipt(held.receipt.encode(), evidence, anchors=services.works.authorities.anchors)
    if checked.judged_by.vault_verifier.vkey != services.works.service_keys.statement.verifier.vkey:
        raise SignatureError("another vault's receipt")
    return print_receipt(
        checked,
        evidence,
        documents=[listed.document for listed in held.documents],
        secret=secret,
        language=Language(held.language),
    )


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        _places.release()
