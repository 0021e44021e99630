# SPDX-License-Identifier: EUPL-1.2
"""What a depositor is told of an envelope of its own, and nobody else of anything.

Rules
  1. Unknown, another's, another procedure's, another lot's: one answer, `NotFound`, and one entry `access.refused`.
  2. A place in the journal is told only after the box is closed: before, places count the rivals (protocol 3.6).

Left to others: making statements (vault.receiving), the proof itself (vault.sequencer).
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlmodel import select

from crypto.deposit import DepositRecord, Receipt
from crypto.events import leaf_data
from crypto.policy import Part
from crypto.statement import Kind
from vault import envelopes, receiving, refusals
from vault.envelopes import Addressed, Kept, Wanted
from vault.errors import NotFound
from vault.lifecycle import EnvelopeState
from vault.models import JournalRow
from vault.work import Work, Works


@dataclass(frozen=True)
class Told:
    """One envelope, to its depositor.

    Attributes:
        verdict: 1 in time, 2 late, 3 review; 0 while there is none.
        receipt, registration, withdrawal: signed notes; empty where there is none.
        is_provable: whether the journal's proof of the receipt's entry may be asked for.
    """

    envelope_id: UUID
    procedure: UUID
    lot: str
    part: Part
    state: EnvelopeState
    verdict: int
    reason: str
    deadline: datetime
    last_byte_at: datetime
    receipt: bytes = field(repr=False)
    registration: bytes = field(repr=False)
    withdrawal: bytes = field(repr=False)
    is_provable: bool


def tell(works: Works, wanted: Wanted) -> Told:
    """State and statements of one envelope; NotFound to everyone but its depositor."""
    with works.open() as work:
        found = envelopes.find_own(works, work, wanted)
    kept, box = _require(works, wanted, found)
    facts = kept.facts
    return Told(
        envelope_id=kept.id,
        procedure=box.procedure,
        lot=box.box.lot,
        part=box.box.part,
        state=EnvelopeState.WITHDRAWN if receiving.is_withdrawn(facts) else kept.state,
        verdict=facts.verdict,
        reason=facts.reason,
        deadline=box.box.deadline,
        last_byte_at=DepositRecord.decode(facts.record).last_byte_at,
        receipt=receiving.sign(works, Kind.RECEIPT, facts.receipt) if facts.receipt else b"",
        registration=receiving.sign(works, Kind.REGISTRATION, facts.registration) if facts.registration else b"",
        withdrawal=receiving.sign(works, Kind.WITHDRAWAL, facts.withdrawal) if facts.withdrawal else b"",
        is_provable=box.is_public and bool(facts.receipt),
    )


def evidence(works: Works, wanted: Wanted, *, kind: Kind = Kind.RECEIPT) -> bytes:
    """The file that lies beside the receipt (or withdrawal) of one envelope; NotFound where there is none."""
    with works.open() as work:
        found = envelopes.find_own(works, work, wanted)
        proof = receiving.evidence_of(works, work, found[0], kind=kind) if found else b""
    _require(works, wanted, found)
    return proof


def position(works: Works, wanted: Wanted) -> int:
    """The place in the journal of the receipt's entry; NotFound before the box is closed, or before it has one."""
    with works.open() as work:
        found = envelopes.find_own(works, work, wanted)
        place = _place_of(work, *found) if found else None
    _require(works, wanted, found)
    if place is None:
        raise NotFound
    return place


def _require(works: Works, wanted: Wanted, found: tuple[Kept, Addressed] | None) -> tuple[Kept, Addressed]:
    """What was found, or rule 1."""
    if found is not None:
        return found
    raise refusals.not_there(works, wanted.depositor.platform, wanted.procedure.bytes + wanted.envelope_id.bytes)


def _place_of(work: Work, kept: Kept, box: Addressed) -> int | None:
    if not (box.is_public and kept.facts.receipt):
        return None
    ruling = Receipt.decode(kept.facts.receipt).ruling
    leaf = leaf_data(ruling.event, ruling.salt)
    entry = select(JournalRow.position).where(JournalRow.procedure_id == box.procedure, JournalRow.leaf == leaf)
    return work.session.exec(entry).first()
