# SPDX-License-Identifier: EUPL-1.2
"""Amending: a deadline moves later, with a reason, signed by custodians (protocol 3.3, TIME-07).

Rules
  1. Deadlines and not_before only move later; settle and limits only rise; nothing else changes.
  2. A box that is closing or past its deadline is not touched, by the vault's clock and by the gate's own.
  3. At least max(k, n-k+1) of each custodian group sign, so that every quorum holds a signer.
  4. The gate stores the new epoch before the vault relies on it, while all boxes' locks are held.
  5. Where the gate has stored it, the vault follows, whatever its clock says by then: two truths would lock the box.

Left to others: signatures (vault.procedures.rehearsal), renewing the locks of stored envelopes (retention).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from crypto.encoding import require_text
from crypto.errors import CryptoError, FormatError, SignatureError
from crypto.events import MAX_DATA, EventKind
from crypto.policy import SETTLE_SECONDS, Box, Limits, Part, Policy, Role, require_amendment
from crypto.statement import Statement, require_signers
from vault import journal
from vault.errors import InvalidInput, NotReady, WrongState
from vault.lifecycle import BoxState, ProcedureState
from vault.models import PolicyRow, PolicyState, Procedure
from vault.procedures import access
from vault.procedures.access import Caller
from vault.procedures.draft import add_policy, deployment_limits
from vault.procedures.enforcement import put_in_force, stored_note
from vault.procedures.plan import moment, require_limits
from vault.work import Work, Works

MAX_REASON = 2000


@dataclass(frozen=True)
class Move:
    """New times of one lot's part."""

    lot: str
    part: Part
    deadline: datetime
    not_before: datetime | None = None


@dataclass(frozen=True)
class Change:
    """What a buyer wants to change, and why."""

    reason: str
    moves: tuple[Move, ...] = ()
    settle: timedelta | None = None
    limits: Limits | None = None


def amend(works: Works, caller: Caller, procedure_id: UUID, change: Change) -> Policy:
    """Prepare the next epoch of a policy, to be signed by custodians.

    Raises:
        NotFound: not this caller's.
        WrongState: not published, or an amendment is waiting that somebody has signed already.
        InvalidInput: no reason, nothing changed, a box that does not exist, a value without its form.
        PolicyError: a value is lowered, or a box is closing or past its deadline; journaled.
    """
    procedure = access.require_buyer(works, procedure_id, caller)
    _require_reason(change.reason)
    try:
        return _prepare(works, caller, procedure_id, change)
    except CryptoError as error:
        raise access.refused(works, procedure, caller, error) from None


def enact(works: Works, procedure_id: UUID) -> Policy:
    """Put a signed amendment in force; once in force, the same again changes nothing.

    Raises:
        NotReady: too few custodians have signed; `missing` says how many of each group.
        CryptoError: the gate refuses, or a box is closing by now; journaled, and the amendment is dropped.
    """
    with works.open() as work:
        procedure = access.of_id(work, procedure_id)
        caller = Caller("vault", procedure.platform)
        row, policy = access.latest_policy(work, procedure_id)
        if row.state is not PolicyState.PREPARING or policy.epoch == 0:
            return policy
        statement = stored_note(row)
        _require_signed(statement, policy)
    try:
        return _put_in_force(works, caller, procedure, statement)
    except CryptoError:
        _drop(works, caller, procedure_id, policy)
        raise


def _prepare(works: Works, caller: Caller, procedure_id: UUID, change: Change) -> Policy:
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        if procedure.state is not ProcedureState.PUBLISHED:
            raise WrongState(procedure.state, ProcedureState.PUBLISHED)
        _, current = access.policy_in_force(work, procedure_id)
        _require_none_waiting(work, procedure_id)
        policy = _changed(current, change, most=deployment_limits(works))
        require_amendment(current, policy, now=work.now, closing=_closing(work, procedure_id))
        add_policy(work, policy, reason=change.reason)
    return policy


def _require_none_waiting(work: Work, procedure_id: UUID) -> None:
    """An amendment that nobody has signed gives way; one with a signature must be brought to its end.

    Whoever signed has pinned it: a second one with its number would lock that custodian out.
    """
    row, policy = access.latest_policy(work, procedure_id)
    if row.state is PolicyState.PREPARING and stored_note(row).signatures:
        raise WrongState(f"epoch {policy.epoch} {row.state}", "the waiting amendment signed and in force")


