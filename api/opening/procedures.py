# SPDX-License-Identifier: EUPL-1.2
"""The opening face, until the box is closed: procedures, policies, rehearsals, confirmations, amendments.

Rules
  1. A buyer acts on procedures of their own organisation, a custodian where a card names them; nobody else is told
     that there is a draft.
  2. A statement travels as the bytes that were signed.
  3. Nothing is decided here.

Left to others: the journey (vault.procedures), what follows the closing (api.opening.openings).
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Response, status

from api.auth import Actor, Role, allow
from api.dependencies import ServicesOf
from api.opening.schemas import (
    AmendmentWanted,
    CancellationWanted,
    ConfirmationWanted,
    ProcedureView,
    ProcedureWanted,
    RehearsalAnswer,
    SignatureAnswer,
)
from vault import procedures
from vault.procedures import Caller, reading

router = APIRouter(tags=["procedures"])
PROCEDURES = "/v1/procedures"
PROCEDURE = f"{PROCEDURES}/{{procedure}}"
POLICY = f"{PROCEDURE}/policies/{{epoch}}"
STATEMENT = "text/plain; charset=utf-8"
CANARY = "application/octet-stream"

Buyer = Annotated[Actor, Depends(allow(Role.BUYER))]
Custodian = Annotated[Actor, Depends(allow(Role.CUSTODIAN))]
Anyone = Annotated[Actor, Depends(allow(Role.BUYER, Role.CUSTODIAN, Role.PLATFORM, Role.AUDITOR, Role.OPERATOR))]
Note = Annotated[bytes, Body(media_type="text/plain", description="The signed statement.")]
Epoch = Annotated[int, Path(ge=0, lt=1 << 31)]
Number = Annotated[int, Path(ge=1, lt=1 << 31)]
_NOTE = {"content": {"text/plain": {"schema": {"type": "string"}}}}


def caller(actor: Actor) -> Caller:
    """Who acts, in the journey's words."""
    return Caller(actor.subject, actor.platform, organisation=actor.organisation, person=actor.person)


@router.post(PROCEDURES, status_code=status.HTTP_201_CREATED)
def create_procedure(actor: Buyer, services: ServicesOf, wanted: ProcedureWanted) -> ProcedureView:
    """Draft a procedure: its policy is fixed now, to be rehearsed and signed by every custodian."""
    procedure = procedures.draft(services.works, caller(actor), wanted.draft())
    return ProcedureView.of(reading.show(services.works, caller(actor), procedure))


@router.get(PROCEDURES)
def list_procedures(actor: Buyer, services: ServicesOf) -> list[UUID]:
    """The ids of the buyer's procedures, newest first."""
    return reading.owned(services.works, caller(actor))


@router.get(PROCEDURE)
def get_procedure(actor: Anyone, services: ServicesOf, procedure: UUID) -> ProcedureView:
    """A procedure: its boxes, its modalities, its custodians, and who has not confirmed."""
    return ProcedureView.of(reading.show(services.works, caller(actor), procedure))


@router.post(f"{PROCEDURE}/publish")
def publish_procedure(actor: Buyer, services: ServicesOf, procedure: UUID) -> ProcedureView:
    """Publish what every custodian has rehearsed and signed; the answer has the hash to print in the notice."""
    procedures.publish(services.works, caller(actor), procedure)
    return ProcedureView.of(reading.show(services.works, caller(actor), procedure))


@router.get(
    f"{PROCEDURE}/policies/latest",
    response_class=Response,
    responses={200: {"description": "The policy in force.", **_NOTE}},
)
def get_policy_in_force(actor: Anyone, services: ServicesOf, procedure: UUID) -> Response:
    """The policy in force, signed by its holders, the gate and the vault."""
    note = reading.policy_note(services.works, caller(actor), procedure)
    return Response(note, media_type=STATEMENT)


@router.get(POLICY, response_class=Response, responses={200: {"description": "The policy.", **_NOTE}})
def get_policy(actor: Anyone, services: ServicesOf, procedure: UUID, epoch: Epoch) -> Response:
    """One epoch of the policy with the signatures so far; without any, the text to be signed."""
    note = reading.policy_note(services.works, caller(actor), procedure, epoch=epoch)
    return Response(note, media_type=STATEMENT)


@router.get(
    f"{POLICY}/canaries/{{number}}",
    response_class=Response,
    responses={200: {"description": "The canary.", "content": {CANARY: {}}}},
)
def get_canary(actor: Custodian, services: ServicesOf, procedure: UUID, epoch: Epoch, number: Number) -> Response:
    """One canary, numbered from 1, to be opened in a rehearsal."""
    file = reading.canary_file(services.works, caller(actor), procedure, epoch=epoch, number=number)
    return Response(file, media_type=CANARY)


@router.post(f"{POLICY}/rehearsals", status_code=status.HTTP_201_CREATED)
def rehearse(actor: Custodian, services: ServicesOf, procedure: UUID, epoch: Epoch, note: Note) -> RehearsalAnswer:
    """Hand in the proof that one's key opens a canary."""
    number = procedures.rehearse(services.works, caller(actor), procedure, epoch=epoch, note=note)
    return RehearsalAnswer(canary=number)


@router.post(f"{POLICY}/signatures", status_code=status.HTTP_201_CREATED)
def sign_policy(actor: Custodian, services: ServicesOf, procedure: UUID, epoch: Epoch, note: Note) -> SignatureAnswer:
    """Hand in one's signature on a policy; an amendment comes into force with the last one needed."""
    procedures.sign(services.works, caller(actor), procedure, epoch=epoch, note=note)
    shown = reading.show(services.works, caller(actor), procedure)
    return SignatureAnswer.of(shown.epochs[epoch])


@router.post(f"{PROCEDURE}/confirmations", status_code=status.HTTP_204_NO_CONTENT)
def confirm(actor: Custodian, services: ServicesOf, procedure: UUID, wanted: ConfirmationWanted) -> None:
    """Enter the hash printed in the notice; a difference to the policy that was rehearsed is fraud."""
    procedures.confirm(services.works, caller(actor), procedure, printed=bytes.fromhex(wanted.policy_hash))


@router.post(f"{PROCEDURE}/amendments", status_code=status.HTTP_201_CREATED)
def amend(actor: Buyer, services: ServicesOf, procedure: UUID, wanted: AmendmentWanted) -> ProcedureView:
    """Prepare an amendment: deadlines later, settle and limits higher, with a reason; custodians sign it."""
    procedures.amend(services.works, caller(actor), procedure, wanted.change())
    return ProcedureView.of(reading.show(services.works, caller(actor), procedure))


@router.post(f"{PROCEDURE}/archive", status_code=status.HTTP_204_NO_CONTENT)
def archive(actor: Buyer, services: ServicesOf, procedure: UUID) -> None:
    """End a procedure whose boxes are closed: no envelope is taken any more."""
    procedures.archive(services.works, caller(actor), procedure)


@router.post(f"{PROCEDURE}/cancel", status_code=status.HTTP_204_NO_CONTENT)
def cancel(actor: Buyer, services: ServicesOf, procedure: UUID, wanted: CancellationWanted) -> None:
    """End a procedure without an award; what was deposited stays sealed."""
    procedures.cancel(services.works, caller(actor), procedure, reason=wanted.reason)
