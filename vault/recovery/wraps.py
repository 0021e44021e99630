# SPDX-License-Identifier: EUPL-1.2
"""Keys after a restored key store: what can be derived again is, what cannot is named (protocol 3.10, 4.8, 4.10).

Rules
  1. Wraps are never copied anywhere but in the key store's own backups: a lost one is lost, with what it opened.
  2. File keys of keyed envelopes come again from stored contributions while the opening's key is there; where it is
     not, the opening is given up, and a new attempt over the same closings restores them.
  3. An opening under way whose key is lost is given up: what custodians gave to it, nobody can open.
  4. An opening's key that came back with an old backup goes again, once the file keys are there.

Left to others: giving contributions once more (custodians), objects without rows (vault.recovery.claims).
"""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from crypto.ceremony import Keyed
from crypto.errors import CryptoError
from crypto.statement import Kind, parse_note
from crypto.wraps import WrapKind
from vault import envelopes
from vault.envelopes import Kept
from vault.errors import ObjectMissing, OutsideError
from vault.lifecycle import EnvelopeState, ProcedureState
from vault.models import OpeningRow, OpeningState, Procedure
from vault.opening import due, keying
from vault.opening.offer import seed_id
from vault.recovery.findings import Done, Findings, Loss, Lost
from vault.recovery.rows import Progress
from vault.store.names import key_kind_prefix, key_name
from vault.work import Work, Works

UNDER_WAY = (OpeningState.PREPARED, OpeningState.OFFERED, OpeningState.RELEASED)
KEYED = (OpeningState.KEYED, OpeningState.MINUTED)
NEEDS_NO_KEY = frozenset({EnvelopeState.WITHDRAWN})


@dataclass(frozen=True)
class Present:
    """The names of all wrapped keys that are there."""

    names: frozenset[str]

    def has(self, kind: WrapKind, subject: bytes) -> bool:
        """Whether one key's wrap is there."""
        return key_name(kind, subject) in self.names


def look(works: Works, found: Findings, *, progress: Progress) -> None:
    """Name what is lost, restore what can be, for every published procedure."""
    present = _present(works)
    with works.open() as work:
        published = select(Procedure).where(Procedure.state != ProcedureState.DRAFTED)
        known = list(work.session.exec(published))
    for place, procedure in enumerate(known):
        progress("keys", place, len(known))
        if not present.has(WrapKind.GATE_SEED, procedure.id.bytes):
            found.name(Loss(Lost.GATE_SEED, str(procedure.id), procedure=procedure.id))
        if not present.has(WrapKind.PROCEDURE, procedure.id.bytes):
            found.name(Loss(Lost.PROCEDURE_KEY, str(procedure.id), procedure=procedure.id))
            continue
        _look_at_envelopes(works, found, procedure, present)
        for opening in _openings(works, procedure.id):
            _look_at_opening(works, found, opening, present)


def of_procedure(works: Works, work: Work, procedure: Procedure) -> list[Kept]:
    """All envelopes of a procedure, whatever their state."""
    policies = envelopes.chain(work, procedure.id)
    buckets = {works.keys.bucket(procedure.platform, box.deadline) for policy in policies for box in policy.boxes}
    return list(envelopes.in_week(works, work, procedure=procedure.id, platform=procedure.platform, buckets=buckets))


def _present(works: Works) -> Present:
    return Present(frozenset(name for kind in WrapKind for name in works.key_store.list(key_kind_prefix(kind))))


def _look_at_envelopes(works: Works, found: Findings, procedure: Procedure, present: Present) -> None:
    with works.open() as work:
        kept = of_procedure(works, work, procedure)
    for one in kept:
        if one.state in NEEDS_NO_KEY:
            continue
        if not present.has(WrapKind.OBJECT, one.facts.object_id.bytes):
            found.name(Loss(Lost.OBJECT_KEY, str(one.id), procedure=procedure.id, box=one.facts.box))


def _openings(works: Works, procedure: UUID) -> list[OpeningRow]:
    with works.open() as work:
        alive = select(OpeningRow).where(
            OpeningRow.procedure_id == procedure, OpeningRow.state != OpeningState.ABANDONED
        )
        return list(work.session.exec(alive.order_by(col(OpeningRow.attempt))))


def _look_at_opening(works: Works, found: Findings, row: OpeningRow, present: Present) -> None:
    has_seed = present.has(WrapKind.OPENING_SEED, seed_id(due.opening_of(row).opening_key).bytes)
    if row.state in UNDER_WAY and not has_seed:
        if row.state is OpeningState.RELEASED and _say_keyed(works, row):
            found.did(Done.KEYED)
        else:
            keying.repeat(works, row.id)
            found.did(Done.REPEATED)
    if row.state in KEYED:
        _restore(works, found, row, present)


def _say_keyed(works: Works, row: OpeningRow) -> bool:
    try:
        return keying.say_keyed(works, row.id)
    except (CryptoError, OutsideError):
        return False


def _restore(works: Works, found: Findings, row: OpeningRow, present: Present) -> None:
    if not _missing(works, row, present):
        keying.forget_key(works, row)  # rule 4
        return
    try:
        found.did(Done.KEYS, keying.restore(works, row.id))
    except (CryptoError, ObjectMissing):
        keying.repeat(works, row.id)
        found.did(Done.REPEATED)
        return
    keying.forget_key(works, row)


def _missing(works: Works, row: OpeningRow, present: Present) -> bool:
    """Whether a keyed envelope of an opening, whose object's key is there, lacks its file key."""
    unkeyed = {one.index for one in Keyed.of(parse_note(row.keyed or b"", Kind.KEYED)).unkeyed}
    with works.open() as work:
        kept = keying.listed(works, work, row)
    return any(
        not present.has(WrapKind.FILE, one.facts.object_id.bytes)
        for index, one in kept.items()
        if index not in unkeyed and present.has(WrapKind.OBJECT, one.facts.object_id.bytes)
    )
