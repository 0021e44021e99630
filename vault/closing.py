# SPDX-License-Identifier: EUPL-1.2
"""Closing: after the deadline a box's list of envelopes is fixed, signed and stamped.

Rules
  1. A box closes once; closing it again gives the same statement.
  2. Our clock never closes a box: q authorities prove that deadline + settle has passed.
  3. A deposit is wholly before the closing or sees it: the box's lock decides (protocol 4.4).
  4. Text and list are locked objects before the gate sees them; the gate accepts one main closing per box, ever.
  5. An envelope admitted by decision gets a supplementary closing of its own (protocol 4.9).

Left to others: which envelopes stand (vault.lifecycle), tokens of late receivers (vault.receiving), opening.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlmodel import col, select

from crypto.closings import Closing, Decision, EnvelopeList
from crypto.errors import CryptoError, ListError, StateError
from crypto.events import EventKind
from crypto.policy import Policy
from crypto.statement import Kind, Statement, parse_note
from vault import envelopes, journal, receiving, sequencer, shelf, stamps
from vault.envelopes import Addressed, Kept
from vault.errors import NotFound, TimeUnproven, WrongState
from vault.lifecycle import Actor, BoxState, EnvelopeState, Held, require_move, standing, superseded
from vault.models import BoxRow, ClosingRow, DecisionRow, Procedure
from vault.work import Work, Works


def close(works: Works, box_id: int) -> Statement:
    """Close one box: steps C1 to C4 of the protocol.

    Raises:
        NotFound: no such box.
        TimeUnproven: too few authorities, or too early; nothing was changed, ask again.
    """
    # C1. Received deposits get their tokens; the time is proved by others.
    receiving.settle(works, box_id)
    with works.open() as work:
        box = addressed(work, box_id)
        fixed = main_of(work, box_id)
    if fixed is None:
        request = box.policy.close_request(box.box)
        due = box.box.deadline + box.policy.settle
        stamps.prove_passed(works, due, over=request, quorum=box.policy.time.q)
        # C2. ◆ The list is fixed while no deposit is under way.
        with works.open() as work:
            work.lock_box(box_id, exclusive=True)
            fixed = main_of(work, box_id) or _fix_list(works, work, addressed(work, box_id), proven=request)
    return _complete(works, fixed.id)


def close_admitted(works: Works, decision_id: bytes) -> Statement:
    """Close the list of one envelope that k custodians admitted: C2 to C4 with the decision's id.

    Raises:
        NotFound: no such decision.
        WrongState: the box's main closing is not done, or the envelope is no longer late or in review.
    """
    with works.open() as work:
        decision = work.session.get(DecisionRow, decision_id)
        if decision is None or not decision.is_taken:
            raise NotFound
        # C2. ◆ The envelope is listed alone.
        work.lock_box(decision.box_id, exclusive=True)
        fixed = work.session.exec(select(ClosingRow).where(ClosingRow.decision_id == decision_id)).first()
        if fixed is None:
            fixed = _list_admitted(works, work, addressed(work, decision.box_id), decision)
    return _complete(works, fixed.id)


def addressed(work: Work, box_id: int) -> Addressed:
    """A box by its row; NotFound."""
    row = work.session.get(BoxRow, box_id, populate_existing=True)
    if row is None:
        raise NotFound
    procedure = work.session.get_one(Procedure, row.procedure_id)
    return envelopes.address_number(work, procedure.platform, procedure.id, number=row.number)


def adopt(works: Works, work: Work, box_id: int, *, statement: Statement, entries: bytes) -> bool:
    """Take a closing's text and list as they were fixed (C2), when their rows were lost; C3 and C4 then go on.

    Raises:
        ListError: the list is not the closing's.
        StateError: the box has another main closing.
    """
    closing, listed = Closing.of(statement), EnvelopeList.decode(entries)
    if (listed.root, len(listed)) != (closing.root, closing.count):
        raise ListError("the list does not give the closing's root")
    work.lock_box(box_id, exclusive=True)
    if work.session.get(ClosingRow, statement.id) is not None:
        return False
    if closing.decision is None and main_of(work, box_id) is not None:
        raise StateError(f"box {closing.box} has another main closing")
    box = addressed(work, box_id)
    kept = [envelopes.find(works, work, UUID(bytes=one.envelope_id), procedure=box.procedure) for one in listed.entries]
    if closing.decision is None:
        _supersede(works, work, box, listed)
        _box_row(work, box).state = BoxState.CLOSING
    places = {index: one for index, one in enumerate(kept) if one is not None}
    _write_closing(works, work, box, places, statement=statement, entries=entries)
    return True


def conclude(works: Works, work: Work, statement: Statement) -> None:
    """Say of an adopted closing what the gate remembers: that it accepted it, signed as it is (C4)."""
    row = _closing(work, statement.id)
    row.note, row.is_accepted = statement.note, True
    if row.decision_id is None:
        _show(works, work, addressed(work, row.box_id), is_empty=Closing.of(statement).count == 0)


def _supersede(works: Works, work: Work, box: Addressed, listed: EnvelopeList) -> None:
    standing_ids = {UUID(bytes=one.envelope_id) for one in listed.entries}
    for one in _of_box(works, work, box):
        if one.state is EnvelopeState.SEALED and one.id not in standing_ids:
            envelopes.write(works, one.row, one.facts, state=EnvelopeState.SUPERSEDED)


def main_of(work: Work, box_id: int) -> ClosingRow | None:
    """A box's main closing, as far as it is."""
    main = select(ClosingRow).where(ClosingRow.box_id == box_id, col(ClosingRow.decision_id).is_(None))
    return work.session.exec(main).first()


