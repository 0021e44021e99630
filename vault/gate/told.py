# SPDX-License-Identifier: EUPL-1.2
"""What the vault has recorded of the gate's acts, for the gate to compare with its own memory at every start (T52).

Rules
  1. Each row read here was committed with its journal entry, after the gate's own row.
  2. Only procedures that still run are told: what has ended releases nothing more.

Left to others: the comparison (vault.gate.service), the journal against its own checkpoint (vault.sequencer).
"""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import col, select

from crypto.events import Event, EventKind
from crypto.statement import Kind, parse_note
from vault.lifecycle import ProcedureState
from vault.models import BoxRow, ClosingRow, OpeningRow, OpeningState, PolicyRow, PolicyState, Procedure
from vault.work import Work, Works


def require_remembered(works: Works) -> None:
    """Have the gate compare the vault's record with its memory.

    Raises:
        RolledBack: the gate was restored from an older copy; it refuses everything from now on.
    """
    with works.open() as work:
        events = list(acts_of_gate(work))
    works.gate.require_not_rolled_back(events)


def acts_of_gate(work: Work) -> Iterator[Event]:
    """Policies, closings, openings and releases of procedures that still run."""
    running = select(Procedure).where(Procedure.state == ProcedureState.PUBLISHED)
    for procedure in work.session.exec(running):
        yield from (
            Event(kind, at, procedure.id.bytes, subject)
            for kind, at, subject in (
                *_policies(work, procedure),
                *_closings(work, procedure),
                *_openings(work, procedure),
            )
        )


_Act = tuple[EventKind, datetime, bytes]


def _policies(work: Work, procedure: Procedure) -> Iterator[_Act]:
    accepted = (PolicyState.IN_FORCE, PolicyState.REPLACED)
    rows = select(PolicyRow).where(PolicyRow.procedure_id == procedure.id, col(PolicyRow.state).in_(accepted))
    for row in work.session.exec(rows):
        kind = EventKind.POLICY_AMENDED if row.epoch else EventKind.POLICY_PUBLISHED
        yield kind, row.created_at, row.policy_hash


def _closings(work: Work, procedure: Procedure) -> Iterator[_Act]:
    rows = (
        select(ClosingRow)
        .where(ClosingRow.box_id == BoxRow.id, BoxRow.procedure_id == procedure.id)
        .where(col(ClosingRow.is_accepted))
    )
    for row in work.session.exec(rows):
        yield EventKind.BOX_CLOSED, row.at, row.id


def _openings(work: Work, procedure: Procedure) -> Iterator[_Act]:
    signed = (OpeningState.OFFERED, OpeningState.RELEASED, OpeningState.KEYED, OpeningState.MINUTED)
    rows = select(OpeningRow).where(OpeningRow.procedure_id == procedure.id, col(OpeningRow.state).in_(signed))
    for row in work.session.exec(rows):
        yield EventKind.OPENING_SIGNED, row.began_at, row.id
        if row.release is not None:
            yield EventKind.GATE_RELEASED, row.began_at, parse_note(row.release, Kind.RELEASE).id
