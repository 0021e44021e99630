# SPDX-License-Identifier: EUPL-1.2
"""Decisions: k custodians admit one late or review envelope (protocol 4.9, LATE-02).

Rules
  1. Only an envelope that is late or in review, in a box whose main closing is done, can be admitted.
  2. A decision counts with k distinct custodians of the box; each signs the same text, reason included.
  3. The vault writes nothing in it: who shows a signed text that it would have drafted itself is heard.

Left to others: the supplementary closing (vault.closing), the opening over it (vault.opening).
"""

from uuid import UUID

from crypto.closings import Decision
from crypto.errors import ListError, PersonError, PolicyError, SignatureError
from crypto.events import EventKind
from crypto.policy import Group
from crypto.statement import Kind, Statement, parse_note, require_signers
from vault import envelopes, journal
from vault.envelopes import Addressed, Kept
from vault.errors import NotFound, WrongState
from vault.jobs import queue
from vault.lifecycle import Actor, EnvelopeState, require_move
from vault.models import DecisionRow
from vault.work import Work, Works


def draft(works: Works, platform: str, procedure: UUID, *, envelope_id: UUID, reason: str) -> Statement:
    """The text that custodians sign to admit an envelope.

    Raises:
        NotFound: no such envelope in a closed box of this procedure.
        WrongState: it is neither late nor in review.
    """
    with works.open() as work:
        box, kept = _admissible(works, work, platform, procedure, envelope_id=envelope_id)
        return Decision(box.policy.hash, box.box.number, envelopes.entry_of(kept), reason).statement


def decide(works: Works, platform: str, procedure: UUID, *, note: bytes, person: bytes) -> int:
    """Take one custodian's signature on a decision; with the k-th it is taken, and its closing follows.

    Args:
        note: the decision signed by this custodian (others' signatures may stand on it too).
        person: who sends it, by their login.

    Returns:
        How many custodians have signed.

    Raises:
        NotFound, WrongState: as `draft`.
        SignatureError: not signed by a custodian of the box.
        PersonError: signed with another person's key.
        PolicyError, ListError: not under the policy in force, or over other bytes.
    """
    statement = parse_note(note, Kind.DECISION)
    decision = Decision.of(statement)
    with works.open() as work:
        kept_id = UUID(bytes=decision.entry.envelope_id)
        box, kept = _admissible(works, work, platform, procedure, envelope_id=kept_id)
        _require_same(decision, box, kept)
        group = box.policy.groups[box.box.custodians]
        _require_own(statement, group, person)
        work.lock_box(box.box_id, exclusive=True)  # two first signatures at once are both counted
        row = work.session.get(DecisionRow, statement.id) or _add(work, box, statement)
        merged = parse_note(row.note, Kind.DECISION).with_signatures(statement.signatures)
        signed = require_signers(merged, [card.verifier for card in group.cards], 1)
        row.note = merged.note
        if len(signed) >= group.k and not row.is_taken:
            _take(works, work, box, row)
        return len(signed)


def _admissible(
    works: Works, work: Work, platform: str, procedure: UUID, *, envelope_id: UUID
) -> tuple[Addressed, Kept]:
    kept = envelopes.find(works, work, envelope_id, procedure=procedure)
    if kept is None or kept.row.platform != platform:
        raise NotFound
    box = envelopes.address_number(work, platform, procedure, number=kept.facts.box)
    if not box.is_public:
        raise WrongState(box.state, "the box's closing")
    require_move(kept.state, EnvelopeState.LISTED, by=Actor.CUSTODIANS)
    return box, kept


def _require_same(decision: Decision, box: Addressed, kept: Kept) -> None:
    if decision.policy_hash != box.policy.hash or decision.box != box.box.number:
        raise PolicyError("the decision is not under the policy in force for this box")
    if decision.entry != envelopes.entry_of(kept):
        raise ListError("the decision is over other bytes than the envelope's")


def _require_own(statement: Statement, group: Group, person: bytes) -> None:
    names = {signature.name for signature in statement.signatures}
    own = next((card for card in group.cards if card.person == person), None)
    if own is None:
        raise PersonError("not a custodian of this box")
    if own.verifier.name not in names:
        raise SignatureError("your own signature is not on the decision")
    require_signers(statement, [own.verifier], 1)


def taken_row(statement: Statement, *, box_id: int, envelope_id: UUID) -> DecisionRow:
    """The row of a decision that was taken, when its row was lost."""
    return DecisionRow(
        id=statement.id,
        box_id=box_id,
        envelope_id=envelope_id,
        payload=statement.payload,
        note=statement.note,
        is_taken=True,
    )


def _add(work: Work, box: Addressed, statement: Statement) -> DecisionRow:
    row = DecisionRow(
        id=statement.id,
        box_id=box.box_id,
        envelope_id=UUID(bytes=Decision.of(statement).entry.envelope_id),
        payload=statement.payload,
        note=statement.note,
    )
    work.session.add(row)
    return row


def _take(works: Works, work: Work, box: Addressed, row: DecisionRow) -> None:
    row.is_taken = True
    place = journal.Place(box.platform, box.procedure, box.box.number)
    taken = journal.event(EventKind.DECISION_TAKEN, at=work.now, place=place, subject=row.id)
    journal.append(works, work, taken, place=place)
    queue(work, "close_admitted", row.id.hex())
