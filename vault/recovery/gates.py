# SPDX-License-Identifier: EUPL-1.2
"""Vault and gate know the same acts again, whichever of the two was restored from an older copy.

Rules
  1. First the vault takes from the gate what it lacks, byte for byte: policies, closings with their lists, openings.
  2. Then the gate takes from the vault what it lacks, by its own signatures or its own checks (vault.gate.adoption).
  3. Policies and closings are shown in their order: a closing is judged under the policies of its time.

Left to others: closings that neither has, which lie as texts in the store (vault.recovery.texts).
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from uuid import UUID

from sqlmodel import col, select

from crypto.closings import Closing, Decision
from crypto.errors import CryptoError
from crypto.policy import Policy
from crypto.statement import Kind, parse_note
from vault import closing, decisions, procedures, shelf, stamps
from vault.errors import CallerError, NotFound, OutsideError, TimeUnproven
from vault.gate import adoption
from vault.gate.models import AcceptedClosing, AcceptedPolicy
from vault.lifecycle import ProcedureState
from vault.models import BoxRow, ClosingRow, DecisionRow, OpeningRow, PolicyRow, PolicyState, Procedure
from vault.opening import offer
from vault.procedures import Caller
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.work import Work, Works

IN_FORCE = (PolicyState.IN_FORCE, PolicyState.REPLACED)


def agree(works: Works, found: Findings) -> None:
    """Rules 1 and 2 for every procedure."""
    with works.open() as work:
        known = {row.id: row for row in work.session.exec(select(Procedure))}
    for procedure in sorted(adoption.procedures(works.gate)):
        if procedure not in known:
            found.name(Loss(Lost.PROCEDURE, str(procedure), procedure=procedure))
            continue
        _take_from_gate(works, found, known[procedure])
    for row in known.values():
        _give_to_gate(works, found, row.id)


def _take_from_gate(works: Works, found: Findings, procedure: Procedure) -> None:
    kept = adoption.remembered(works.gate, procedure.id)
    for policy in kept.policies:
        _named(found, procedure.id, partial(_adopt_policy, works, found, procedure, policy))
    for closed in kept.closings:
        _named(found, procedure.id, partial(_adopt_closing, works, found, procedure.id, closed))
    for opening in kept.openings:
        _named(found, procedure.id, partial(_adopt_opening, works, found, procedure.id, opening.note))


def _adopt_policy(works: Works, found: Findings, procedure: Procedure, kept: AcceptedPolicy) -> None:
    """Put in force what the gate has stored: go on where publication or amendment was broken off."""
    with works.open() as work:
        row = work.session.get(PolicyRow, (procedure.id, kept.epoch))
        if row is not None and row.state in IN_FORCE:
            return
        policy = Policy.of(parse_note(kept.note, Kind.POLICY))
        if row is None or row.policy_hash != kept.policy_hash or row.state is PolicyState.DROPPED:
            _write_policy(work, procedure.id, kept, policy)
    if kept.epoch:
        procedures.enact(works, procedure.id)
    elif procedure.state is ProcedureState.DRAFTED:
        buyer = Caller("recovery", procedure.platform, organisation=procedure.siret)
        procedures.publish(works, buyer, procedure.id)
    found.did(Done.POLICIES)


def _write_policy(work: Work, procedure: UUID, kept: AcceptedPolicy, policy: Policy) -> None:
    work.session.merge(
        PolicyRow(
            procedure_id=procedure,
            epoch=kept.epoch,
            policy_hash=kept.policy_hash,
            payload=policy.payload,
            note=kept.note,
            state=PolicyState.PREPARING,
            created_at=kept.at,
        )
    )


def _adopt_closing(works: Works, found: Findings, procedure: UUID, kept: AcceptedClosing) -> None:
    statement = parse_note(kept.note, Kind.CLOSING)
    with works.open() as work:
        if work.session.get(ClosingRow, kept.id) is not None:
            return
        box_id = _box_id(work, procedure, kept.box)
        if kept.decision is not None:
            _adopt_decision(work, box_id, kept.decision)
        closing.adopt(works, work, box_id, statement=statement, entries=kept.list)
        work.session.flush()
        closing.conclude(works, work, statement)
        box = closing.addressed(work, box_id)
    found.did(Done.CLOSINGS)
    shelf.keep_text(works, statement.text.encode())
    shelf.keep_text(works, kept.list)
    works.store.durable()
    with suppress(TimeUnproven):  # C3's tokens went with the row; an opening would ask for others
        stamps.prove_passed(works, box.box.deadline, over=kept.id, quorum=box.policy.time.q)


def _adopt_decision(work: Work, box_id: int, note: bytes) -> None:
    statement = parse_note(note, Kind.DECISION)
    row = work.session.get(DecisionRow, statement.id)
    if row is None:
        envelope_id = UUID(bytes=Decision.of(statement).entry.envelope_id)
        work.session.add(decisions.taken_row(statement, box_id=box_id, envelope_id=envelope_id))
    else:
        row.note, row.is_taken = statement.note, True


def _adopt_opening(works: Works, found: Findings, procedure: UUID, note: bytes) -> None:
    statement = parse_note(note, Kind.OPENING)
    with works.open() as work:
        row = work.session.get(OpeningRow, statement.id)
        if row is not None:
            return
        offer.adopt(work, procedure, statement)
    offer.sign(works, statement.id)
    found.did(Done.OPENINGS)


def _give_to_gate(works: Works, found: Findings, procedure: UUID) -> None:
    with works.open() as work:
        policies = [
            row for row in work.session.exec(select(PolicyRow).where(PolicyRow.procedure_id == procedure))
            if row.state in IN_FORCE
        ]  # fmt: skip
        closings = list(_closings(work, procedure))
        openings = work.session.exec(select(OpeningRow).where(OpeningRow.procedure_id == procedure)).all()
    for policy in sorted(policies, key=lambda row: row.epoch):
        _give(found, procedure, partial(adoption.adopt_policy, works.gate, policy.note))
        for row in closings:
            if Closing.decode(row.payload).policy_hash == policy.policy_hash:
                _give(found, procedure, partial(_give_closing, works, procedure, row))
    for opening in sorted(openings, key=lambda row: row.attempt):
        if opening.note:
            _give(found, procedure, partial(adoption.adopt_opening, works.gate, opening.note))
        if opening.release is not None:
            _give(found, procedure, partial(adoption.adopt_release, works.gate, opening.release))


def _closings(work: Work, procedure: UUID) -> Iterator[ClosingRow]:
    rows = (
        select(ClosingRow)
        .where(ClosingRow.box_id == BoxRow.id, BoxRow.procedure_id == procedure, col(ClosingRow.is_accepted))
        .order_by(col(ClosingRow.decision_id).is_not(None), col(ClosingRow.at))
    )
    return iter(work.session.exec(rows).all())


def _give_closing(works: Works, procedure: UUID, row: ClosingRow) -> bool:
    if row.id in {one.id for one in adoption.remembered(works.gate, procedure).closings}:
        return False
    with works.open() as work:
        box = closing.addressed(work, row.box_id)
        request, policy = closing.request_of(work, box, Closing.decode(row.payload))
        decision = work.session.get(DecisionRow, row.decision_id) if row.decision_id else None
    due = policy.box(box.box.number).deadline + policy.settle
    stamps.prove_passed(works, due, over=request, quorum=policy.time.q)
    with works.open() as work:
        tokens = stamps.kept(work, request)
    works.gate.accept_closing(row.note or b"", row.list, tokens, decision=decision.note if decision else None)
    return True


def _give(found: Findings, procedure: UUID, act: Callable[[], bool]) -> None:
    _named(found, procedure, lambda: found.did(Done.GATE, int(act())))


def _named(found: Findings, procedure: UUID, act: Callable[[], None]) -> None:
    """Do one thing; what refuses is named and stops nothing else."""
    try:
        act()
    except (CryptoError, CallerError, OutsideError) as error:
        found.name(Loss(Lost.GATE, str(error), procedure=procedure, reason=error.code))


def _box_id(work: Work, procedure: UUID, number: int) -> int:
    row = work.session.exec(select(BoxRow).where(BoxRow.procedure_id == procedure, BoxRow.number == number)).first()
    if row is None or row.id is None:
        raise NotFound
    return row.id
