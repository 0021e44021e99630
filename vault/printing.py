# SPDX-License-Identifier: EUPL-1.2
"""Printing: closings and minutes get their prints in both languages, sealed, stored once, locked like statements.

Rules
  1. A print is made once per statement and language; what was stored is what everyone gets, packages too.
  2. It is made from what is stored, after the act: an authority that is silent delays it and nothing else.

Left to others: the pages and the seal (vault.prints), prints of receipts (made on demand, never stored).
"""

from collections.abc import Iterator
from uuid import uuid4

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from crypto.ceremony import Minutes, Outcome
from crypto.closings import EnvelopeList
from crypto.statement import Kind, Statement, parse_note
from vault import envelopes, stamps
from vault.errors import NotFound
from vault.models import BoxRow, ClosingRow, OpeningRow, OpeningState, PrintRow
from vault.opening import due, keying, reading
from vault.prints import (
    ClosedBox,
    Language,
    MinutedOpening,
    OpenedEnvelope,
    PrintSeal,
    print_closing,
    print_minutes,
)
from vault.store.locks import evidence_lock
from vault.store.names import print_name
from vault.work import Work, Works


def print_due(works: Works, seal: PrintSeal) -> int:
    """Print what was signed and has no prints yet; tells how many statements that were.

    Raises:
        AuthorityUnavailable: no time token for the seal; ask again.
    """
    with works.open() as work:
        closings = _unprinted_closings(work)
        openings = _unprinted_openings(work)
    for closing_id in closings:
        _print_closing(works, seal, closing_id)
    for opening_id in openings:
        _print_minutes(works, seal, opening_id)
    return len(closings) + len(openings)


def stored(works: Works, statement_id: bytes, language: Language) -> bytes:
    """The stored print of a statement; NotFound until it is made."""
    with works.open() as work:
        row = work.session.get(PrintRow, (statement_id, language.value))
        if row is None:
            raise NotFound
    return works.store.get_range(row.key, row.version_id, offset=0, size=row.size)


def minutes_id(works: Works, opening_id: bytes) -> bytes:
    """The id of an opening's minutes; NotFound until they are written."""
    with works.open() as work:
        row = due.row_of(work, opening_id)
        if row.minutes is None:
            raise NotFound
        return parse_note(row.minutes, Kind.MINUTES).id


def _unprinted_closings(work: Work) -> list[bytes]:
    unprinted = select(ClosingRow.id).where(ClosingRow.is_accepted, col(ClosingRow.is_printed).is_(False))
    return list(work.session.exec(unprinted))


def _unprinted_openings(work: Work) -> list[bytes]:
    minuted = OpeningRow.state == OpeningState.MINUTED
    return list(work.session.exec(select(OpeningRow.id).where(minuted, col(OpeningRow.is_printed).is_(False))))


def _print_closing(works: Works, seal: PrintSeal, closing_id: bytes) -> None:
    with works.open() as work:
        row = work.session.get_one(ClosingRow, closing_id)
        procedure = work.session.get_one(BoxRow, row.box_id).procedure_id
        closed = _closed(works, work, row)
        policies = envelopes.policy_notes(work, procedure, up_to=_policy_hash(closed))
    for language in Language:
        pdf = print_closing(closed, policies, language=language)
        _keep(works, seal, closed.closing, pdf, language)
    with works.open() as work:
        work.session.get_one(ClosingRow, closing_id).is_printed = True


def _print_minutes(works: Works, seal: PrintSeal, opening_id: bytes) -> None:
    with works.open() as work:
        row = due.row_of(work, opening_id)
        minutes = parse_note(row.minutes or b"", Kind.MINUTES)
        minuted = MinutedOpening(
            minutes=minutes,
            opening=parse_note(row.note, Kind.OPENING),
            closings=tuple(_closed(works, work, one) for one in due.closing_rows(work, row)),
            opened=tuple(_opened(works, work, row, minutes)),
        )
        policies = envelopes.policy_notes(work, row.procedure_id, up_to=due.opening_of(row).policy_hash)
    for language in Language:
        _keep(works, seal, minutes, print_minutes(minuted, policies, language=language), language)
    with works.open() as work:
        due.row_of(work, opening_id).is_printed = True


def _closed(works: Works, work: Work, row: ClosingRow) -> ClosedBox:
    kept = [works.authorities.recall(one.token, one.evidence, over=row.id) for one in stamps.kept(work, row.id)]
    return ClosedBox(
        closing=parse_note(row.note or b"", Kind.CLOSING),
        entries=EnvelopeList.decode(row.list),
        tokens=tuple(one.verified for one in kept),
        revocation=tuple(one.evidence for one in kept),
    )


def _policy_hash(closed: ClosedBox) -> bytes:
    return closed.said().policy_hash


def _opened(works: Works, work: Work, row: OpeningRow, minutes: Statement) -> Iterator[OpenedEnvelope]:
    listed = keying.listed(works, work, row)
    for said in Minutes.of(minutes).envelopes:
        if said.outcome is Outcome.OPENED:
            kept = listed[said.index]
            documents = tuple(reading.documents_of(works, work, kept))
            yield OpenedEnvelope(said.index, kept.facts.bidder, documents)


def _keep(works: Works, seal: PrintSeal, statement: Statement, pdf: bytes, language: Language) -> None:
    now = works.clock.now()
    sealed = seal.sign(pdf, at=now, reason=statement.kind.value)
    put = works.store.put(print_name(uuid4().bytes), sealed, lock_until=evidence_lock(now))
    works.store.durable()
    row = {
        "statement_id": statement.id,
        "language": language.value,
        "key": put.key,
        "version_id": put.version_id,
        "size": put.size,
    }
    with works.open() as work:
        work.session.execute(insert(PrintRow).values(row).on_conflict_do_nothing())
