# SPDX-License-Identifier: EUPL-1.2
"""Rows of envelopes and ledgers, and the box a deposit is addressed to.

Rules
  1. Before its box is closed a row shows its platform, a random id, a state and a week; all else is hidden (4.12).
  2. A row is read and written whole: when its state moves, its facts are encrypted anew for that state.
  3. An envelope is found by its depositor only: platform of the token and bidder, in its procedure and box.
     Whatever else is wrong about an id, the answer is one and the same (T26, T47).
  4. A bidder's ledger is locked after the box and before its envelopes; so one bidder's acts in one box queue up.

Left to others: who may move which state (vault.lifecycle), what is written when (deposit, withdrawal, closing).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from sqlalchemy import ColumnElement, and_
from sqlalchemy import select as rows
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from crypto.closings import ListEntry
from crypto.deposit import DepositRecord
from crypto.errors import CryptoError
from crypto.policy import Box, Part, Policy, require_in_force
from crypto.statement import Kind, parse_note
from vault.errors import NotFound, RowChanged
from vault.hidden import NotThisRow, hide, is_revealed, reveal
from vault.journal import Place
from vault.lifecycle import BoxState, EnvelopeState, Held, ProcedureState
from vault.models import BoxRow, Envelope, Ledger, PolicyRow, PolicyState, Procedure
from vault.rows import EnvelopeFacts, LedgerFacts
from vault.work import Work, Works

ENVELOPES = "envelope"
LEDGERS = "ledger"
LEDGER_STATE = "kept"
PASSING = 1000  # rows held at once while a week is looked through
PUBLIC_AFTER = frozenset({BoxState.CLOSED, BoxState.OPENING, BoxState.KEYED, BoxState.OPENED})
WERE_IN_FORCE = (PolicyState.IN_FORCE, PolicyState.REPLACED)


@dataclass(frozen=True)
class Depositor:
    """Who deposits: the platform of the token, and the bidder it names (protocol: one depositor is both)."""

    platform: str
    bidder: str


@dataclass(frozen=True)
class Addressed:
    """A box of a published procedure as it is now, with the policy in force."""

    platform: str
    procedure: UUID
    procedure_state: ProcedureState
    policy: Policy
    box: Box
    box_id: int
    state: BoxState

    @property
    def is_public(self) -> bool:
        """Whether its closing is done, so that nothing about its deposits is a secret any more."""
        return self.state in PUBLIC_AFTER

    def place(self, works: Works) -> Place:
        """Where the journal's entries about this box belong: hidden in the deadline's week until it is closed."""
        return Place(self.platform, self.procedure, self.box.number, b"" if self.is_public else self.bucket(works))

    def bucket(self, works: Works) -> bytes:
        """The week of its deadline."""
        return works.keys.bucket(self.platform, self.box.deadline)


@dataclass(frozen=True)
class Kept:
    """A row of an envelope with its facts in clear."""

    row: Envelope
    facts: EnvelopeFacts

    @property
    def id(self) -> UUID:
        return self.row.id

    @property
    def state(self) -> EnvelopeState:
        return self.row.state

    @property
    def held(self) -> Held:
        """What the rules about a box's envelopes need of it."""
        return Held(self.id, self.facts.bidder, self.facts.first_event, self.state)


@dataclass(frozen=True)
class Wanted:
    """An envelope as its depositor names it."""

    depositor: Depositor
    procedure: UUID
    lot: str
    envelope_id: UUID


def find_own(works: Works, work: Work, wanted: Wanted) -> tuple[Kept, Addressed] | None:
    """A depositor's own envelope and its box; None for everyone else, whatever the reason."""
    try:
        _require_published(work, wanted.depositor.platform, wanted.procedure)  # first: another's has no key to try
        kept = find(works, work, wanted.envelope_id, procedure=wanted.procedure)
        if kept is None:
            return None
        box = address_number(work, wanted.depositor.platform, wanted.procedure, number=kept.facts.box)
    except NotFound:
        return None
    is_own = belongs(kept, wanted.depositor, box) and box.box.lot == wanted.lot
    return (kept, box) if is_own else None


def address(work: Work, platform: str, procedure: UUID, *, lot: str, part: Part) -> Addressed:
    """Find a box by its lot and part.

    Raises:
        NotFound: no such procedure for this platform, or not published, or no such lot or part.
    """
    if "\0" in lot:
        raise NotFound  # no lot is called so, and PostgreSQL takes no such text
    return _addressed(work, platform, procedure, and_(col(BoxRow.lot) == lot, col(BoxRow.part) == part.value))


def address_number(work: Work, platform: str, procedure: UUID, *, number: int) -> Addressed:
    """Find a box by its number; NotFound as `address`."""
    return _addressed(work, platform, procedure, col(BoxRow.number) == number)


def find(works: Works, work: Work, envelope_id: UUID, *, procedure: UUID, lock: bool = False) -> Kept | None:
    """An envelope's row with its facts; None where there is no row that is this procedure's."""
    return claimed(works, work, envelope_id, procedure=procedure, lock=lock)[0]


