# SPDX-License-Identifier: EUPL-1.2
"""A package's journal: each entry stands in the log under one signed head, and tells what the package tells.

Rules
  1. Every leaf is computed anew from event and salt, and led by its proof to the head's root.
  2. Every statement of the package has its entry, every entry about an envelope or a closing its counterpart here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from crypto.checkpoint import MAX_PROOF, Checkpoint, LogProof, read_checkpoint
from crypto.errors import CryptoError
from crypto.events import SALT_SIZE, Event, EventKind, leaf_data
from crypto.merkle import verify_inclusion
from crypto.statement import MAX_NOTE, Kind, from_base64
from retention import package as layout
from retention.errors import ChangedPart, MissingPart
from retention.package import ExtractEntry, JournalExtract, instant
from retention.verification.closings import LoadedClosing
from retention.verification.envelopes import CheckedEnvelope, Envelopes
from retention.verification.openings import Openings
from retention.verification.policies import Rules
from retention.verification.report import Report
from retention.verification.tree import Tree

FILE = f"data/{layout.JOURNAL}"
_ENTRY_OF = {
    Kind.OPENING: EventKind.OPENING_SIGNED,
    Kind.CONTRIBUTION: EventKind.CONTRIBUTION_ACCEPTED,
    Kind.RELEASE: EventKind.GATE_RELEASED,
    Kind.KEYED: EventKind.BOX_KEYED,
    Kind.MINUTES: EventKind.OPENING_MINUTED,
}
_VERDICTS = {1: "in-time", 2: "late", 3: "review"}


@dataclass
class Told:
    """The entries that stand in the log, with their salts, by what they are about."""

    events: list[tuple[Event, bytes]] = field(default_factory=list)
    by_subject: dict[tuple[EventKind, bytes], Event] = field(default_factory=dict)

    def add(self, event: Event, salt: bytes) -> None:
        """Enter one."""
        self.events.append((event, salt))
        self.by_subject[event.kind, event.subject] = event

    def has(self, kind: EventKind, subject: bytes) -> bool:
        """Whether there is such an entry."""
        return (kind, subject) in self.by_subject

    @property
    def withdrawn(self) -> frozenset[bytes]:
        """Ids of envelopes whose withdrawal took effect."""
        return frozenset(one.data or b"" for one, _ in self.events if one.kind is EventKind.ENVELOPE_WITHDRAWN)

    @property
    def last(self) -> datetime | None:
        """When the last of them happened: the journal's order decides, whatever a server's clock said."""
        return self.events[-1][0].at if self.events else None


def check_journal(tree: Tree, rules: Rules, report: Report) -> Told:
    """Check head, leaves and proofs."""
    report.begin("The journal")
    told = Told()
    with report.judging(f"data/{layout.CHECKPOINT}"):
        note = tree.read(layout.CHECKPOINT, limit=MAX_NOTE)
        head = read_checkpoint(note, journal=rules.latest.journal_verifier)
        with report.judging(FILE):
            extract = JournalExtract.decode(tree.read(layout.JOURNAL, limit=layout.MAX_JSON))
            _require_rising(extract)
            for entry in extract.entries:
                event, salt = _require_entry(entry, head, rules)
                told.add(event, salt)
            report.passed(
                f"{len(told.events)} entries stand under the head of {head.size} entries signed by {head.origin}"
            )
    return told


def check_counterparts(
    rules: Rules, closings: Sequence[LoadedClosing], openings: Openings, *, told: Told, report: Report
) -> None:
    """Every statement has its entry, and every closing that the journal knows is here (rule 2)."""
    for number, statement in enumerate(rules.chain.policies):
        kind = EventKind.POLICY_AMENDED if number else EventKind.POLICY_PUBLISHED
        _require(told, kind, statement.hash, f"data/{layout.policy_path(number)}", report)
    for closing in closings:
        _require(told, EventKind.BOX_CLOSED, closing.statement.id, f"data/{closing.folder}/closing.note", report)
        if closing.bundled.decision is not None:
            file = f"data/{closing.folder}/decision.note"
            _require(told, EventKind.DECISION_TAKEN, closing.bundled.decision.id, file, report)
    for said, statement_id, file in openings.said:
        _require(told, _ENTRY_OF[said], statement_id, file, report)
    for one in openings.loaded:
        if one.minutes is None:
            _require(told, EventKind.OPENING_ABANDONED, one.opening.id, f"data/{one.folder}/opening.note", report)
    _refuse_untold(closings, openings, told, report)
    report.passed("every policy, closing, decision, opening, contribution and minutes was looked for")


def _refuse_untold(closings: Sequence[LoadedClosing], openings: Openings, told: Told, report: Report) -> None:
    known = {
        EventKind.BOX_CLOSED: {closing.statement.id for closing in closings},
        EventKind.OPENING_SIGNED: {one.opening.id for one in openings.loaded},
        EventKind.OPENING_MINUTED: {one.minutes.id for one in openings.loaded if one.minutes is not None},
    }
    for event, _ in told.events:
        if event.subject not in known.get(event.kind, {event.subject}):
            report.broken(FILE, f"tells {event.kind.value} of {event.subject.hex()}, which is not here or broken")


def check_envelope_entries(tree: Tree, envelopes: Envelopes, *, told: Told, rules: Rules, report: Report) -> None:
    """Every envelope has its entry with its verdict, and every entry about an envelope its envelope here (rule 2)."""
    imprints: set[bytes] = set()
    for one in envelopes.opened.values():
        imprints.add(one.record.imprint)
        folder = _folder(one)
        with report.judging(f"data/{folder}/receipt.note"):
            _require_opened(tree, folder, one, told, rules)
    for envelope_id, (number, sealed) in envelopes.sealed.items():
        with report.judging(f"data/{layout.sealed_path(number)}"):
            imprints.add(_require_sealed(sealed.record, sealed.verdict, sealed.state, told))
            if (sealed.state == "withdrawn") != (envelope_id in told.withdrawn):
                raise ChangedPart(f"and the journal differ on whether envelope {sealed.id} was withdrawn")
    for event, _ in told.events:
        is_about_one = event.kind in {EventKind.ENVELOPE_SEALED, EventKind.DEPOSIT_RECEIVED}
        if is_about_one and event.subject not in imprints and not envelopes.broken:
            report.broken(FILE, f"tells of an envelope that is not here: record {event.subject.hex()}")
    for envelope_id in told.withdrawn - envelopes.sealed.keys():
        report.broken(FILE, f"tells that envelope {envelope_id.hex()} was withdrawn, which is not named as sealed")
    report.passed("every envelope has its entry with its verdict, and every entry its envelope")


def _require_rising(extract: JournalExtract) -> None:
    positions = [one.position for one in extract.entries]
    if positions != sorted(set(positions)):
        raise ChangedPart("holds entries that are not in the order of the log")


def _require_entry(entry: ExtractEntry, head: Checkpoint, rules: Rules) -> tuple[Event, bytes]:
    raw, salt = from_base64(entry.event), from_base64(entry.salt)
    event = Event.decode(raw)
    if len(salt) != SALT_SIZE or (event.kind.value, instant(event.at)) != (entry.kind, entry.at):
        raise ChangedPart(f"the entry at {entry.position} is not what it says beside it")
    if event.procedure != rules.latest.procedure:
        raise ChangedPart(f"the entry at {entry.position} is of another procedure")
    proof = [from_base64(one) for one in entry.proof]
    verify_inclusion(leaf_data(event, salt), proof, index=entry.position, size=head.size, root=head.root)
    return event, salt


def _require(told: Told, kind: EventKind, subject: bytes, file: str, report: Report) -> None:
    if not told.has(kind, subject):
        report.broken(file, f"has no entry {kind.value} in the journal")


def _require_opened(tree: Tree, folder: str, one: CheckedEnvelope, told: Told, rules: Rules) -> None:
    ruling = one.receipt.ruling
    if (ruling.event, ruling.salt) not in told.events:
        raise MissingPart("names an entry that the journal does not have")
    expected = bytes((ruling.verdict,))
    if ruling.event.kind is not EventKind.ENVELOPE_SEALED or (ruling.event.data or b"")[:1] != expected:
        raise ChangedPart("names an entry with another verdict")
    if not told.has(EventKind.ENVELOPE_OPENED, one.record.imprint):
        raise MissingPart("is of an envelope whose opening the journal does not have")
    path = f"{folder}/receipt.tlog-proof"
    try:
        proof = LogProof.decode(tree.read(path, limit=MAX_PROOF))
        proof.verify(leaf_data(ruling.event, ruling.salt), journal=rules.latest.journal_verifier)
    except CryptoError as error:
        raise ChangedPart(f"does not prove the receipt's entry: {error}", file=f"data/{path}") from error


def _require_sealed(record: str, verdict: str, state: str, told: Told) -> bytes:
    try:
        imprint = bytes.fromhex(record)
    except ValueError as error:
        raise ChangedPart("holds a digest that is none") from error
    event = told.by_subject.get((EventKind.ENVELOPE_SEALED, imprint))
    if event is None:
        if state in {"received", "withdrawn"} and told.has(EventKind.DEPOSIT_RECEIVED, imprint):
            return imprint
        raise MissingPart(f"names an envelope that the journal does not know: record {record}")
    if _VERDICTS.get((event.data or b"\0")[0]) != verdict:
        raise ChangedPart(f"gives another verdict than the journal: record {record}")
    if state in {"late", "review"} and state != verdict:
        raise ChangedPart(f"gives a state that its verdict does not allow: record {record}")
    if state == "superseded" and verdict != "in-time":
        raise ChangedPart(f"calls an envelope superseded that was not in time: record {record}")
    return imprint


def _folder(one: CheckedEnvelope) -> str:
    return layout.envelope_folder(one.box, UUID(bytes=one.record.envelope_id))