def _fix_list(works: Works, work: Work, box: Addressed, *, proven: bytes) -> ClosingRow:
    """C2 under the exclusive lock: rows and states are read anew here, whatever was read before."""
    if box.policy.close_request(box.box) != proven:
        raise TimeUnproven("the deadline moved meanwhile; ask again")
    require_move(box.state, BoxState.CLOSING, by=Actor.VAULT)
    kept = {one.id: one for one in _of_box(works, work, box)}
    held = [Held(one.id, one.facts.bidder, one.facts.first_event, one.state) for one in kept.values()]
    listed = [kept[one.envelope_id] for one in standing(held)]
    _require_not_withdrawn(works, work, box, listed)
    row = _add_closing(works, work, box, listed)
    for old in superseded(held):
        envelopes.write(works, kept[old.envelope_id].row, kept[old.envelope_id].facts, state=EnvelopeState.SUPERSEDED)
    _box_row(work, box).state = BoxState.CLOSING
    return row


def _list_admitted(works: Works, work: Work, box: Addressed, decision: DecisionRow) -> ClosingRow:
    if not box.is_public:
        raise WrongState(box.state, "the box's closing")
    kept = envelopes.find(works, work, decision.envelope_id, procedure=box.procedure, lock=True)
    if kept is None:
        raise NotFound
    require_move(kept.state, EnvelopeState.LISTED, by=Actor.CUSTODIANS)
    entry = Decision.of(parse_note(decision.note, Kind.DECISION)).entry
    if entry != envelopes.entry_of(kept):
        raise StateError("the decision names other bytes than the envelope's")
    return _add_closing(works, work, box, [kept], decision_id=decision.id)


def _add_closing(
    works: Works, work: Work, box: Addressed, listed: list[Kept], *, decision_id: bytes | None = None
) -> ClosingRow:
    """List the envelopes and write the closing's text with its entry in the journal."""
    entries = EnvelopeList(tuple(envelopes.entry_of(one) for one in listed))
    closing = Closing(
        policy_hash=box.policy.hash,
        box=box.box.number,
        count=len(entries),
        root=entries.root,
        deadline=box.box.deadline,
        at=work.now,
        decision=decision_id,
    )
    places = dict(enumerate(listed))
    return _write_closing(works, work, box, places, statement=closing.statement, entries=entries.encode())


def _write_closing(
    works: Works, work: Work, box: Addressed, places: Mapping[int, Kept], *, statement: Statement, entries: bytes
) -> ClosingRow:
    """The closing's row, its envelopes listed at their places, and its entry in the journal."""
    for index, one in places.items():
        envelopes.write(works, one.row, one.facts, state=EnvelopeState.LISTED)
        one.row.closing_id, one.row.list_index = statement.id, index
    closing = Closing.of(statement)
    row = ClosingRow(
        id=statement.id,
        box_id=box.box_id,
        decision_id=closing.decision,
        payload=statement.payload,
        list=entries,
        at=closing.at,
    )
    work.session.add(row)
    place = journal.Place(box.platform, box.procedure, box.box.number)
    journal.append(
        works, work, journal.event(EventKind.BOX_CLOSED, at=work.now, place=place, subject=row.id), place=place
    )
    return row


