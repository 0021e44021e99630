# SPDX-License-Identifier: EUPL-1.2
"""Export: an opened procedure as one archive package that is checked without us.

Rules
  1. Nothing is exported while a box is open, closing, or being opened; boxes that stay closed stay sealed.
  2. The same procedure, exported again, gives the same bytes until something happens to it.
  3. An export is an entry in the journal before its first byte leaves; the entry is no part of the package.

Left to others: who may (vault.procedures.access, api.archive), the bytes of the bag (retention.formats.bagit).
"""

from uuid import UUID

from sqlmodel import col, select

from crypto.ceremony import Minutes
from crypto.deposit import Receipt
from crypto.encoding import sha256
from crypto.events import MAX_DATA, EventKind
from retention import package as layout
from retention.extract import Extract, entry_key, extract
from retention.gathering import Gathered, GatheredBox, Opened, closed_at, gather, minuted
from retention.package import (
    ArchivePackage,
    Plan,
    PlannedBox,
    PlannedDocument,
    PlannedEnvelope,
    PlannedFile,
    PlannedOpening,
    instant,
)
from retention.readme import read_me
from vault import journal, printing, sequencer
from vault.errors import NotFound, WrongState
from vault.lifecycle import BoxState, ProcedureState
from vault.models import BoxRow, ClosingRow, Procedure
from vault.opening import due
from vault.opening.offer import ONGOING
from vault.prints.seal import PrintSeal
from vault.procedures import access
from vault.work import Work, Works

QUIET = frozenset({BoxState.CLOSED, BoxState.OPENED})


def export(works: Works, caller: access.Caller, procedure: UUID, *, seal: PrintSeal | None = None) -> ArchivePackage:
    """Plan the package of a procedure whose boxes are closed; its files are read while it is written.

    Args:
        caller: the procedure's buyer.
        procedure: which.
        seal: makes the prints that are due and not stored yet, so that every export holds the same ones.

    Raises:
        NotFound: not this buyer's procedure, or not published.
        WrongState: a box is open, closing, or being opened.
        AuthorityUnavailable: a print is due, and no time token for its seal was to be had.
    """
    access.require_buyer(works, procedure, caller)
    # 1. Nothing is under way.
    with works.open() as work:
        _require_quiet(work, procedure)
    # 2. ◆ Prints are stored, and the journal's head covers the procedure's last act.
    if seal is not None:
        printing.print_due(works, seal)
    sequencer.publish(works)
    # 3. What there is, in one transaction.
    with works.open() as work:
        gathered = gather(works, work, procedure)
        taken = extract(works, work, procedure)
    package = plan_package(gathered, taken)
    # 4. ◆ The export is told before its first byte leaves.
    with works.open() as work:
        place = journal.Place(caller.platform, procedure)
        subject = sha256(next(b"".join(one.read()) for one in package.files if one.path == layout.PLAN))
        told = journal.event(
            EventKind.PACKAGE_EXPORTED,
            at=work.now,
            place=place,
            subject=subject,
            data=caller.subject.encode()[:MAX_DATA],
        )
        journal.append(works, work, told, place=place)
    return package


def plan_package(gathered: Gathered, taken: Extract) -> ArchivePackage:
    """The files of a package, from what was gathered."""
    plan = _plan(gathered, taken)
    files = (
        *(PlannedFile.of(path, read_me(plan, language)) for language, path in layout.READ_ME.items()),
        PlannedFile.of(layout.PLAN, plan.encode()),
        PlannedFile.of(layout.JOURNAL, taken.entries.encode()),
        PlannedFile.of(layout.CHECKPOINT, taken.checkpoint),
        *(_proof_file(box, one, taken) for box in gathered.boxes for one in box.opened),
        *gathered.files,
    )
    return ArchivePackage(gathered.procedure, taken.as_of, f"{plan.reference} {plan.title}", files)


def _require_quiet(work: Work, procedure_id: UUID) -> None:
    procedure = work.session.get(Procedure, procedure_id)
    if procedure is None or procedure.state is ProcedureState.DRAFTED:
        raise NotFound
    for box in access.box_rows(work, procedure_id):
        if box.state not in QUIET:
            raise WrongState(f"box {box.number} {box.state}", "every box closed, no opening under way")
        pending = select(ClosingRow).where(ClosingRow.box_id == box.id, ~col(ClosingRow.is_accepted))
        if work.session.exec(pending).first() is not None:
            raise WrongState(f"box {box.number} closing", "the closing of an admitted envelope to be done")
    if any(one.state in ONGOING for one in due.of_procedure(work, procedure_id)):
        raise WrongState("opening", "no opening under way: finish it, or abandon it")


def _plan(gathered: Gathered, taken: Extract) -> Plan:
    policy = gathered.policy
    return Plan(
        format=layout.FORMAT,
        procedure=str(gathered.procedure),
        reference=policy.reference,
        title=policy.title,
        buyer=policy.buyer,
        siret=policy.siret,
        zone=policy.zone,
        policy=policy.hash.hex(),
        as_of=instant(taken.as_of),
        boxes=tuple(_planned_box(gathered, box) for box in gathered.boxes),
        openings=tuple(
            PlannedOpening(
                id=row.id.hex(),
                minutes=minutes.id.hex(),
                ended_at=instant(Minutes.of(minutes).ended),
                folder=layout.opening_folder(row.id),
            )
            for row, minutes in minuted(gathered.openings)
        ),
    )


def _planned_box(gathered: Gathered, box: GatheredBox) -> PlannedBox:
    said = gathered.policy.box(box.row.number)
    return PlannedBox(
        number=said.number,
        lot=said.lot,
        part=said.part.name.lower(),
        deadline=instant(said.deadline),
        not_before=instant(said.not_before),
        closed_at=instant(closed_at(box)),
        closing=box.closings[0].id.hex(),
        folder=layout.box_folder(said.number),
        opened=tuple(_planned_envelope(box.row, one) for one in box.opened),
        sealed=len(box.sealed.envelopes),
    )


def _planned_envelope(box: BoxRow, opened: Opened) -> PlannedEnvelope:
    return PlannedEnvelope(
        id=str(opened.kept.id),
        bidder=opened.record.bidder,
        received_at=instant(opened.record.last_byte_at),
        folder=layout.envelope_folder(box.number, opened.kept.id),
        documents=tuple(
            PlannedDocument(path=one.path, size=one.size, sha256=one.sha256.hex()) for one in opened.documents
        ),
    )


def _proof_file(box: GatheredBox, opened: Opened, taken: Extract) -> PlannedFile:
    ruling = Receipt.decode(opened.kept.facts.receipt).ruling
    folder = layout.envelope_folder(box.row.number, opened.kept.id)
    proof = taken.proofs[entry_key(ruling.event, ruling.salt)]
    return PlannedFile.of(f"{folder}/receipt.tlog-proof", proof.encode())
