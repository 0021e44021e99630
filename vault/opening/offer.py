# SPDX-License-Identifier: EUPL-1.2
"""Offering an opening: time is proved, objects are read once, a fresh key is made, the gate signs (O0 to O2).

Rules
  1. Nothing is offered before q authorities prove not_before over each closing.
  2. The opening key is made after the closing; its seed is wrapped before its public part is shown (protocol 4.8).
  3. One opening at a time over a closing; a broken-off offer is taken up again with the same text.
  4. Envelopes that the buyer leaves out stay sealed (OPEN-08).

Left to others: the checks that holders make (crypto.opening_rules), contributions (contributing).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from crypto.ceremony import Opening
from crypto.closings import EnvelopeList
from crypto.encoding import sha256
from crypto.errors import CryptoError
from crypto.events import EventKind
from crypto.hpke import KemKey
from crypto.policy import Opener
from crypto.statement import Kind, Statement
from crypto.wraps import WrapKind
from vault import envelopes, journal, shelf, stamps
from vault.envelopes import Addressed
from vault.errors import InvalidInput, NotFound, WrongState
from vault.gate import answers
from vault.lifecycle import BoxState
from vault.models import BoxRow, ClosingRow, DecisionRow, OpeningRow, OpeningState
from vault.opening import due
from vault.work import Work, Works

SEED_BYTES = 32
ONGOING = (OpeningState.PREPARED, OpeningState.OFFERED, OpeningState.RELEASED, OpeningState.KEYED)
DONE = (OpeningState.MINUTED,)


@dataclass(frozen=True)
class Request:
    """What a buyer asks to open: boxes by number, admitted envelopes by id; and which listed ones stay sealed."""

    boxes: tuple[int, ...]
    admitted: tuple[UUID, ...] = ()
    left_out: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """A closing to be opened, with its box."""

    row: ClosingRow
    box: Addressed

    @property
    def entries(self) -> EnvelopeList:
        return EnvelopeList.decode(self.row.list)


@dataclass(frozen=True)
class Offered:
    """An opening that custodians may contribute to.

    Attributes:
        id: of the opening.
        rotten: envelopes whose stored bytes are not those received, known before anyone is asked (O1).
    """

    id: bytes
    rotten: tuple[UUID, ...]


def offer(works: Works, platform: str, procedure: UUID, request: Request) -> Offered:
    """Offer an opening: steps O0 to O2.

    Raises:
        NotFound: no such procedure, box or admitted envelope.
        WrongState: a box is not closed, opened already, or others must be opened first.
        TimeUnproven: not_before is not proved to have passed; ask again.
        InvalidInput: an envelope to leave out is not listed.
    """
    with works.open() as work:
        chosen = _choose(work, platform, procedure, request)
        left_out = _left_out(chosen, request)

    # O0. The time is proved by others, over each closing.
    for one in chosen:
        stamps.prove_passed(works, one.box.box.not_before, over=one.row.id, quorum=one.box.policy.time.q)

    # O1. Every listed object is read once, so that rot is known before anyone is asked; the key is made.
    rotten = _rotten(works, procedure, chosen)
    public = _make_key(works, procedure)

    # O2. ◆ The text; then the gate's signature on it.
    with works.open() as work:
        row = _prepare(work, _choose(work, platform, procedure, request), left_out=left_out, public=public)
    return Offered(sign(works, row.id), rotten)


def sign(works: Works, opening_id: bytes) -> bytes:
    """The second half of O2: the vault and the gate sign a prepared opening, and it is offered."""
    with works.open() as work:
        row = due.row_of(work, opening_id)
        if row.state is not OpeningState.PREPARED:
            return row.id
        place = journal.Place(due.platform_of(work, row), row.procedure_id)
        policy = envelopes.chain(work, row.procedure_id)[-1]
    signed = Statement(Kind.OPENING, row.payload).signed_by(works.service_keys.statement)
    shelf.keep_text(works, signed.text.encode())
    works.store.durable()
    try:
        by_gate = works.gate.sign_opening(due.dossier(works, opening_id, note=signed.note))
    except CryptoError as error:
        journal.refuse_by_gate(works, error, place=place)
        raise
    answers.require_signature(signed, by_gate, policy)
    with works.open() as work:
        row = due.row_of(work, opening_id, lock=True)
        if row.state is OpeningState.ABANDONED:
            raise WrongState(row.state, "an opening that is prepared")
        if row.state is not OpeningState.PREPARED:
            return row.id  # another worker was faster
        row.note = signed.with_signatures(by_gate.signatures).note
        row.state = OpeningState.OFFERED
        offered = journal.event(EventKind.OPENING_SIGNED, at=work.now, place=place, subject=row.id)
        journal.append(works, work, offered, place=place)
    return row.id


def adopt(work: Work, procedure: UUID, statement: Statement) -> None:
    """Take an opening's text that the gate has signed, when its row was lost; `sign` then goes on."""
    opening = Opening.of(statement)
    row = OpeningRow(
        id=statement.id,
        procedure_id=procedure,
        attempt=opening.attempt,
        state=OpeningState.PREPARED,
        payload=statement.payload,
        note=b"",
        began_at=opening.at,
    )
    work.session.add(row)
    for box in due.boxes(work, row):
        if box.state is BoxState.CLOSED:
            box.state = BoxState.OPENING


