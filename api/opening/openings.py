# SPDX-License-Identifier: EUPL-1.2
"""The opening face, from the closed box on: openings, contributions, decisions, and what was opened.

Rules
  1. A buyer acts on procedures of their own organisation, a custodian where a card names them; nobody else is told
     that there is anything.
  2. A statement travels as the bytes that were signed.
  3. Nothing is decided here.

Left to others: the journeys (vault.opening, vault.decisions), procedures and policies (api.opening.procedures).
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Path, Response, status
from fastapi.responses import StreamingResponse

from api.auth import Actor, Role, allow
from api.dependencies import ServicesOf
from api.opening.opening_schemas import (
    ContributionAnswer,
    DecisionAnswer,
    DecisionWanted,
    EnvelopeView,
    OpeningOffered,
    OpeningView,
    OpeningWanted,
)
from api.opening.ranges import ByteRange, parse_range
from crypto.statement import Kind, parse_note
from vault import decisions, printing
from vault.errors import InvalidInput
from vault.opening import contributing, documents, due, keying, offer, showing
from vault.prints import Language
from vault.procedures import Caller, access

router = APIRouter(tags=["opening"])
PROCEDURE = "/v1/procedures/{procedure}"
OPENING = "/v1/openings/{opening}"
STATEMENT = "text/plain; charset=utf-8"
BUNDLE = "application/vnd.bidvault.bundle"

Buyer = Annotated[Actor, Depends(allow(Role.BUYER))]
Custodian = Annotated[Actor, Depends(allow(Role.CUSTODIAN))]
Party = Annotated[Actor, Depends(allow(Role.BUYER, Role.CUSTODIAN, Role.AUDITOR))]
Note = Annotated[bytes, Body(media_type="text/plain", description="The signed statement.")]
Box = Annotated[int, Path(ge=1, lt=1 << 31, description="The box's number in the policy.")]
PDF = "application/pdf"
_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {PDF: {}}, "description": "The sealed print."}}
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The signed statement."}
}


def caller(actor: Actor) -> Caller:
    """Who acts, in the journeys' words."""
    return Caller(actor.subject, actor.platform, organisation=actor.organisation, person=actor.person)


def require_party(services: ServicesOf, actor: Actor, procedure: UUID) -> None:
    """Let a procedure's own buyer, its custodians and auditors pass; NotFound for everyone else."""
    if actor.role is Role.BUYER:
        access.require_buyer(services.works, procedure, caller(actor))
    elif actor.role is Role.CUSTODIAN:
        access.require_custodian(services.works, procedure, caller(actor))


def opening_id(services: ServicesOf, actor: Actor, opening: str) -> bytes:
    """The id of an opening that this actor may know of; NotFound."""
    try:
        found = bytes.fromhex(opening)
    except ValueError as error:
        raise InvalidInput("opening", "64 hexadecimal digits") from error
    with services.works.open() as work:
        procedure = due.row_of(work, found, platform=actor.platform).procedure_id
    require_party(services, actor, procedure)
    return found


@router.post(f"{PROCEDURE}/openings", status_code=status.HTTP_201_CREATED)
def offer_opening(actor: Buyer, services: ServicesOf, procedure: UUID, wanted: OpeningWanted) -> OpeningOffered:
    """Offer an opening over closed boxes; custodians may then contribute. The same again gives the same opening."""
    require_party(services, actor, procedure)
    offered = offer.offer(services.works, actor.platform, procedure, wanted.request())
    return OpeningOffered.of(offered)


@router.get(f"{PROCEDURE}/openings")
def list_openings(actor: Party, services: ServicesOf, procedure: UUID) -> list[OpeningView]:
    """All openings of a procedure with their state, and who has contributed."""
    require_party(services, actor, procedure)
    return [OpeningView.of(one) for one in showing.openings(services.works, actor.platform, procedure)]


@router.get(OPENING)
def get_opening(actor: Party, services: ServicesOf, opening: str) -> OpeningView:
    """One opening: its state, who has contributed, how many are needed."""
    return OpeningView.of(showing.opening(services.works, opening_id(services, actor, opening)))


@router.get(
    f"{OPENING}/bundle",
    response_class=StreamingResponse,
    responses={200: {"content": {BUNDLE: {}}, "description": "All that a custodian's tool checks, in one stream."}},
)
def get_bundle(actor: Party, services: ServicesOf, opening: str) -> StreamingResponse:
    """Policies, closings, lists, tokens and the opening, then each envelope's header in list order."""
    return StreamingResponse(due.bundle(services.works, opening_id(services, actor, opening)), media_type=BUNDLE)


@router.post(f"{OPENING}/contributions", status_code=status.HTTP_201_CREATED)
def contribute(actor: Custodian, services: ServicesOf, opening: str, note: Note) -> ContributionAnswer:
    """Hand in one's contribution; the same again gets the same answer."""
    found = opening_id(services, actor, opening)
    given = contributing.contribute(services.works, actor.platform, found, note=note, person=actor.person or b"")
    return ContributionAnswer.of(given)


@router.post(f"{OPENING}/freeze", status_code=status.HTTP_204_NO_CONTENT)
def freeze_opening(actor: Buyer, services: ServicesOf, opening: str) -> None:
    """Wait no longer for envelopes that are short of shares: they stay sealed, and the others open."""
    keying.freeze(services.works, actor.platform, opening_id(services, actor, opening))