def claimed(
    works: Works, work: Work, envelope_id: UUID, *, procedure: UUID, lock: bool = False
) -> tuple[Kept | None, bool]:
    """As `find`, and whether any row has this id, whoever's: that is told to nobody."""
    row = work.session.get(Envelope, envelope_id, with_for_update=lock or None, populate_existing=lock)
    if row is None:
        return None, False
    try:
        return Kept(row, read(works, row, procedure=procedure)), True
    except NotThisRow:
        return None, True


def belongs(kept: Kept, depositor: Depositor, box: Addressed) -> bool:
    """Whether an envelope is this depositor's, in this box."""
    facts = kept.facts
    mine = (kept.row.platform, facts.bidder) == (depositor.platform, depositor.bidder)
    return mine and (facts.procedure, facts.box) == (box.procedure, box.box.number)


def read(works: Works, row: Envelope, *, procedure: UUID) -> EnvelopeFacts:
    """Open a row's facts; NotThisRow when it is another procedure's."""
    key = works.keys.facts(procedure)
    return EnvelopeFacts.decode(reveal(key, row.facts, table=ENVELOPES, row_id=row.id, state=row.state.value))


def write(works: Works, row: Envelope, facts: EnvelopeFacts, *, state: EnvelopeState) -> Kept:
    """Move a row to a state, with its facts encrypted for it."""
    row.state = state
    row.facts = _hidden(works, row.id, facts, state)
    return Kept(row, facts)


def add(
    works: Works, work: Work, envelope_id: UUID, facts: EnvelopeFacts, *, box: Addressed, state: EnvelopeState
) -> Kept:
    """Add a row; in a box that is closed already it is in clear at once, as the closing made the others."""
    row = Envelope(
        id=envelope_id,
        platform=box.platform,
        bucket=box.bucket(works),
        state=state,
        facts=_hidden(works, envelope_id, facts, state),
        procedure_id=box.procedure if box.is_public else None,
        box_number=box.box.number if box.is_public else None,
        bidder=facts.bidder if box.is_public else None,
    )
    work.session.add(row)
    return Kept(row, facts)


def entry_of(kept: Kept) -> ListEntry:
    """An envelope as a closing lists it (protocol 3.7)."""
    record = DepositRecord.decode(kept.facts.record)
    return ListEntry(record.envelope_id, record.header_hash, record.file_hash, record.length)


def in_week(works: Works, work: Work, *, procedure: UUID, platform: str, buckets: Iterable[bytes]) -> Iterator[Kept]:
    """A procedure's envelopes among the rows of some weeks, in no order.

    Others' rows pass as they come and are not kept: a week of many boxes costs time, not memory.
    """
    key = works.keys.facts(procedure)
    passing = rows(col(Envelope.id), col(Envelope.state), col(Envelope.facts)).where(
        col(Envelope.platform) == platform, col(Envelope.bucket).in_(set(buckets))
    )
    mine = [
        row_id
        for row_id, state, facts in work.session.execute(passing, execution_options={"yield_per": PASSING})
        if is_revealed(key, facts, table=ENVELOPES, row_id=row_id, state=state.value)
    ]
    for some in (mine[at : at + PASSING] for at in range(0, len(mine), PASSING)):
        for row in work.session.exec(select(Envelope).where(col(Envelope.id).in_(some))):
            yield Kept(row, read(works, row, procedure=procedure))


def received(works: Works, work: Work, *, procedure: UUID, platform: str, buckets: Iterable[bytes]) -> Iterator[Kept]:
    """As `in_week`, of those that still wait for a token."""
    statement = select(Envelope).where(
        Envelope.state == EnvelopeState.RECEIVED, Envelope.platform == platform, col(Envelope.bucket).in_(set(buckets))
    )
    for row in work.session.exec(statement):
        try:
            yield Kept(row, read(works, row, procedure=procedure))
        except NotThisRow:
            continue


def weeks(works: Works, work: Work, box: Addressed) -> frozenset[bytes]:
    """The weeks in which rows of a box may lie: those of its deadline in every epoch that was in force."""
    deadlines = [policy.box(box.box.number).deadline for policy in chain(work, box.procedure)]
    return frozenset(works.keys.bucket(box.platform, deadline) for deadline in deadlines)


def chain(work: Work, procedure: UUID) -> tuple[Policy, ...]:
    """A procedure's policies that are or were in force, by epoch."""
    return tuple(signed_policy(row.note) for row in _epochs(work, procedure))


def policy_notes(work: Work, procedure: UUID, *, up_to: bytes) -> tuple[bytes, ...]:
    """The signed policies from epoch 0 to the one with that hash."""
    notes: list[bytes] = []
    for row in _epochs(work, procedure):
        notes.append(row.note)
        if row.policy_hash == up_to:
            return tuple(notes)
    raise RowChanged("no policy has the hash that a statement names")


