# SPDX-License-Identifier: EUPL-1.2
"""The deposit face: envelopes in; receipts, states, withdrawals and proofs out, to their depositor only.

Rules
  1. The depositor is the token's platform and the bidder named; everyone else is told that there is nothing.
  2. A statement is answered as the bytes that were signed; the same request again gives the same bytes.
  3. Nothing is decided here.

Left to others: the journeys (vault.deposit, vault.withdrawal), the body (api.deposit.upload).
"""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Response, status

from api.auth import Actor, Role, allow
from api.dependencies import ServicesOf
from api.deposit.schemas import (
    EVIDENCE,
    STATEMENT,
    BidderHeader,
    DepositHeaders,
    EnvelopeAddress,
    EnvelopeStatus,
    StatementKind,
)
from api.deposit.upload import ReceivedUpload
from crypto.sealing import zero
from crypto.statement import Kind
from vault import sequencer
from vault.deposit import journey, own
from vault.deposit.announcement import DepositRequest
from vault.errors import NotFound
from vault.receiving import Acknowledgement
from vault.recovery import settle_own
from vault.withdrawal import withdraw

router = APIRouter(tags=["deposit"])
ENVELOPE = "/v1/procedures/{procedure}/lots/{lot}/envelopes/{envelope}"
PROOF = "text/plain; charset=utf-8"

Platform = Annotated[Actor, Depends(allow(Role.PLATFORM))]
Address = Annotated[EnvelopeAddress, Depends()]
Bidder = Annotated[BidderHeader, Depends()]
Deposit = Annotated[DepositHeaders, Depends()]
Note = Annotated[bytes, Body(media_type="text/plain", description="The signed statement.")]

_NOTE = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_MULTIPART = {
    "requestBody": {
        "required": True,
        "description": "The announcement, then one part per document, in the announced order.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["announcement", "document"],
                    "properties": {
                        "announcement": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["path", "size"],
                                "properties": {
                                    "path": {"type": "string", "minLength": 1, "maxLength": 1024},
                                    "size": {"type": "integer", "minimum": 1},
                                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                                },
                            },
                        },
                        "document": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                }
            }
        },
    }
}


@router.put(
    ENVELOPE,
    status_code=status.HTTP_201_CREATED,
    response_class=Response,
    responses={201: {"description": "The signed receipt.", **_NOTE}, 202: {"description": "The notice.", **_NOTE}},
    openapi_extra=_MULTIPART,
)
def put_envelope(
    actor: Platform, services: ServicesOf, address: Address, headers: Deposit, upload: ReceivedUpload
) -> Response:
    """Deposit an envelope.

    201 and the receipt; 202 and the registration notice while no time authority answers: ask for the receipt later.
    """
    request = DepositRequest(
        platform=actor.platform,
        procedure=address.procedure,
        lot=address.lot,
        part=headers.part,
        envelope_id=address.envelope,
        bidder=headers.text,
        secret=headers.secret,
        documents=upload.documents,
    )
    try:
        given = journey.deposit(services.works, request, upload.body)
    finally:
        zero(headers.secret)
    is_final = given.kind is Kind.RECEIPT
    return _statement(given, address, status.HTTP_201_CREATED if is_final else status.HTTP_202_ACCEPTED)


@router.get(ENVELOPE)
def get_envelope(actor: Platform, services: ServicesOf, address: Address, bidder: Bidder) -> EnvelopeStatus:
    """Tell the depositor the state of an envelope, with its statements."""
    return EnvelopeStatus.of(own.tell(services.works, bidder.wanted(actor, address)), address)


@router.delete(ENVELOPE, response_class=Response, responses={200: {"description": "The statement.", **_NOTE}})
def withdraw_envelope(actor: Platform, services: ServicesOf, address: Address, bidder: Bidder) -> Response:
    """Withdraw an envelope and that bidder's earlier ones in the box; the statement says whether it was in time."""
    given = withdraw(
        services.works, bidder.depositor(actor), address.envelope, procedure=address.procedure, lot=address.lot
    )
    return _statement(given, address, status.HTTP_200_OK)


@router.get(
    f"{ENVELOPE}/evidence",
    response_class=Response,
    responses={200: {"description": "The evidence.", "content": {EVIDENCE: {}}}},
)
def get_evidence(
    actor: Platform,
    services: ServicesOf,
    address: Address,
    bidder: Bidder,
    of: Annotated[StatementKind, Query(description="Beside which statement.")] = StatementKind.RECEIPT,
) -> Response:
    """The file that belongs beside a receipt or a withdrawal: policies, certificates, revocation data as received."""
    evidence = own.evidence(services.works, bidder.wanted(actor, address), kind=Kind(of.value))
    return Response(evidence, media_type=EVIDENCE)


@router.get(f"{ENVELOPE}/proof", response_class=Response, responses={200: {"description": "A tlog-proof.", **_NOTE}})
def get_proof(actor: Platform, services: ServicesOf, address: Address, bidder: Bidder) -> Response:
    """The journal's proof that the receipt's entry is in it; only once the box is closed."""
    position = own.position(services.works, bidder.wanted(actor, address))
    with services.works.open() as work:
        head = sequencer.latest(work)
    if head is None:
        raise NotFound
    return Response(sequencer.prove(services.works, position, head=head).encode(), media_type=PROOF)


@router.post(f"{ENVELOPE}/statements")
def show_statement(
    actor: Platform, services: ServicesOf, address: Address, bidder: Bidder, note: Note
) -> EnvelopeStatus:
    """Show a receipt, notice or withdrawal that you hold: what the vault lost of it after a restore is there again.

    The envelope is told as it then is; shown without need, it changes nothing.
    """
    wanted = bidder.wanted(actor, address)
    settle_own(services.works, wanted, note)
    return EnvelopeStatus.of(own.tell(services.works, wanted), address)


def _statement(given: Acknowledgement, address: EnvelopeAddress, status_code: int) -> Response:
    headers = {"Location": address.path, "Bidvault-Statement": given.kind.value}
    if given.kind is not Kind.REGISTRATION:
        headers["Link"] = f'<{address.path}/evidence?of={given.kind.value}>; rel="describedby"'
    return Response(given.note, status_code=status_code, media_type=STATEMENT, headers=headers)
