# SPDX-License-Identifier: EUPL-1.2
"""Ending a procedure: archived when its boxes are closed, or cancelled with a reason.

Rules
  1. Until it is archived, late and review envelopes are taken and kept; afterwards nothing is.
  2. Archiving waits for every box to be closed, and for openings under way; unopened boxes may stay shut.
  3. Cancelling needs a reason; what was deposited stays sealed and is kept under its rule.

Left to others: what is kept how long, and destroyed when (retention).
"""

from uuid import UUID

from crypto.encoding import require_text
from crypto.errors import FormatError
from crypto.events import MAX_DATA, EventKind
from vault import journal
from vault.errors import InvalidInput, WrongState
from vault.lifecycle import Actor, BoxState, ProcedureState, require_move
from vault.procedures import access
from vault.procedures.access import Caller
from vault.work import Works

QUIET = frozenset({BoxState.CLOSED, BoxState.OPENED})
MAX_REASON = 2000


def archive(works: Works, caller: Caller, procedure_id: UUID) -> None:
    """End a procedure whose boxes are closed; the same again changes nothing.

    Raises:
        NotFound: not this caller's.
        WrongState: not published, or a box is not closed, or is being opened.
    """
    access.require_buyer(works, procedure_id, caller)
    with works.open() as work:
        busy = [box for box in access.box_rows(work, procedure_id) if box.state not in QUIET]
    if busy:
        raise WrongState(f"box {busy[0].number} {busy[0].state}", "every box closed, no opening under way")
    _end(works, caller, procedure_id, to=ProcedureState.ARCHIVED, reason="")


def cancel(works: Works, caller: Caller, procedure_id: UUID, *, reason: str) -> None:
    """End a procedure without an award; the same again changes nothing.

    Raises:
        NotFound: not this caller's.
        InvalidInput: no reason.
        WrongState: archived.
    """
    access.require_buyer(works, procedure_id, caller)
    try:
        require_text(reason, most=MAX_REASON)
    except FormatError as error:
        raise InvalidInput("reason", str(error)) from error
    if not reason.strip():
        raise InvalidInput("reason", "a cancellation says why")
    _end(works, caller, procedure_id, to=ProcedureState.CANCELLED, reason=reason)


_EVENTS = {
    ProcedureState.ARCHIVED: EventKind.PROCEDURE_ARCHIVED,
    ProcedureState.CANCELLED: EventKind.PROCEDURE_CANCELLED,
}


def _end(works: Works, caller: Caller, procedure_id: UUID, *, to: ProcedureState, reason: str) -> None:
    with works.open() as work:
        procedure = access.lock_procedure(work, procedure_id, caller)
        if procedure.state is to:
            return
        require_move(procedure.state, to, by=Actor.BUYER)
        procedure.state = to
        procedure.ended_at = work.now
        _, policy = access.latest_policy(work, procedure_id)
        place = access.place_of(procedure)
        said = reason.encode()[:MAX_DATA].decode(errors="ignore").encode()
        event = journal.event(_EVENTS[to], at=work.now, place=place, subject=policy.hash, data=said)
        journal.append(works, work, event, place=place)