def _changed(current: Policy, change: Change, *, most: Limits) -> Policy:
    settle = current.settle if change.settle is None else change.settle
    seconds = settle.total_seconds()
    if not SETTLE_SECONDS[0] <= seconds <= SETTLE_SECONDS[1] or seconds % 1:
        raise InvalidInput("settle", f"{SETTLE_SECONDS[0]} to {SETTLE_SECONDS[1]} whole seconds")
    if change.limits is not None:
        require_limits(change.limits, most=most)
    moved = {box.number: box for box in (_moved(current, move, i, settle) for i, move in enumerate(change.moves))}
    policy = replace(
        current,
        epoch=current.epoch + 1,
        previous=current.hash,
        boxes=tuple(_settled(moved.get(box.number, box), settle) for box in current.boxes),
        settle=settle,
        limits=change.limits or current.limits,
    )
    if (policy.boxes, policy.settle, policy.limits) == (current.boxes, current.settle, current.limits):
        raise InvalidInput("amendment", "changes nothing")
    return Policy.decode(policy.payload)


def _moved(current: Policy, move: Move, place: int, settle: timedelta) -> Box:
    box = current.box_of(move.lot, move.part)
    if box is None:
        raise InvalidInput(f"moves[{place}]", f"there is no lot {move.lot} with this part")
    deadline = moment(move.deadline, field=f"moves[{place}].deadline")
    if move.not_before is None:
        return replace(box, deadline=deadline, not_before=max(box.not_before, deadline + settle))
    not_before = moment(move.not_before, field=f"moves[{place}].not_before")
    if not_before < deadline + settle:
        raise InvalidInput(f"moves[{place}].not_before", "at least deadline and settle")
    return replace(box, deadline=deadline, not_before=not_before)


def _settled(box: Box, settle: timedelta) -> Box:
    """A longer settle moves not_before with it, where it would come too early."""
    return replace(box, not_before=max(box.not_before, box.deadline + settle))


def _require_reason(reason: str) -> None:
    try:
        require_text(reason, most=MAX_REASON)
    except FormatError as error:
        raise InvalidInput("reason", str(error)) from error
    if not reason.strip():
        raise InvalidInput("reason", "an amendment says why")


def _require_signed(statement: Statement, policy: Policy) -> None:
    for index, group in enumerate(policy.groups):
        if group.role is not Role.CUSTODIAN:
            continue
        verifiers = [card.verifier for card in group.cards]
        try:
            require_signers(statement, verifiers, group.signers_needed)
        except SignatureError as error:
            have = len(require_signers(statement, verifiers, 0))
            raise NotReady(f"{have} of {group.signers_needed} custodians of group {index} have signed") from error


def _put_in_force(works: Works, caller: Caller, procedure: Procedure, statement: Statement) -> Policy:
    """◆ Under all boxes' locks: the gate, then the rows. Closings and deposits come wholly before or after."""
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure.id, caller)
        for box in access.box_rows(work, procedure.id):
            work.lock_box(box.id or 0, exclusive=True)
        row, policy = access.latest_policy(work, procedure.id)
        if row.state is not PolicyState.PREPARING:
            return policy
        before, current = access.policy_in_force(work, procedure.id)
        if not works.gate.holds_policy(policy.hash):  # rule 5
            require_amendment(current, policy, now=work.now, closing=_closing(work, procedure.id))
        row.note = put_in_force(works, procedure, statement).note
        before.state = PolicyState.REPLACED
        row.state = PolicyState.IN_FORCE
        procedure.epoch = policy.epoch
        _move_boxes(work, policy)
        _journal(works, work, procedure, row)
    return policy


def _move_boxes(work: Work, policy: Policy) -> None:
    for row in access.box_rows(work, UUID(bytes=policy.procedure)):
        box = policy.box(row.number)
        row.deadline = box.deadline
        row.not_before = box.not_before
        row.due_at = box.deadline + policy.settle


def _journal(works: Works, work: Work, procedure: Procedure, row: PolicyRow) -> None:
    place = access.place_of(procedure)
    said = row.reason.encode()[:MAX_DATA].decode(errors="ignore").encode()  # the whole reason is in the row
    event = journal.event(EventKind.POLICY_AMENDED, at=work.now, place=place, subject=row.policy_hash, data=said)
    journal.append(works, work, event, place=place)


def _drop(works: Works, caller: Caller, procedure_id: UUID, policy: Policy) -> None:
    with works.open() as work:
        access.lock_procedure(work, procedure_id, caller)
        row, _ = access.policy_row(work, procedure_id, policy.epoch)
        if row.state is PolicyState.PREPARING and row.policy_hash == policy.hash:
            row.state = PolicyState.DROPPED


def _closing(work: Work, procedure_id: UUID) -> frozenset[int]:
    rows = access.box_rows(work, procedure_id)
    return frozenset(row.number for row in rows if row.state is not BoxState.OPEN)