@router.post(f"{OPENING}/abandon", status_code=status.HTTP_204_NO_CONTENT)
def abandon_opening(actor: Buyer, services: ServicesOf, opening: str) -> None:
    """Give an opening up before it is keyed; a new attempt may then be offered."""
    offer.abandon(services.works, actor.platform, opening_id(services, actor, opening))


@router.get(f"{OPENING}/minutes", response_class=Response, responses=_NOTE)
def get_minutes(actor: Party, services: ServicesOf, opening: str) -> Response:
    """The signed minutes."""
    found = opening_id(services, actor, opening)
    return Response(showing.minutes(services.works, found), media_type=STATEMENT)


@router.get(f"{PROCEDURE}/boxes/{{box}}/closing", response_class=Response, responses=_NOTE)
def get_closing(actor: Party, services: ServicesOf, procedure: UUID, box: Box) -> Response:
    """The signed closing of a box."""
    require_party(services, actor, procedure)
    return Response(showing.closing_note(services.works, actor.platform, procedure, box), media_type=STATEMENT)


@router.get(f"{OPENING}/minutes.pdf", response_class=Response, responses=_PDF)
def get_minutes_print(
    actor: Party, services: ServicesOf, opening: str, language: Language = Language.FRENCH
) -> Response:
    """The print of the minutes, sealed; made within seconds of them."""
    found = printing.minutes_id(services.works, opening_id(services, actor, opening))
    return Response(printing.stored(services.works, found, language), media_type=PDF)


@router.get(f"{PROCEDURE}/boxes/{{box}}/closing.pdf", response_class=Response, responses=_PDF)
def get_closing_print(
    actor: Party, services: ServicesOf, procedure: UUID, box: Box, language: Language = Language.FRENCH
) -> Response:
    """The print of a box's closing list, sealed; made within seconds of it."""
    require_party(services, actor, procedure)
    note = showing.closing_note(services.works, actor.platform, procedure, box)
    found = parse_note(note, Kind.CLOSING).id
    return Response(printing.stored(services.works, found, language), media_type=PDF)


@router.post(f"{PROCEDURE}/decisions/draft", response_class=Response, responses=_NOTE)
def draft_decision(actor: Party, services: ServicesOf, procedure: UUID, wanted: DecisionWanted) -> Response:
    """The text that custodians sign to admit a late or review envelope."""
    require_party(services, actor, procedure)
    drafted = decisions.draft(
        services.works, actor.platform, procedure, envelope_id=wanted.envelope, reason=wanted.reason
    )
    return Response(drafted.text, media_type=STATEMENT)


@router.post(f"{PROCEDURE}/decisions", status_code=status.HTTP_201_CREATED)
def decide(actor: Custodian, services: ServicesOf, procedure: UUID, note: Note) -> DecisionAnswer:
    """Hand in one's signature on a decision; with the k-th it is taken."""
    require_party(services, actor, procedure)
    taken = decisions.decide(services.works, actor.platform, procedure, note=note, person=actor.person or b"")
    return DecisionAnswer.of(taken)


@router.get(f"{PROCEDURE}/envelopes")
def list_envelopes(actor: Buyer, services: ServicesOf, procedure: UUID) -> list[EnvelopeView]:
    """The envelopes of closed boxes in their order of arrival, and the documents of those opened."""
    require_party(services, actor, procedure)
    return [EnvelopeView.of(one) for one in documents.list_envelopes(services.works, actor.platform, procedure)]


@router.get(
    f"{PROCEDURE}/envelopes/{{envelope}}/documents/{{number}}",
    response_class=StreamingResponse,
    responses={206: {"description": "The range asked for."}},
)
def get_document(
    actor: Buyer,
    services: ServicesOf,
    procedure: UUID,
    envelope: UUID,
    number: int,
    bytes_wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> StreamingResponse:
    """One opened document, all of it or one range of bytes."""
    require_party(services, actor, procedure)
    found = documents.find_document(
        services.works, actor.platform, procedure, envelope_id=envelope, number=number, reader=actor.subject
    )
    wanted = parse_range(bytes_wanted, found.facts.size)
    return _streamed(found.read(services.works, wanted.offset, wanted.size), wanted, found.facts.sha256)


@router.get(
    f"{PROCEDURE}/documents.zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "All opened documents, not compressed."}},
)
def get_all_documents(actor: Buyer, services: ServicesOf, procedure: UUID) -> StreamingResponse:
    """All opened documents as one zip, streamed."""
    require_party(services, actor, procedure)
    pieces = documents.zip_all(services.works, actor.platform, procedure, reader=actor.subject)
    headers = {"Content-Disposition": f'attachment; filename="{procedure}.zip"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


def _streamed(pieces: Iterator[bytes], wanted: ByteRange, sha256: bytes) -> StreamingResponse:
    headers = {
        "Content-Length": str(wanted.size),
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{b64encode(sha256).decode()}:",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": "attachment",
    }
    if wanted.is_partial:
        headers["Content-Range"] = f"bytes {wanted.offset}-{wanted.offset + wanted.size - 1}/{wanted.whole}"
    code = status.HTTP_206_PARTIAL_CONTENT if wanted.is_partial else status.HTTP_200_OK
    return StreamingResponse(pieces, status_code=code, media_type="application/octet-stream", headers=headers)
