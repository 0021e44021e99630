# SPDX-License-Identifier: EUPL-1.2
"""Everything a vault has stored, read once and opened: what the checks re-derive from.

Rules
  1. Only what lies in the database, the gate's schema, the object store and the key store is read; no journey is asked.
  2. Rows of the database come first: what they rely on was stored before them, so a store read later has it.
  3. A row that opens under no key, or two, is a finding of its own; the rest is checked all the same.

Left to others: what must hold (the other modules of this folder).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from sqlmodel import Session, SQLModel, select

from crypto.encoding import label
from crypto.errors import CryptoError
from crypto.events import Event, EventKind
from crypto.policy import Policy
from crypto.wraps import WrapKind
from vault import attempts, envelopes, journal
from vault.envelopes import Kept
from vault.errors import ObjectMissing
from vault.gate import models as gate
from vault.hidden import NotThisRow, reveal
from vault.models import (
    Attempt,
    BoxRow,
    CheckpointRow,
    ClosingRow,
    ContributionRow,
    DecisionRow,
    DocumentRow,
    Envelope,
    JournalRow,
    Ledger,
    OpeningRow,
    PolicyRow,
    PolicyState,
    PrintRow,
    Procedure,
    StampRow,
)
from vault.rows import AttemptFacts, JournalFacts, LedgerFacts
from vault.store import StoredVersion
from vault.store.names import key_kind_prefix, key_name
from vault.work import Works

Row = TypeVar("Row", bound=SQLModel)
IN_FORCE = (PolicyState.IN_FORCE, PolicyState.REPLACED)


@dataclass(frozen=True)
class Finding:
    """Something that does not hold: a stable word, and where."""

    word: str
    where: str

    def __str__(self) -> str:
        return f"{self.word}: {self.where}"


@dataclass(frozen=True)
class Told:
    """One row of the journal with what it tells; a dummy tells nothing."""

    row: JournalRow
    facts: JournalFacts | None
    event: Event | None

    @property
    def seq(self) -> int:
        return self.row.seq or 0


@dataclass(frozen=True)
class Tried:
    """One attempt with its facts."""

    row: Attempt
    facts: AttemptFacts


@dataclass(frozen=True)
class GateRows:
    """What the gate remembers."""

    policies: Sequence[gate.AcceptedPolicy]
    closings: Sequence[gate.AcceptedClosing]
    openings: Sequence[gate.SignedOpening]
    releases: Sequence[gate.Released]


@dataclass
class Stored:
    """All of it."""

    works: Works
    procedures: dict[UUID, Procedure]
    policy_rows: Sequence[PolicyRow]
    boxes: dict[int, BoxRow]
    envelopes: dict[UUID, Kept]
    attempts: Sequence[Tried]
    ledgers: Mapping[UUID, LedgerFacts]
    told: Sequence[Told]
    checkpoints: Sequence[CheckpointRow]
    closings: Mapping[bytes, ClosingRow]
    decisions: Mapping[bytes, DecisionRow]
    openings: Sequence[OpeningRow]
    contributions: Sequence[ContributionRow]
    documents: Sequence[DocumentRow]
    prints: Sequence[PrintRow]
    stamps: Sequence[StampRow]
    gate: GateRows
    objects: Mapping[str, Sequence[StoredVersion]]
    keys: frozenset[str]
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def by_fact(self) -> Mapping[tuple[EventKind, bytes], Sequence[Told]]:
        """The journal's entries by what they tell of what."""
        found: dict[tuple[EventKind, bytes], list[Told]] = {}
        for one in self.told:
            if one.event is not None:
                found.setdefault((one.event.kind, one.event.subject), []).append(one)
        return found

    @cached_property
    def by_object(self) -> Mapping[UUID, Sequence[Tried]]:
        """The attempts by the object that they were given."""
        found: dict[UUID, list[Tried]] = {}
        for one in self.attempts:
            found.setdefault(one.facts.object_id, []).append(one)
        return found

    @cached_property
    def by_box(self) -> Mapping[tuple[UUID, int], Sequence[Kept]]:
        """The envelopes by their box, in the order of their first events."""
        found: dict[tuple[UUID, int], list[Kept]] = {}
        for one in sorted(self.envelopes.values(), key=lambda one: one.facts.first_event):
            found.setdefault((one.facts.procedure, one.facts.box), []).append(one)
        return found

    @cached_property
    def _policies(self) -> dict[UUID, list[Policy]]:
        return {}

    def policies(self, procedure: UUID) -> list[Policy]:
        """The procedure's policies that are or were in force, by epoch."""
        if procedure not in self._policies:
            rows = [one for one in self.policy_rows if one.procedure_id == procedure and one.state in IN_FORCE]
            by_epoch = sorted(rows, key=lambda one: one.epoch)
            self._policies[procedure] = [Policy.decode(row.payload) for row in by_epoch]
        return self._policies[procedure]

    def box_of(self, kept: Kept) -> BoxRow | None:
        """The row of an envelope's box."""
        wanted = (kept.facts.procedure, kept.facts.box)
        return next((row for row in self.boxes.values() if (row.procedure_id, row.number) == wanted), None)

    def of_box(self, box: BoxRow) -> Sequence[Kept]:
        """A box's envelopes in the order of their first events."""
        return self.by_box.get((box.procedure_id, box.number), ())

    def main_closing(self, box: BoxRow) -> ClosingRow | None:
        """The box's main closing."""
        return next((one for one in self.closings.values() if one.box_id == box.id and one.decision_id is None), None)


