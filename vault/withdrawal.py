# SPDX-License-Identifier: EUPL-1.2
"""Withdrawal, step W: a depositor takes an envelope back, and with it that bidder's earlier ones in the box.

Rules
  1. A withdrawal has its own record, token and verdict; it takes effect only when in time (protocol 4.5).
  2. It falls under the box's lock: wholly before the closing, or without effect. Never both (T49).
  3. An envelope that waits for its token is withdrawn too; its token is still fetched.
  4. The same withdrawal again gives the same statement. A withdrawn id is used up; a new one may follow.
  5. What is not this depositor's is `NotFound`, as everywhere.

Left to others: the earlier ones (vault.lifecycle), the token of a received envelope (vault.receiving).
"""

from dataclasses import replace
from uuid import UUID

from crypto.deposit import Verdict, Withdrawal, WithdrawalRecord
from crypto.events import EventKind
from crypto.statement import Kind
from vault import envelopes, journal, receiving, refusals
from vault.authorities import Stamp
from vault.envelopes import Addressed, Depositor, Kept, Wanted
from vault.errors import WrongState
from vault.lifecycle import BoxTimes, EnvelopeState, Judgement, ProcedureState, Reason, judge, withdrawn_with
from vault.receiving import Acknowledgement
from vault.rows import Stamp as KeptStamp
from vault.work import Work, Works


def withdraw(works: Works, depositor: Depositor, envelope_id: UUID, *, procedure: UUID, lot: str) -> Acknowledgement:
    """Withdraw one envelope; the statement says whether it was in time.

    Raises:
        NotFound: there is no such envelope for this depositor.
        WrongState: the procedure has ended.
        AuthorityUnavailable: no time authority answers; nothing was changed, ask again.
    """
    asked_at, wanted = works.clock.now(), Wanted(depositor, procedure, lot, envelope_id)
    with works.open() as work:
        found = envelopes.find_own(works, work, wanted)
    if found is None:
        raise refusals.not_there(works, depositor.platform, procedure.bytes + envelope_id.bytes)
    kept, box = found
    if kept.facts.withdrawal:
        return _acknowledge(works, kept)
    if box.procedure_state is not ProcedureState.PUBLISHED:
        raise WrongState(box.procedure_state, ProcedureState.PUBLISHED)
    record = WithdrawalRecord(
        policy_hash=box.policy.hash,
        box=box.box.number,
        envelope_id=wanted.envelope_id.bytes,
        bidder=wanted.depositor.bidder,
        last_byte_at=asked_at,
    )
    stamp = works.authorities.stamp(record.imprint)
    # W. ◆ Under the box's lock: verdict, entries, rows, payload; then it is signed.
    with works.open() as work:
        work.lock_box(box.box_id)
        kept = _enter(works, work, wanted, record=record, stamp=stamp)
    return _acknowledge(works, kept)


def _enter(works: Works, work: Work, wanted: Wanted, *, record: WithdrawalRecord, stamp: Stamp) -> Kept:
    box = envelopes.address_number(work, wanted.depositor.platform, wanted.procedure, number=record.box)
    ledger = envelopes.lock_ledger(works, work, box, bidder=record.bidder)
    held = [_locked(works, work, one, box) for one in ledger.up_to(wanted.envelope_id)]
    chosen = held[-1]
    if chosen.facts.withdrawal:
        return chosen  # a twin of this request was faster
    judged = judge(record, stamp.verified, box=BoxTimes(box.box.deadline, box.state))
    payload = b""
    taken = _withdrawn(held) if judged.verdict is Verdict.IN_TIME else ()
    for kept in (chosen, *(one for one in taken if one.id != chosen.id)):
        entry = _tell(works, work, kept, box=box, record=record, judged=judged)
        if not payload:
            ruling = receiving.rule(works, work, box=box, judged=judged, stamp=stamp, entry=entry)
            payload = Withdrawal(record, ruling).encode()
        written = _write(works, kept, payload=payload, stamp=receiving.kept_stamp(stamp), is_taken=kept in taken)
        chosen = written if kept.id == chosen.id else chosen
    return chosen


def adopt(works: Works, work: Work, box: Addressed, *, said: Withdrawal, stamp: KeptStamp) -> None:
    """Make a withdrawal true again whose rows were lost; its own entry is in the journal already (vault.recovery)."""
    ledger = envelopes.lock_ledger(works, work, box, bidder=said.record.bidder)
    held = [_locked(works, work, one, box) for one in ledger.up_to(UUID(bytes=said.record.envelope_id))]
    chosen = held[-1]
    taken = _withdrawn(held) if said.ruling.verdict is Verdict.IN_TIME else ()
    judged = Judgement(said.ruling.verdict, Reason(said.ruling.reason))
    for kept in (chosen, *(one for one in taken if one.id != chosen.id)):
        if kept.id != chosen.id:
            _tell(works, work, kept, box=box, record=said.record, judged=judged)
        _write(works, kept, payload=said.encode(), stamp=stamp, is_taken=kept in taken)


def _write(works: Works, kept: Kept, *, payload: bytes, stamp: KeptStamp, is_taken: bool) -> Kept:
    """Keep the statement; a received envelope stays so until its token has come (rule 3)."""
    facts = replace(kept.facts, withdrawal=payload, stamps=(*kept.facts.stamps, stamp))
    is_over = is_taken and kept.state is not EnvelopeState.RECEIVED
    return envelopes.write(works, kept.row, facts, state=EnvelopeState.WITHDRAWN if is_over else kept.state)


def _withdrawn(held: list[Kept]) -> tuple[Kept, ...]:
    by_id = {kept.id: kept for kept in held if not kept.facts.withdrawal or kept is held[-1]}
    taken = withdrawn_with((kept.held for kept in held), held[-1].held)
    return tuple(by_id[one.envelope_id] for one in taken if one.envelope_id in by_id)


def _tell(
    works: Works, work: Work, kept: Kept, *, box: Addressed, record: WithdrawalRecord, judged: Judgement
) -> journal.Entry:
    place = box.place(works)
    is_in_time = judged.verdict is Verdict.IN_TIME
    data = kept.id.bytes if is_in_time else kept.id.bytes + bytes((judged.verdict,))  # the bare id: it took effect
    kind = EventKind.ENVELOPE_WITHDRAWN
    told = journal.event(kind, at=work.now, place=place, subject=record.imprint, data=data)
    return journal.append(works, work, told, place=place)


def _locked(works: Works, work: Work, envelope_id: UUID, box: Addressed) -> Kept:
    kept = envelopes.find(works, work, envelope_id, procedure=box.procedure, lock=True)
    assert kept is not None  # the ledger holds only rows of this procedure
    return kept


def _acknowledge(works: Works, kept: Kept) -> Acknowledgement:
    return Acknowledgement(Kind.WITHDRAWAL, kept.state, receiving.sign(works, Kind.WITHDRAWAL, kept.facts.withdrawal))