def abandon(works: Works, platform: str, opening_id: bytes) -> None:
    """Give an opening up, so that a new attempt may be offered; its contributions are void (protocol 4.8).

    Raises:
        WrongState: it is keyed already: what was keyed opens.
    """
    with works.open() as work:
        row = due.row_of(work, opening_id, platform=platform, lock=True)
        if row.state in {OpeningState.KEYED, OpeningState.MINUTED, OpeningState.ABANDONED}:
            raise WrongState(row.state, "an opening that is not keyed")
        row.state = OpeningState.ABANDONED
        place = journal.Place(platform, row.procedure_id)
        given_up = journal.event(EventKind.OPENING_ABANDONED, at=work.now, place=place, subject=row.id)
        journal.append(works, work, given_up, place=place)
        for box in due.boxes(work, row):
            if box.state is BoxState.OPENING:
                box.state = BoxState.CLOSED


def _choose(work: Work, platform: str, procedure: UUID, request: Request) -> list[Chosen]:
    """The closings to open, in the order asked, boxes first."""
    if not request.boxes and not request.admitted:
        raise InvalidInput("boxes", "name at least one box, or an admitted envelope")
    chosen = [_main(work, envelopes.address_number(work, platform, procedure, number=one)) for one in request.boxes]
    chosen += [_admitted(work, platform, procedure, one) for one in request.admitted]
    if len({one.box.box.groups for one in chosen}) != 1:
        raise InvalidInput("boxes", "boxes opened together have the same custodians; open these one after the other")
    for one in chosen:
        _require_earlier_opened(work, one.box)
    return chosen


def _main(work: Work, box: Addressed) -> Chosen:
    if box.state is BoxState.OPENED:
        raise WrongState(box.state, "a box that is closed and not opened")
    main = select(ClosingRow).where(ClosingRow.box_id == box.box_id, col(ClosingRow.decision_id).is_(None))
    row = work.session.exec(main).first()
    if row is None or not row.is_accepted:
        raise WrongState(box.state, "the box's closing")
    return Chosen(row, box)


def _admitted(work: Work, platform: str, procedure: UUID, envelope_id: UUID) -> Chosen:
    decided = select(ClosingRow, DecisionRow).where(
        ClosingRow.decision_id == DecisionRow.id, DecisionRow.envelope_id == envelope_id, ClosingRow.is_accepted
    )
    found = work.session.exec(decided).first()
    row = found and work.session.get(BoxRow, found[0].box_id)
    if found is None or row is None or row.procedure_id != procedure:
        raise NotFound
    return Chosen(found[0], envelopes.address_number(work, platform, procedure, number=row.number))


def _require_earlier_opened(work: Work, box: Addressed) -> None:
    for number in box.box.after:
        earlier = envelopes.address_number(work, box.platform, box.procedure, number=number)
        if earlier.state is not BoxState.OPENED:
            raise WrongState(earlier.state, f"box {number} opened first")


def _left_out(chosen: Sequence[Chosen], request: Request) -> tuple[int, ...]:
    listed = [UUID(bytes=entry.envelope_id) for one in chosen for entry in one.entries.entries]
    unknown = set(request.left_out).difference(listed)
    if unknown:
        raise InvalidInput("left_out", "only envelopes that are listed can be left out")
    return tuple(index for index, envelope_id in enumerate(listed) if envelope_id in request.left_out)


def _rotten(works: Works, procedure: UUID, chosen: Sequence[Chosen]) -> tuple[UUID, ...]:
    listed = [UUID(bytes=entry.envelope_id) for one in chosen for entry in one.entries.entries]
    with works.open() as work:
        found = [envelopes.find(works, work, one, procedure=procedure) for one in listed]
    intact = {kept.id for kept in found if kept is not None and shelf.is_intact(works, kept.facts)}
    return tuple(one for one in listed if one not in intact)


def _make_key(works: Works, procedure: UUID) -> bytes:
    seed = os.urandom(SEED_BYTES)
    public = KemKey(seed).public
    works.keys.keep(WrapKind.OPENING_SEED, seed_id(public), seed, parent=works.keys.procedure(procedure))
    works.key_store.durable()
    return public


def seed_id(opening_key: bytes) -> UUID:
    """Under what the opening key's seed is wrapped (protocol 2.6, kind 4)."""
    return UUID(bytes=sha256(opening_key)[:16])


def _prepare(work: Work, chosen: Sequence[Chosen], *, left_out: tuple[int, ...], public: bytes) -> OpeningRow:
    """Write the opening's text, unless one over these closings is under way: then that one goes on."""
    for box_id in sorted({one.box.box_id for one in chosen}):
        work.lock_box(box_id, exclusive=True)
    first = chosen[0].box
    ids = tuple(one.row.id for one in chosen)
    before = [row for row in due.of_procedure(work, first.procedure) if set(due.closings(row)) & set(ids)]
    ongoing = next((row for row in before if row.state in ONGOING), None)
    if ongoing is not None:
        if due.closings(ongoing) != ids or due.opening_of(ongoing).left_out != left_out:
            raise WrongState(ongoing.state, "the opening under way to be finished or abandoned")
        return ongoing
    if any(row.state in DONE for row in before):
        raise WrongState("opened", "closings that were not opened before")
    statement = Opening(
        policy_hash=first.policy.hash,
        closings=ids,
        attempt=len(before) + 1,
        opening_key=public,
        opener=Opener.VAULT,
        at=work.now,
        left_out=left_out,
    ).statement
    row = OpeningRow(
        id=statement.id,
        procedure_id=first.procedure,
        attempt=len(before) + 1,
        state=OpeningState.PREPARED,
        payload=statement.payload,
        note=b"",  # until it is signed
        began_at=work.now,
    )
    work.session.add(row)
    for one in chosen:
        if one.row.decision_id is None:
            box_row = work.session.get(BoxRow, one.box.box_id)
            if box_row is not None:
                box_row.state = BoxState.OPENING
    return row