def ledger(works: Works, work: Work, box: Addressed, *, bidder: str) -> LedgerFacts:
    """A bidder's envelopes in a box, read without waiting for anybody."""
    row = work.session.get(Ledger, works.keys.ledger_id(box.procedure, box.box.number, bidder))
    return LedgerFacts() if row is None else _ledger_facts(works, row, box)


@dataclass(frozen=True)
class LockedLedger:
    """A bidder's ledger, held until the transaction ends."""

    row: Ledger
    facts: LedgerFacts

    def with_envelope(self, works: Works, box: Addressed, envelope_id: UUID) -> None:
        """Enter an envelope as this bidder's latest in the box."""
        self.write(works, box, self.facts.with_envelope(envelope_id).envelopes)

    def write(self, works: Works, box: Addressed, envelopes: Sequence[UUID]) -> None:
        """Have it hold these envelopes, oldest first."""
        self.row.facts = _hidden_ledger(works, self.row.id, LedgerFacts(tuple(envelopes)), box)

    def up_to(self, envelope_id: UUID) -> tuple[UUID, ...]:
        """This envelope and all earlier ones, oldest first (protocol 4.5)."""
        place = self.facts.envelopes.index(envelope_id)
        return self.facts.envelopes[: place + 1]


def lock_ledger(works: Works, work: Work, box: Addressed, *, bidder: str) -> LockedLedger:
    """Wait for a bidder's ledger in a box, made where it is missing. Call it after the box's lock."""
    ledger_id = works.keys.ledger_id(box.procedure, box.box.number, bidder)
    new = {
        "id": ledger_id,
        "platform": box.platform,
        "bucket": box.bucket(works),
        "state": LEDGER_STATE,
        "facts": _hidden_ledger(works, ledger_id, LedgerFacts(), box),
    }
    # One statement that makes it, or locks and reads what is there as it is now: the state is set to what it is.
    made = insert(Ledger).on_conflict_do_update(index_elements=["id"], set_={"state": LEDGER_STATE}).returning(Ledger)
    row = work.session.scalars(made, [new], execution_options={"populate_existing": True}).one()
    return LockedLedger(row, _ledger_facts(works, row, box))


def _require_published(work: Work, platform: str, procedure: UUID) -> None:
    published = select(Procedure.id).where(
        Procedure.id == procedure, Procedure.platform == platform, Procedure.state != ProcedureState.DRAFTED
    )
    if work.session.exec(published).first() is None:
        raise NotFound


@lru_cache(maxsize=64)
def signed_policy(note: bytes) -> Policy:
    """A policy in force from what its holders, the gate and the vault signed; the same bytes are the same policy.

    Raises:
        RowChanged: the row holds other bytes than were signed.
    """
    try:
        return require_in_force(parse_note(note, Kind.POLICY))
    except CryptoError as error:
        raise RowChanged("a policy") from error


def _epochs(work: Work, procedure: UUID) -> Sequence[PolicyRow]:
    return work.session.exec(
        select(PolicyRow)
        .where(PolicyRow.procedure_id == procedure, col(PolicyRow.state).in_(WERE_IN_FORCE))
        .order_by(col(PolicyRow.epoch))
    ).all()


def _addressed(work: Work, platform: str, procedure: UUID, which: ColumnElement[bool]) -> Addressed:
    """One statement: a deposit asks for its box twice, and closings and openings for each."""
    found = work.session.execute(
        rows(col(Procedure.state), col(PolicyRow.note), col(BoxRow.id), col(BoxRow.number), col(BoxRow.state)).where(
            col(Procedure.id) == procedure,
            col(Procedure.platform) == platform,
            col(Procedure.state) != ProcedureState.DRAFTED,
            col(PolicyRow.procedure_id) == col(Procedure.id),
            col(PolicyRow.state) == PolicyState.IN_FORCE,
            col(BoxRow.procedure_id) == col(Procedure.id),
            which,
        )
    ).first()
    if found is None or found[2] is None:
        raise NotFound
    procedure_state, note, box_id, number, state = found
    policy = signed_policy(note)
    return Addressed(platform, procedure, procedure_state, policy, policy.box(number), box_id, state)


def _hidden(works: Works, envelope_id: UUID, facts: EnvelopeFacts, state: EnvelopeState) -> bytes:
    key = works.keys.facts(facts.procedure)
    return hide(key, facts.encode(), table=ENVELOPES, row_id=envelope_id, state=state.value)


def _hidden_ledger(works: Works, ledger_id: UUID, facts: LedgerFacts, box: Addressed) -> bytes:
    key = works.keys.facts(box.procedure)
    return hide(key, facts.encode(), table=LEDGERS, row_id=ledger_id, state=LEDGER_STATE)


def _ledger_facts(works: Works, row: Ledger, box: Addressed) -> LedgerFacts:
    key = works.keys.facts(box.procedure)
    return LedgerFacts.decode(reveal(key, row.facts, table=LEDGERS, row_id=row.id, state=LEDGER_STATE))
