# SPDX-License-Identifier: EUPL-1.2
"""An opening as its holders see it: its rows, its bundle, and the same checks that custodians and gate make.

Rules
  1. The bundle is made from what is stored, byte for byte; it is the same for the gate, each custodian, and us.
  2. The vault makes every check of protocol 4.6 itself before it takes a contribution.

Left to others: the checks (crypto.opening_rules), the stream (crypto.bundle).
"""

from collections.abc import Iterator
from uuid import UUID

from sqlmodel import col, select

from crypto.bundle import BundledClosing, BundledToken, BundleHead, write_bundle
from crypto.ceremony import Opening
from crypto.certificates import RevocationEvidence
from crypto.closing_rules import Memory
from crypto.closings import Closing, EnvelopeList, ListEntry
from crypto.opening_rules import DueOpening, EarlierBox, require_due
from crypto.policy import Policy
from crypto.statement import Kind, parse_note
from vault import envelopes, shelf, stamps
from vault.envelopes import Kept
from vault.errors import NotFound, NotReady
from vault.models import BoxRow, ClosingRow, DecisionRow, OpeningRow, OpeningState, Procedure
from vault.work import Work, Works


def row_of(work: Work, opening_id: bytes, *, platform: str | None = None, lock: bool = False) -> OpeningRow:
    """An opening's row; NotFound when there is none, or it is another platform's.

    With `lock` it is held until the transaction ends, and read anew: whoever moves its state takes it so.
    """
    row = work.session.get(OpeningRow, opening_id, with_for_update=lock or None, populate_existing=lock)
    if row is None or (platform is not None and platform_of(work, row) != platform):
        raise NotFound
    return row


def of_procedure(work: Work, procedure: UUID) -> list[OpeningRow]:
    """All openings of a procedure that were prepared, oldest first."""
    rows = select(OpeningRow).where(OpeningRow.procedure_id == procedure).order_by(col(OpeningRow.began_at))
    return list(work.session.exec(rows))


def platform_of(work: Work, row: OpeningRow) -> str:
    """The platform of an opening's procedure."""
    procedure = work.session.get(Procedure, row.procedure_id)
    if procedure is None:
        raise NotFound
    return procedure.platform


def opening_of(row: OpeningRow) -> Opening:
    """What the row's text says."""
    return Opening.decode(row.payload)


def closings(row: OpeningRow) -> tuple[bytes, ...]:
    """The closings an opening is over."""
    return opening_of(row).closings


def closing_rows(work: Work, row: OpeningRow) -> list[ClosingRow]:
    """The rows of an opening's closings, in its order."""
    found = [work.session.get(ClosingRow, closing_id) for closing_id in closings(row)]
    return [one for one in found if one is not None]


def entries_of(row: ClosingRow) -> tuple[ListEntry, ...]:
    """What a closing lists."""
    return EnvelopeList.decode(row.list).entries


def boxes(work: Work, row: OpeningRow) -> list[BoxRow]:
    """The boxes whose main closing an opening is over."""
    mains = [one.box_id for one in closing_rows(work, row) if one.decision_id is None]
    return list(work.session.exec(select(BoxRow).where(col(BoxRow.id).in_(mains))))


def dossier(works: Works, opening_id: bytes, *, note: bytes | None = None) -> BundleHead:
    """All of an opening's bundle but its headers.

    Args:
        opening_id: which.
        note: the opening as signed so far, where the row does not have it yet.
    """
    with works.open() as work:
        row = row_of(work, opening_id)
        last = envelopes.chain(work, row.procedure_id)[-1]
        policies = envelopes.policy_notes(work, row.procedure_id, up_to=last.hash)
        return BundleHead(
            policies=tuple(parse_note(one, Kind.POLICY) for one in policies),
            closings=tuple(_bundled(work, one) for one in closing_rows(work, row)),
            opening=parse_note(note or row.note, Kind.OPENING),
            earlier=tuple(_earlier(work, row, last)),
            anchors=tuple(anchor.der for anchor in works.authorities.anchors if anchor.hash in last.time.anchors),
        )


