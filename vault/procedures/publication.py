# SPDX-License-Identifier: EUPL-1.2
"""Publishing: every holder has rehearsed and signed, the gate stores, the vault signs (protocol 4.1).

Rules
  1. Nothing is published before every custodian has opened every canary of its groups and signed.
  2. The vault opens every canary itself from the shares: what cannot be opened is not published.
  3. The policy is a locked object before the gate sees it; the gate stores it before anyone else relies on it.
  4. Each custodian then enters the hash printed in the notice; a difference is fraud, said so and journaled.

Left to others: rehearsals (vault.procedures.rehearsal), moving a deadline (vault.procedures.amendment).
"""

from uuid import UUID

from crypto.events import EventKind
from crypto.policy import Policy, Role
from crypto.statement import Kind, Statement, parse_note
from vault import journal
from vault.errors import NoticeDiffers, NotReady
from vault.lifecycle import Actor, BoxState, ProcedureState, require_move
from vault.models import BoxRow, PolicyRow, PolicyState, Procedure
from vault.procedures import access
from vault.procedures.access import Caller
from vault.procedures.canaries import canaries_of, open_canary, rehearsed
from vault.procedures.enforcement import put_in_force, stored_note
from vault.work import Work, Works


def publish(works: Works, caller: Caller, procedure_id: UUID) -> Policy:
    """Publish a procedure; once published, the same again changes nothing.

    Raises:
        NotFound: not this caller's.
        NotReady: somebody has not rehearsed or signed; `missing` names them.
        WrongState: cancelled or archived.
        CryptoError: a canary does not open, or the gate refuses; journaled.
    """
    access.require_buyer(works, procedure_id, caller)

    # 1. Everyone has rehearsed and signed; every canary opens.
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        if procedure.state is ProcedureState.PUBLISHED:
            return access.policy_in_force(work, procedure_id)[1]
        require_move(procedure.state, ProcedureState.PUBLISHED, by=Actor.BUYER)
        row, policy = access.policy_row(work, procedure_id, 0)
        statement = stored_note(row)
        _require_everyone(work, row, policy)
        _require_canaries_open(work, row, policy)

    # 2. The text is kept, then the gate stores and signs it, then the vault signs.
    signed = put_in_force(works, procedure, statement)

    # 3. ◆ Published: boxes take deposits.
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        if procedure.state is ProcedureState.DRAFTED:
            _publish(works, work, procedure, signed)
    return policy


def confirm(works: Works, caller: Caller, procedure_id: UUID, *, printed: bytes) -> None:
    """Compare the hash that a custodian reads in the notice with the policy that custodian signed.

    Raises:
        NotFound: not one of this procedure's custodians.
        NotReady: nothing is published yet.
        NoticeDiffers: another policy was printed: fraud; journaled.
    """
    access.require_custodian(works, procedure_id, caller)
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        row, policy = access.policy_in_force(work, procedure_id)
        if printed == row.policy_hash:
            acts = access.holder_acts(work, row.policy_hash)
            for card in access.cards_of(policy, caller):
                acts[card.kid].confirmed_at = acts[card.kid].confirmed_at or work.now
            return
    fraud = NoticeDiffers("the notice names another policy than the one that was rehearsed and signed")
    raise access.refused(works, procedure, caller, fraud, subject=policy.hash)


def _require_everyone(work: Work, row: PolicyRow, policy: Policy) -> None:
    acts = access.holder_acts(work, row.policy_hash)
    files = _files(work, row)
    missing: list[str] = []
    for card in policy.cards(Role.CUSTODIAN):
        done = rehearsed(acts[card.kid], policy, files)
        if not done.issuperset(canaries_of(policy, card)):
            missing.append(f"{card.name} ({card.organisation}) has not rehearsed")
        if acts[card.kid].signed_at is None:
            missing.append(f"{card.name} ({card.organisation}) has not signed")
    if missing:
        raise NotReady("; ".join(missing))


def _require_canaries_open(work: Work, row: PolicyRow, policy: Policy) -> None:
    acts = access.holder_acts(work, row.policy_hash).values()
    notes = [note for act in acts for note in act.rehearsals]
    for canary in access.canaries(work, row.policy_hash):
        said = [parse_note(note, Kind.REHEARSAL) for note in (*notes, canary.gate_share)]
        open_canary(canary.file, policy, said)
        canary.opened_at = work.now


def _publish(works: Works, work: Work, procedure: Procedure, signed: Statement) -> None:
    row, policy = access.policy_row(work, procedure.id, 0)
    row.note = signed.note
    row.state = PolicyState.IN_FORCE
    procedure.state = ProcedureState.PUBLISHED
    procedure.epoch = 0
    procedure.published_at = work.now
    for box in policy.boxes:
        work.session.add(
            BoxRow(
                procedure_id=procedure.id,
                number=box.number,
                lot=box.lot,
                part=int(box.part),
                state=BoxState.OPEN,
                deadline=box.deadline,
                not_before=box.not_before,
                due_at=box.deadline + policy.settle,
            )
        )
    place = access.place_of(procedure)
    event = journal.event(EventKind.POLICY_PUBLISHED, at=work.now, place=place, subject=policy.hash)
    journal.append(works, work, event, place=place)


def _files(work: Work, row: PolicyRow) -> dict[int, bytes]:
    return {canary.number: canary.file for canary in access.canaries(work, row.policy_hash)}
