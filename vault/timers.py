# SPDX-License-Identifier: EUPL-1.2
"""Timers: what is due now, queued as jobs.

Rules
  1. A timer is a date of the public policy or an unfinished state; nothing is scheduled ahead, so nothing tells of it.
  2. What fails for want of the outside world is due again at the next tick.

Left to others: doing it (closing, opening, sweep), calling this every few seconds (api.worker).
"""

from sqlmodel import col, select

from vault.jobs import queue
from vault.lifecycle import BoxState
from vault.models import BoxRow, ClosingRow, DecisionRow, OpeningRow, OpeningState
from vault.work import Work, Works

UNFINISHED = (OpeningState.PREPARED, OpeningState.OFFERED, OpeningState.RELEASED, OpeningState.KEYED)


def queue_due(works: Works) -> int:
    """Queue a job for each box to close, decision to close and opening to go on with; tells how many are due."""
    with works.open() as work:
        due = [("close_box", str(box)) for box in _boxes(work)]
        due += [("close_admitted", decision.hex()) for decision in _decisions(work)]
        due += [("advance_opening", opening.hex()) for opening in _openings(work)]
        for task, subject in due:
            queue(work, task, subject)
    return len(due)


def _boxes(work: Work) -> list[int]:
    unclosed = col(BoxRow.state).in_((BoxState.OPEN, BoxState.CLOSING))
    found = work.session.exec(select(BoxRow.id).where(unclosed, BoxRow.due_at <= work.now))
    return [box for box in found if box is not None]


def _decisions(work: Work) -> list[bytes]:
    accepted = select(ClosingRow.decision_id).where(ClosingRow.is_accepted, col(ClosingRow.decision_id).is_not(None))
    taken = select(DecisionRow.id).where(DecisionRow.is_taken, col(DecisionRow.id).not_in(accepted))
    return list(work.session.exec(taken))


def _openings(work: Work) -> list[bytes]:
    return list(work.session.exec(select(OpeningRow.id).where(col(OpeningRow.state).in_(UNFINISHED))))
