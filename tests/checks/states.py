# SPDX-License-Identifier: EUPL-1.2
"""States of boxes and envelopes, and whether rows, lists, ledgers and the gate's memory tell one story.

Rules
  1. A box is open exactly while it has no main closing; its state is that of its closing and its opening.
  2. The gate remembers what the vault says it accepted, byte for byte, and no other closing.
  3. A closing lists exactly what stood when its entry was made: of each bidder's envelopes in time, not withdrawn, the
     last; in the order of the journal. What it left out for a later one is superseded.
  4. An envelope's state fits its verdict, its withdrawal and its list; its clear columns are filled exactly when
     its box is closed.
  5. A bidder's ledger names exactly that bidder's envelopes in the box, in order.
  6. Each envelope's object was stored by exactly one attempt, which is done.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from crypto.closings import Closing, Decision, EnvelopeList
from crypto.deposit import DepositRecord, Verdict
from crypto.events import EventKind
from crypto.statement import Kind, parse_note
from tests.checks.stored import Finding, Stored
from vault import envelopes, receiving
from vault.attempts import NO_OBJECT
from vault.envelopes import PUBLIC_AFTER, Kept
from vault.lifecycle import BoxState, EnvelopeState, Held, standing, superseded
from vault.models import AttemptState, BoxRow, ClosingRow, OpeningRow, OpeningState
from vault.opening import due
from vault.sweep import ABANDONED

AFTER_LISTING = (
    EnvelopeState.LISTED,
    EnvelopeState.KEYED,
    EnvelopeState.UNKEYED,
    EnvelopeState.OPENED,
    EnvelopeState.FAILED,
)
VERDICTS = {
    EnvelopeState.SEALED: (Verdict.IN_TIME,),
    EnvelopeState.SUPERSEDED: (Verdict.IN_TIME,),
    EnvelopeState.LATE: (Verdict.LATE,),
    EnvelopeState.REVIEW: (Verdict.REVIEW,),
}
OVER_BOX = {
    OpeningState.PREPARED: BoxState.OPENING,
    OpeningState.OFFERED: BoxState.OPENING,
    OpeningState.RELEASED: BoxState.OPENING,
    OpeningState.KEYED: BoxState.KEYED,
    OpeningState.MINUTED: BoxState.OPENED,
}


def check(stored: Stored) -> Iterator[Finding]:
    """All of it."""
    for box in stored.boxes.values():
        yield from _box(stored, box)
        yield from _ledgers(stored, box)
        yield from _superseded(stored, box)
    for row in stored.closings.values():
        yield from _closing(stored, row)
    yield from _gate(stored)
    for kept in stored.envelopes.values():
        yield from _envelope(stored, kept)
    yield from _attempts(stored)


def _box(stored: Stored, box: BoxRow) -> Iterator[Finding]:
    expected = _expected(stored, box)
    if box.state is not expected:
        yield Finding("box-in-another-state", f"box {box.id} is {box.state.value}, by its rows {expected.value}")
    policy = stored.policies(box.procedure_id)[-1]
    said = policy.box(box.number)
    if (box.deadline, box.not_before, box.due_at) != (said.deadline, said.not_before, said.deadline + policy.settle):
        yield Finding("box-with-other-dates", f"box {box.id}")


def _expected(stored: Stored, box: BoxRow) -> BoxState:
    """The state that closing and openings give."""
    closing = stored.main_closing(box)
    if closing is None:
        return BoxState.OPEN
    if not closing.is_accepted:
        return BoxState.CLOSING
    if not EnvelopeList.decode(closing.list).entries:
        return BoxState.OPENED
    over = [_opening_state(row) for row in stored.openings if closing.id in due.closings(row)]
    return max((one for one in over if one is not None), key=list(BoxState).index, default=BoxState.CLOSED)


def _opening_state(row: OpeningRow) -> BoxState | None:
    return OVER_BOX.get(row.state)


def _closing(stored: Stored, row: ClosingRow) -> Iterator[Finding]:
    where = f"closing {row.id.hex()[:16]}"
    said, listed = Closing.decode(row.payload), EnvelopeList.decode(row.list)
    if (said.count, said.root) != (len(listed), listed.root):
        yield Finding("list-of-another-closing", where)
    if row.note is not None and parse_note(row.note, Kind.CLOSING).payload != row.payload:
        yield Finding("closing-signed-over-another-text", where)
    if row.is_accepted and row.note is None:
        yield Finding("closing-accepted-unsigned", where)
    expected = _stood(stored, row) if row.decision_id is None else _admitted(stored, row)
    entries = [UUID(bytes=one.envelope_id) for one in listed.entries]
    if entries != expected:
        yield Finding("list-is-not-what-stood", f"{where}: {len(entries)} listed, {len(expected)} stood")
    for index, entry in enumerate(listed.entries):
        kept = stored.envelopes.get(UUID(bytes=entry.envelope_id))
        if kept is None or envelopes.entry_of(kept) != entry:
            yield Finding("listed-bytes-are-not-the-row-s", f"{where}, {index}")
        elif (kept.row.closing_id, kept.row.list_index) != (row.id, index):
            yield Finding("envelope-listed-elsewhere", f"{where}, {index}")


def _stood(stored: Stored, row: ClosingRow) -> list[UUID]:
    """Rule 3, from verdicts and entries alone."""
    box = stored.boxes[row.box_id]
    return [one.envelope_id for one in standing(_held_before(stored, box, row))]


def _held_before(stored: Stored, box: BoxRow, row: ClosingRow) -> list[Held]:
    """The box's envelopes as they were when the closing's entry was made."""
    closed = _seq(stored, EventKind.BOX_CLOSED, row.id)
    held = []
    for kept in stored.of_box(box):
        ruled = _ruled_before(stored, kept, closed)
        is_standing = ruled and kept.facts.verdict == Verdict.IN_TIME and not receiving.is_withdrawn(kept.facts)
        state = EnvelopeState.SEALED if is_standing else EnvelopeState.WITHDRAWN
        held.append(replace(kept.held, state=state))
    return held


def _ruled_before(stored: Stored, kept: Kept, closed: int) -> bool:
    """Whether the envelope had its verdict when the closing was made."""
    record = DepositRecord.decode(kept.facts.record)
    sealed = _seq(stored, EventKind.ENVELOPE_SEALED, record.imprint)
    return 0 < sealed < closed


def _seq(stored: Stored, kind: EventKind, subject: bytes) -> int:
    """The row of the entry that tells something, 0 where none does."""
    return next((one.seq for one in stored.by_fact.get((kind, subject), ())), 0)


def _admitted(stored: Stored, row: ClosingRow) -> list[UUID]:
    decision = stored.decisions.get(row.decision_id or b"")
    if decision is None or not decision.is_taken:
        return []
    return [UUID(bytes=Decision.of(parse_note(decision.note, Kind.DECISION)).entry.envelope_id)]


def _gate(stored: Stored) -> Iterator[Finding]:
    """Rule 2."""
    remembered = {row.id: row for row in stored.gate.closings}
    for row in stored.closings.values():
        there = remembered.get(row.id)
        if row.is_accepted and there is None:
            yield Finding("closing-the-gate-does-not-know", row.id.hex()[:16])
        if there is not None and (there.note, there.list) != (row.note, row.list):
            yield Finding("closing-the-gate-knows-otherwise", row.id.hex()[:16])
    for closing_id in remembered.keys() - stored.closings.keys():
        yield Finding("closing-only-the-gate-knows", closing_id.hex()[:16])
    accepted = {row.policy_hash for row in stored.gate.policies}
    for procedure in stored.procedures:
        for policy in stored.policies(procedure):
            if policy.hash not in accepted:
                yield Finding("policy-the-gate-does-not-know", policy.hash.hex()[:16])


def _envelope(stored: Stored, kept: Kept) -> Iterator[Finding]:
    where, facts = f"{kept.id} is {kept.state.value}", kept.facts
    allowed = VERDICTS.get(kept.state)
    if allowed is not None and facts.verdict not in allowed:
        yield Finding("state-and-verdict-differ", where)
    if (kept.state is EnvelopeState.WITHDRAWN) != (bool(facts.receipt) and receiving.is_withdrawn(facts)):
        yield Finding("state-and-withdrawal-differ", where)
    is_listed = kept.row.closing_id is not None
    if is_listed != (kept.state in AFTER_LISTING):
        yield Finding("state-and-list-differ", where)
    if is_listed and kept.row.closing_id not in stored.closings:
        yield Finding("listed-by-no-closing", where)
    yield from _clear_columns(stored, kept)


def _clear_columns(stored: Stored, kept: Kept) -> Iterator[Finding]:
    box = stored.box_of(kept)
    if box is None:
        yield Finding("envelope-without-box", str(kept.id))
        return
    shown = (kept.row.procedure_id, kept.row.box_number, kept.row.bidder)
    wanted = (box.procedure_id, box.number, kept.facts.bidder) if box.state in PUBLIC_AFTER else (None, None, None)
    if shown != wanted:
        word = "closed-box-not-shown" if wanted[0] else "shown-before-the-closing"
        yield Finding(word, str(kept.id))


def _superseded(stored: Stored, box: BoxRow) -> Iterator[Finding]:
    closing = stored.main_closing(box)
    held = [] if closing is None else _held_before(stored, box, closing)
    replaced = {one.envelope_id for one in superseded(held)}
    for kept in stored.of_box(box):
        if (kept.id in replaced) != (kept.state is EnvelopeState.SUPERSEDED):
            yield Finding("not-superseded" if kept.id in replaced else "superseded-by-nothing", str(kept.id))


def _ledgers(stored: Stored, box: BoxRow) -> Iterator[Finding]:
    by_bidder: dict[str, list[UUID]] = {}
    for kept in stored.of_box(box):
        by_bidder.setdefault(kept.facts.bidder, []).append(kept.id)
    for bidder, ids in by_bidder.items():
        facts = stored.ledgers.get(stored.works.keys.ledger_id(box.procedure_id, box.number, bidder))
        if facts is None or list(facts.envelopes) != ids:
            yield Finding("ledger-and-envelopes-differ", f"box {box.id}, {len(ids)} envelopes of one bidder")
    limit = stored.policies(box.procedure_id)[-1].limits.deposits
    if any(len(ids) > limit for ids in by_bidder.values()):
        yield Finding("more-deposits-than-allowed", f"box {box.id}")


def _attempts(stored: Stored) -> Iterator[Finding]:
    """Rule 6."""
    by_object = {one.facts.object_id: one for one in stored.attempts if one.facts.object_id != NO_OBJECT}
    seen: set[UUID] = set()
    for kept in stored.envelopes.values():
        tried = by_object.get(kept.facts.object_id)
        if kept.facts.object_id in seen:
            yield Finding("two-envelopes-of-one-object", str(kept.id))
        seen.add(kept.facts.object_id)
        if tried is None or tried.facts.envelope_id != kept.id:
            yield Finding("envelope-that-nobody-began", str(kept.id))
        elif tried.row.state is not AttemptState.DONE and tried.facts.outcome != ABANDONED:
            yield Finding("attempt-not-done", f"{kept.id}: {tried.row.state.value}")