def bundle(works: Works, opening_id: bytes) -> Iterator[bytes]:
    """An opening's bundle as a stream: policies, closings, lists, tokens, opening, then each header.

    Raises:
        NotReady: the gate has not signed it yet.
    """
    with works.open() as work:
        row = row_of(work, opening_id)
        if row.state is OpeningState.PREPARED:
            raise NotReady("the gate's signature on the opening")
    head = dossier(works, opening_id)
    listed = [one for closing in head.closings for one in closing.envelopes.entries]
    framed = (header_of(works, row.procedure_id, entry.envelope_id) for entry in listed)
    return write_bundle(head, framed)


def header_of(works: Works, procedure: UUID, envelope_id: bytes) -> bytes:
    """Prefix and header of a listed envelope; empty where it cannot be read."""
    kept = find(works, procedure, envelope_id)
    return b"" if kept is None else shelf.read_header(works, kept.facts)


def find(works: Works, procedure: UUID, envelope_id: bytes) -> Kept | None:
    """A listed envelope's row and facts."""
    with works.open() as work:
        return envelopes.find(works, work, UUID(bytes=envelope_id), procedure=procedure)


def check(works: Works, opening_id: bytes) -> DueOpening:
    """Make the checks of protocol 4.6 over what is stored, with the vault's own rows as memory."""
    head = dossier(works, opening_id)
    with works.open() as work:
        row = row_of(work, opening_id)
        rows = list(
            work.session.exec(
                select(ClosingRow, BoxRow).where(
                    ClosingRow.box_id == BoxRow.id, BoxRow.procedure_id == row.procedure_id, ClosingRow.is_accepted
                )
            )
        )
        last = envelopes.chain(work, row.procedure_id)[-1]
    memory = Memory(
        pinned=last.hash,
        main_closings={box.number: closing.id for closing, box in rows if closing.decision_id is None},
        decided={closing.decision_id: closing.id for closing, _ in rows if closing.decision_id is not None},
    )
    return require_due(head.judged(works.authorities.anchors), memory=memory, now=works.clock.now())


def _bundled(work: Work, row: ClosingRow) -> BundledClosing:
    if row.note is None:
        raise NotReady("the closing's signature")
    decision = row.decision_id and work.session.get(DecisionRow, row.decision_id)
    return BundledClosing(
        statement=parse_note(row.note, Kind.CLOSING),
        envelopes=EnvelopeList.decode(row.list),
        tokens=tuple(
            BundledToken(one.token, RevocationEvidence.decode(one.evidence)) for one in stamps.kept(work, row.id)
        ),
        decision=parse_note(decision.note, Kind.DECISION) if decision else None,
    )


def _earlier(work: Work, row: OpeningRow, policy: Policy) -> Iterator[EarlierBox]:
    """The boxes that open before this opening's, and the main closings of boxes with supplementary ones."""
    over = closing_rows(work, row)
    own = {one.box_id for one in over if one.decision_id is None}
    by_number = {
        box.number: box for box in work.session.exec(select(BoxRow).where(BoxRow.procedure_id == row.procedure_id))
    }
    wanted: dict[int, None] = {}
    for closing in over:
        number = Closing.decode(closing.payload).box
        wanted.update(dict.fromkeys(policy.box(number).after))
        if closing.decision_id is not None:
            wanted[number] = None
    for number in sorted(wanted):
        box = by_number[number]
        if box.id not in own:
            yield _earlier_box(work, row.procedure_id, box)


def _earlier_box(work: Work, procedure: UUID, box: BoxRow) -> EarlierBox:
    main = select(ClosingRow).where(ClosingRow.box_id == box.id, col(ClosingRow.decision_id).is_(None))
    closing = work.session.exec(main).one()
    opened = next(
        (one for one in of_procedure(work, procedure) if one.minutes is not None and closing.id in closings(one)), None
    )
    return EarlierBox(
        closing=parse_note(closing.note or b"", Kind.CLOSING),
        opening=parse_note(opened.note, Kind.OPENING) if opened else None,
        minutes=parse_note(opened.minutes, Kind.MINUTES) if opened and opened.minutes else None,
    )