def _complete(works: Works, closing_id: bytes) -> Statement:
    """C3 and C4 of a fixed list; what is done already is not done again."""
    with works.open() as work:
        row = _closing(work, closing_id)
        box = addressed(work, row.box_id)
        decision = row.decision_id and work.session.get(DecisionRow, row.decision_id)
        signed = Statement(Kind.CLOSING, row.payload).signed_by(works.service_keys.statement)
        request, _ = request_of(work, box, Closing.of(signed))
        request_stamps = stamps.kept(work, request)
    if row.is_accepted:
        return signed
    shelf.keep_text(works, signed.text.encode())
    shelf.keep_text(works, row.list)
    works.store.durable()

    # C3. ◆ The text of C2 is signed and stamped; a repeat finds the same text.
    stamps.prove_passed(works, box.box.deadline, over=closing_id, quorum=box.policy.time.q)
    with works.open() as work:
        _closing(work, closing_id).note = signed.note

    # C4. ◆ The gate accepts one main closing per box, ever; then the box is closed and its rows are in clear.
    sequencer.publish(works)
    try:
        works.gate.accept_closing(signed.note, row.list, request_stamps, decision=decision.note if decision else None)
    except CryptoError as error:
        journal.refuse_by_gate(works, error, place=journal.Place(box.platform, box.procedure, box.box.number))
        raise
    with works.open() as work:
        work.lock_box(row.box_id, exclusive=True)
        accepted = _closing(work, closing_id)
        if accepted.is_accepted:  # another worker was faster, and the box may have gone on since
            return signed
        accepted.is_accepted = True
        if row.decision_id is None:
            _show(works, work, addressed(work, row.box_id), is_empty=Closing.of(signed).count == 0)
    return signed


def _show(works: Works, work: Work, box: Addressed, *, is_empty: bool) -> None:
    """The box is closed: fill the clear columns of its rows and name its journal entries."""
    for one in _of_box(works, work, box):
        one.row.procedure_id, one.row.box_number, one.row.bidder = box.procedure, box.box.number, one.facts.bidder
    place = journal.Place(box.platform, box.procedure, box.box.number)
    journal.show_box(works, work, place=place, buckets=envelopes.weeks(works, work, box))
    _box_row(work, box).state = BoxState.OPENED if is_empty else BoxState.CLOSED


def _of_box(works: Works, work: Work, box: Addressed) -> list[Kept]:
    weeks = envelopes.weeks(works, work, box)
    found = envelopes.in_week(works, work, procedure=box.procedure, platform=box.platform, buckets=weeks)
    return [one for one in found if one.facts.box == box.box.number]


def _require_not_withdrawn(works: Works, work: Work, box: Addressed, listed: list[Kept]) -> None:
    """Refuse to list what the journal knows as withdrawn: the envelope's row is older than its journal."""
    weeks = envelopes.weeks(works, work, box)
    place = journal.Place(box.platform, box.procedure, box.box.number)
    withdrawn = {
        event.data
        for event in journal.of_box(works, work, place=place, buckets=weeks)
        if event.kind is EventKind.ENVELOPE_WITHDRAWN
    }
    for one in listed:
        if one.id.bytes in withdrawn:
            raise StateError("the journal knows a listed envelope as withdrawn. Run `bidvault recover`.")


def _closing(work: Work, closing_id: bytes) -> ClosingRow:
    row = work.session.get(ClosingRow, closing_id)
    if row is None:
        raise NotFound
    return row


def request_of(work: Work, box: Addressed, closing: Closing) -> tuple[bytes, Policy]:
    """What C1's tokens are over, and the policy that the closing names; NotFound."""
    for policy in envelopes.chain(work, box.procedure):
        if policy.hash == closing.policy_hash:
            return policy.close_request(policy.box(closing.box)), policy
    raise NotFound


def _box_row(work: Work, box: Addressed) -> BoxRow:
    row = work.session.get(BoxRow, box.box_id)
    if row is None:
        raise NotFound
    return row
