# SPDX-License-Identifier: EUPL-1.2
"""What people and machines see of a procedure: its state, its modalities, who has done what, who has not confirmed.

Rules
  1. A draft shows itself to its buyer and its custodians; from publication on everything here is public (CONF-12).
  2. Nothing here tells of deposits.

Left to others: who may see it (vault.procedures.access).
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crypto.algorithms import SUITE
from crypto.policy import Box, Group, Policy, Role
from vault.errors import NotFound
from vault.lifecycle import BoxState, ProcedureState
from vault.models import PolicyRow, PolicyState
from vault.procedures import access
from vault.procedures.access import Caller
from vault.procedures.canaries import canaries_of, canary_boxes, rehearsed
from vault.procedures.enforcement import stored_note
from vault.procedures.plan import warnings
from vault.work import Work, Works


@dataclass(frozen=True)
class ShownBox:
    """One box: its rules, and its state once published."""

    box: Box
    group: Group
    state: BoxState | None


@dataclass(frozen=True)
class ShownHolder:
    """One custodian and what they have done for the policy shown."""

    kid: bytes
    name: str
    organisation: str
    canaries: tuple[int, ...]
    has_rehearsed: bool
    has_signed: bool
    has_confirmed: bool


@dataclass(frozen=True)
class ShownEpoch:
    """One epoch of the policy."""

    epoch: int
    policy_hash: bytes
    state: PolicyState
    reason: str
    signed_by: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True)
class ShownProcedure:
    """A procedure as it is now.

    Attributes:
        policy: in force, or before publication in preparation.
        boxes: in the order of their numbers.
        holders: custodians, with what they have done for `policy`.
        epochs: all epochs, an amendment that is waiting among them.
        suite: the sealing suite of its envelopes.
        warnings: what is allowed and should still be read.
    """

    id: UUID
    state: ProcedureState
    policy: Policy
    lots: tuple[tuple[str, str], ...]
    boxes: tuple[ShownBox, ...]
    holders: tuple[ShownHolder, ...]
    epochs: tuple[ShownEpoch, ...]
    canaries: int
    suite: int
    warnings: tuple[str, ...]
    created_at: datetime
    published_at: datetime | None
    ended_at: datetime | None


def show(works: Works, caller: Caller, procedure_id: UUID) -> ShownProcedure:
    """A procedure as this caller may see it; NotFound."""
    with works.open() as work:
        procedure = access.require_visible(work, procedure_id, caller)
        rows = access.policy_rows(work, procedure_id)
        row = next((one for one in rows if one.state is PolicyState.IN_FORCE), rows[0])
        policy = access.policy_of(row)
        states = {box.number: box.state for box in access.box_rows(work, procedure_id)}
        return ShownProcedure(
            id=procedure.id,
            state=procedure.state,
            policy=policy,
            lots=tuple((lot["id"], lot["title"]) for lot in procedure.lots),
            boxes=tuple(ShownBox(box, policy.groups[box.custodians], states.get(box.number)) for box in policy.boxes),
            holders=_holders(work, row, rows[0], policy),
            epochs=tuple(_epoch(one) for one in rows),
            canaries=len(canary_boxes(policy)),
            suite=SUITE,
            warnings=warnings(policy),
            created_at=procedure.created_at,
            published_at=procedure.published_at,
            ended_at=procedure.ended_at,
        )


def owned(works: Works, caller: Caller) -> list[UUID]:
    """The procedures of a buyer, newest first."""
    with works.open() as work:
        return [procedure.id for procedure in access.of_buyer(work, caller)]


def policy_note(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int | None = None) -> bytes:
    """One epoch's statement with the signatures so far; without an epoch, the one in force.

    Raises:
        NotFound: no such epoch for this caller.
        NotReady: none is in force yet.
    """
    with works.open() as work:
        access.require_visible(work, procedure_id, caller)
        if epoch is None:
            return access.policy_in_force(work, procedure_id)[0].note
        return access.policy_row(work, procedure_id, epoch)[0].note


def canary_file(works: Works, caller: Caller, procedure_id: UUID, *, epoch: int, number: int) -> bytes:
    """One canary, to be opened in a rehearsal; NotFound."""
    with works.open() as work:
        access.require_visible(work, procedure_id, caller)
        row, _ = access.policy_row(work, procedure_id, epoch)
        files = {canary.number: canary.file for canary in access.canaries(work, row.policy_hash)}
    if number not in files:
        raise NotFound
    return files[number]


def _holders(work: Work, row: PolicyRow, first: PolicyRow, policy: Policy) -> tuple[ShownHolder, ...]:
    """Rehearsals are of epoch 0; signatures and confirmations of the policy shown."""
    acts = access.holder_acts(work, row.policy_hash)
    drills = access.holder_acts(work, first.policy_hash)
    files = {canary.number: canary.file for canary in access.canaries(work, first.policy_hash)}
    original = access.policy_of(first)
    shown = []
    for card in policy.cards(Role.CUSTODIAN):
        own = canaries_of(policy, card)
        shown.append(
            ShownHolder(
                kid=card.kid,
                name=card.name,
                organisation=card.organisation,
                canaries=own,
                has_rehearsed=rehearsed(drills[card.kid], original, files).issuperset(own),
                has_signed=acts[card.kid].signed_at is not None,
                has_confirmed=acts[card.kid].confirmed_at is not None,
            )
        )
    return tuple(shown)


def _epoch(row: PolicyRow) -> ShownEpoch:
    signatures = stored_note(row).signatures
    return ShownEpoch(
        epoch=row.epoch,
        policy_hash=row.policy_hash,
        state=row.state,
        reason=row.reason,
        signed_by=tuple(signature.name for signature in signatures),
        created_at=row.created_at,
    )
