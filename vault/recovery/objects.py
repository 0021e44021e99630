# SPDX-License-Identifier: EUPL-1.2
"""Objects of the store against rows of the database: what no row names, and what rows name and is not there.

Rules
  1. An object that no envelope's row names may be a deposit that was acknowledged and lost with the database, or one
     that never was: only its holder's receipt tells. It is named by what its sealed header says.
  2. An attempt that ended as refused or repeated explains its object; such an object is nobody's loss.
  3. Each one found gets an attempt's row where it has none, so that a receipt shown later finds it at once.

Left to others: registering it (vault.recovery.claims).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from crypto.errors import CryptoError
from crypto.header import Header, decode_header
from vault import attempts, envelopes, shelf
from vault.envelopes import Addressed
from vault.errors import NotFound, ObjectMissing
from vault.hidden import NotThisRow
from vault.lifecycle import ProcedureState
from vault.models import Attempt, AttemptState, Procedure
from vault.recovery import wraps
from vault.recovery.findings import Findings, Loss, Lost
from vault.recovery.rows import Progress
from vault.rows import AttemptFacts, EnvelopeFacts
from vault.store import StoredVersion
from vault.store.names import OBJECTS
from vault.sweep import ABANDONED
from vault.work import Work, Works

EXPLAINS = frozenset({AttemptState.FAILED, AttemptState.DONE})


@dataclass(frozen=True)
class LooseObject:
    """An object that no envelope's row names, as its sealed header tells."""

    object_id: UUID
    envelope_id: UUID
    procedure: Procedure
    box: int
    stored_at: datetime
    length: int


Loose = Mapping[UUID, list[LooseObject]]  # by envelope: a deposit that was repeated may have left several


def look(works: Works, found: Findings, *, progress: Progress) -> Loose:
    """Compare store and rows; gives what no row names, by envelope, and names what is gone or unreadable."""
    with works.open() as work:
        procedures = _readable(works, work)
        claimed = {
            one.facts.object_id: (one, procedure)
            for procedure in procedures
            for one in wraps.of_procedure(works, work, procedure)
        }
        explained = {facts.object_id for facts in _attempts(works, work, procedures, states=EXPLAINS) if _ends(facts)}
    there = {_object_id(one): one for one in works.store.list_versions(OBJECTS) if one.is_latest}
    for object_id, (kept, procedure) in claimed.items():
        if object_id not in there:
            found.name(Loss(Lost.OBJECT, str(kept.id), procedure=procedure.id, box=kept.facts.box))
    loose: dict[UUID, list[LooseObject]] = defaultdict(list)
    unknown = [one for object_id, one in there.items() if object_id not in claimed and object_id not in explained]
    for place, version in enumerate(unknown):
        progress("objects", place, len(unknown))
        read = _read(works, version, procedures)
        if read is None:
            found.name(Loss(Lost.UNREADABLE, _object_id(version).hex))
        else:
            loose[read.envelope_id].append(read)
    return loose


def name(works: Works, found: Findings, loose: Loose) -> None:
    """Name what nobody has claimed, and note it, so that a receipt shown later finds it (rule 3)."""
    for envelope_id, objects in loose.items():
        for one in objects:
            _name(works, found, envelope_id, one)


def _name(works: Works, found: Findings, envelope_id: UUID, one: LooseObject) -> None:
    with works.open() as work:
        if envelopes.find(works, work, envelope_id, procedure=one.procedure.id) is None:
            found.name(Loss(Lost.UNCLAIMED, str(envelope_id), procedure=one.procedure.id, box=one.box))
        with suppress(NotFound):
            box = envelopes.address_number(work, one.procedure.platform, one.procedure.id, number=one.box)
            if one.object_id not in _attempted(works, work, box, envelope_id):
                attempts.note(works, work, box, target=_target(one))


def find_loose(works: Works, box: Addressed, envelope_id: UUID) -> list[UUID]:
    """The objects that attempts for an envelope were given, newest first."""
    with works.open() as work:
        return _attempted(works, work, box, envelope_id)


def _attempted(works: Works, work: Work, box: Addressed, envelope_id: UUID) -> list[UUID]:
    return [one.facts.object_id for one in attempts.of_envelope(works, work, box, envelope_id)]


def _target(one: LooseObject) -> attempts.Target:
    return attempts.Target(one.envelope_id, "", one.length, one.object_id)


def _ends(facts: AttemptFacts) -> bool:
    return facts.outcome not in {"", ABANDONED}


def _readable(works: Works, work: Work) -> list[Procedure]:
    """Published procedures whose key is there."""
    published = work.session.exec(select(Procedure).where(Procedure.state != ProcedureState.DRAFTED)).all()
    return [one for one in published if _has_key(works, one.id)]


def _has_key(works: Works, procedure: UUID) -> bool:
    try:
        works.keys.procedure(procedure)
    except (ObjectMissing, CryptoError):
        return False
    return True


def _attempts(
    works: Works, work: Work, procedures: list[Procedure], *, states: frozenset[AttemptState]
) -> Iterator[AttemptFacts]:
    rows = work.session.exec(select(Attempt).where(col(Attempt.state).in_(states))).all()
    for row in rows:
        for procedure in procedures:
            facts = _facts(works, row, procedure.id) if procedure.platform == row.platform else None
            if facts is not None:
                yield facts
                break


def _facts(works: Works, row: Attempt, procedure: UUID) -> AttemptFacts | None:
    try:
        return attempts.read(works, row, procedure=procedure)
    except NotThisRow:
        return None


def _object_id(version: StoredVersion) -> UUID:
    return UUID(hex=version.key.removeprefix(OBJECTS))


def _read(works: Works, version: StoredVersion, procedures: list[Procedure]) -> LooseObject | None:
    """Open an object's outer layer by the key of each procedure, and read its header."""
    for procedure in procedures:
        header = _header(works, version, procedure.id)
        if header is not None:
            return LooseObject(
                object_id=_object_id(version),
                envelope_id=UUID(bytes=header.envelope_id),
                procedure=procedure,
                box=header.box,
                stored_at=version.stored_at,
                length=version.size,
            )
    return None


def _header(works: Works, version: StoredVersion, procedure: UUID) -> Header | None:
    facts = EnvelopeFacts(
        procedure=procedure,
        box=0,
        bidder="",
        record=b"",
        object_id=_object_id(version),
        version_id=version.version_id,
        length=version.size,
    )
    framed = shelf.read_header(works, facts)
    try:
        return decode_header(framed) if framed else None
    except CryptoError:
        return None
