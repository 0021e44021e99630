# SPDX-License-Identifier: EUPL-1.2
"""Closings that were fixed and then lost with the database lie as locked texts in the store: they are adopted.

Rules
  1. A text is adopted byte for byte, with the list that gives its root, where its box has no closing yet.
  2. A supplementary closing is adopted only beside its decision.
  3. Nothing that is signed is needed: C3 signs the same text again.

Left to others: closings that the gate remembers (vault.recovery.gates); C3 and C4, which the worker goes on with.
"""

from collections.abc import Iterator

from sqlmodel import select

from crypto.closings import Closing, EnvelopeList
from crypto.errors import CryptoError
from crypto.statement import Kind, Statement, parse_text
from vault import closing, sequencer
from vault.models import BoxRow, ClosingRow, DecisionRow, PolicyRow
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.recovery.rows import Progress
from vault.store.names import TEXTS
from vault.work import Work, Works

CLOSING_TEXT = b"bidvault/closing/v1\n"


def adopt_closings(works: Works, found: Findings, *, progress: Progress) -> None:
    """Adopt every closing of the store that its box lacks."""
    unknown = [one for one in _texts(works, progress) if not _is_known(works, one)]
    if not unknown:
        return
    lists = dict(_lists(works))
    for statement in unknown:
        said = Closing.of(statement)
        entries = lists.get(said.root)
        with works.open() as work:
            box_id = _box_of(work, said)
            if entries is None or box_id is None or not _is_lacking(work, box_id, said):
                continue
            try:
                adopted = closing.adopt(works, work, box_id, statement=statement, entries=entries)
            except CryptoError as error:
                found.name(Loss(Lost.GATE, statement.id.hex(), box=said.box, reason=error.code))
                continue
            found.did(Done.CLOSINGS, int(adopted))


def _texts(works: Works, progress: Progress) -> Iterator[Statement]:
    """The closings' texts; other texts are told by their first bytes."""
    for place, name in enumerate(_names(works)):
        progress("texts", place, 0)
        if not _begins(works, name, CLOSING_TEXT):
            continue
        try:
            yield parse_text(sequencer.read_object(works, name), Kind.CLOSING)
        except CryptoError:
            continue  # a signed note begins alike, and is no text


def _lists(works: Works) -> Iterator[tuple[bytes, bytes]]:
    for name in _names(works):
        if _begins(works, name, b"bidvault/"):
            continue
        data = sequencer.read_object(works, name)
        try:
            yield EnvelopeList.decode(data).root, data
        except CryptoError:
            continue


def _names(works: Works) -> list[str]:
    return sorted({one.key for one in works.store.list_versions(TEXTS)})


def _begins(works: Works, name: str, first: bytes) -> bool:
    facts = works.store.latest(name)
    return works.store.get_range(name, facts.version_id, offset=0, size=len(first)) == first


def _is_known(works: Works, statement: Statement) -> bool:
    with works.open() as work:
        return work.session.get(ClosingRow, statement.id) is not None


def _box_of(work: Work, said: Closing) -> int | None:
    boxes = (
        select(BoxRow.id)
        .join(PolicyRow, PolicyRow.procedure_id == BoxRow.procedure_id)  # type: ignore[arg-type]  # a column's comparison
        .where(PolicyRow.policy_hash == said.policy_hash, BoxRow.number == said.box)
    )
    return work.session.exec(boxes).first()


def _is_lacking(work: Work, box_id: int, said: Closing) -> bool:
    if said.decision is not None:
        decision = work.session.get(DecisionRow, said.decision)
        taken = select(ClosingRow.id).where(ClosingRow.decision_id == said.decision)
        return decision is not None and decision.is_taken and work.session.exec(taken).first() is None
    return closing.main_of(work, box_id) is None