def read(works: Works) -> Stored:
    """Read everything; nothing else may be at work on the vault meanwhile."""
    findings: list[Finding] = []
    with works.open() as work:
        session = work.session
        procedures = {row.id: row for row in _all(session, Procedure)}
        keys = _keys(works, list(procedures.values()), findings)
        return Stored(
            works=works,
            procedures=procedures,
            policy_rows=_all(session, PolicyRow),
            boxes={row.id or 0: row for row in _all(session, BoxRow)},
            envelopes={one.id: one for one in _envelopes(works, session, keys, findings)},
            attempts=list(_attempts(works, session, keys, findings)),
            ledgers=dict(_ledgers(session, keys, findings)),
            told=list(_journal(session, keys, findings)),
            checkpoints=sorted(_all(session, CheckpointRow), key=lambda one: one.size),
            closings={row.id: row for row in _all(session, ClosingRow)},
            decisions={row.id: row for row in _all(session, DecisionRow)},
            openings=_all(session, OpeningRow),
            contributions=_all(session, ContributionRow),
            documents=_all(session, DocumentRow),
            prints=_all(session, PrintRow),
            stamps=_all(session, StampRow),
            gate=_gate(works),
            objects=_objects(works),
            keys=frozenset(works.key_store.list("")),
            findings=findings,
        )


Keys = Mapping[UUID | str, bytes]  # of procedures, and of platforms for what belongs to no procedure


def _keys(works: Works, procedures: Sequence[Procedure], findings: list[Finding]) -> Keys:
    """The keys of hidden rows; a platform's is made at first use, so it is asked for only where there is one."""
    keys: dict[UUID | str, bytes] = {}
    for platform in sorted({"default", *(row.platform for row in procedures)}):
        name = key_name(WrapKind.INDEX, sha256(label("platform") + platform.encode()).digest()[:16])
        if name in set(works.key_store.list(key_kind_prefix(WrapKind.INDEX))):
            keys[platform] = works.keys.platform_facts(platform)
    for row in procedures:
        try:
            keys[row.id] = works.keys.facts(row.id)
        except (ObjectMissing, CryptoError) as error:
            findings.append(Finding("procedure-without-key", f"{row.id}: {error}"))
    return keys


def _envelopes(works: Works, session: Session, keys: Keys, findings: list[Finding]) -> Iterable[Kept]:
    for row in _all(session, Envelope):
        found = None
        for procedure in keys:
            if isinstance(procedure, UUID):
                with suppress(NotThisRow):
                    found = Kept(row, envelopes.read(works, row, procedure=procedure))
        if found is None:
            findings.append(Finding("nobody-s-row", f"envelope {row.id}"))
        else:
            yield found


def _attempts(works: Works, session: Session, keys: Keys, findings: list[Finding]) -> Iterable[Tried]:
    for row in _all(session, Attempt):
        found = None
        for procedure in keys:
            if isinstance(procedure, UUID):
                with suppress(NotThisRow):
                    found = Tried(row, attempts.read(works, row, procedure=procedure))
        if found is None:
            findings.append(Finding("nobody-s-row", f"attempt {row.id}"))
        else:
            yield found


def _ledgers(session: Session, keys: Keys, findings: list[Finding]) -> Iterable[tuple[UUID, LedgerFacts]]:
    for row in _all(session, Ledger):
        found = None
        for key in keys.values():
            with suppress(NotThisRow):
                blob = reveal(key, row.facts, table=envelopes.LEDGERS, row_id=row.id, state=envelopes.LEDGER_STATE)
                found = LedgerFacts.decode(blob)
        if found is None:
            findings.append(Finding("nobody-s-row", f"ledger {row.id}"))
        else:
            yield row.id, found


def _journal(session: Session, keys: Keys, findings: list[Finding]) -> Iterable[Told]:
    for row in sorted(_all(session, JournalRow), key=lambda one: one.seq or 0):
        blob = None
        for key in keys.values():
            with suppress(NotThisRow):
                blob = reveal(key, row.facts, table=journal.TABLE, row_id=row.seq or 0, state=journal.STATE)
        if blob is None:
            findings.append(Finding("nobody-s-row", f"journal row {row.seq}"))
        if not blob:
            yield Told(row, None, None)
            continue
        facts = JournalFacts.decode(blob)
        yield Told(row, facts, Event.decode(facts.event))


def _gate(works: Works) -> GateRows:
    with works.gate.records.read() as session:
        return GateRows(
            policies=_all(session, gate.AcceptedPolicy),
            closings=_all(session, gate.AcceptedClosing),
            openings=_all(session, gate.SignedOpening),
            releases=_all(session, gate.Released),
        )


def _objects(works: Works) -> dict[str, list[StoredVersion]]:
    found: dict[str, list[StoredVersion]] = {}
    for version in works.store.list_versions(""):
        found.setdefault(version.key, []).append(version)
    return found


def _all(session: Session, kind: type[Row]) -> Sequence[Row]:
    return session.exec(select(kind)).all()
