# SPDX-License-Identifier: EUPL-1.2
"""A package's envelopes: opened ones are opened again with their key, sealed ones are only digests, none is lost.

Rules
  1. An envelope that the minutes call opened is there; its bytes are those listed, received and minuted.
  2. Each document in the package is the one inside the envelope, and there is no other.
  3. A listed envelope that was not opened is named among those that stay sealed, with the digests it was listed with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from crypto.bid_key import MAX_FILE, BidKey
from crypto.ceremony import Outcome
from crypto.closings import ListEntry
from crypto.deposit import DepositRecord
from crypto.manifest import Document, documents_digest
from crypto.opening_rules import DueEntry
from crypto.reader import EnvelopeReader
from crypto.receipt_evidence import MAX_EVIDENCE_FILE, CheckedReceipt, ReceiptEvidence, check_receipt
from crypto.statement import MAX_RECEIPT, Kind
from retention import package as layout
from retention.errors import ChangedPart, MissingPart
from retention.package import SealedEnvelope, SealedList
from retention.verification.closings import LoadedClosing
from retention.verification.openings import Fate, Openings
from retention.verification.policies import Rules
from retention.verification.receipts import require_allowed
from retention.verification.report import Report
from retention.verification.tree import Tree

STATES = frozenset({"received", "late", "review", "superseded", "withdrawn", "listed", "keyed", "unkeyed", "failed"})


@dataclass(frozen=True)
class CheckedEnvelope:
    """An opened envelope of the package, checked."""

    box: int
    receipt: CheckedReceipt
    record: DepositRecord
    documents: tuple[Document, ...]


@dataclass
class Envelopes:
    """What the package says of envelopes: opened ones by id, sealed ones by id with their box.

    `broken` holds the folders of opened ones that failed their check, by id: what hangs on them is not broken too.
    """

    opened: dict[bytes, CheckedEnvelope] = field(default_factory=dict)
    broken: dict[bytes, str] = field(default_factory=dict)
    sealed: dict[bytes, tuple[int, SealedEnvelope]] = field(default_factory=dict)


def check_opened(tree: Tree, rules: Rules, openings: Openings, digests: Mapping[str, str], report: Report) -> Envelopes:
    """Open every opened envelope again and compare."""
    report.begin("The opened envelopes")
    found = Envelopes()
    expected: set[str] = set()
    for fate in openings.fates.values():
        if fate.minuted.outcome is Outcome.OPENED:
            folder = layout.envelope_folder(fate.due.box, UUID(bytes=fate.due.entry.envelope_id))
            expected.add(folder)
            envelope_id = fate.due.entry.envelope_id
            found.broken[envelope_id] = folder
            with report.judging(f"data/{folder}"):
                found.opened[envelope_id] = _check(tree, folder, fate, rules, digests)
                del found.broken[envelope_id]
    for number in (box.number for box in rules.latest.boxes):
        present = {"/".join(path.split("/")[:3]) for path in tree.under(f"{layout.box_folder(number)}/envelopes")}
        for folder in sorted(present - expected):
            report.broken(f"data/{folder}", "is an envelope that no minutes call opened")
    documents = sum(len(one.documents) for one in found.opened.values())
    report.passed(
        f"{len(found.opened)} opened again with their keys: {documents} documents as they were sealed, listed, minuted"
    )
    return found


def check_sealed(tree: Tree, rules: Rules, closings: Sequence[LoadedClosing], found: Envelopes, report: Report) -> None:
    """Read what stays sealed, and see that no listed envelope is lost."""
    report.begin("The envelopes that stay sealed")
    for box in rules.latest.boxes:
        path = layout.sealed_path(box.number)
        with report.judging(f"data/{path}"):
            listed = SealedList.decode(tree.read(path, limit=layout.MAX_JSON))
            _enter(listed, box.number, found)
    for closing in closings:
        for entry in closing.checked.envelopes.entries:
            with report.judging(f"data/{layout.sealed_path(closing.number)}"):
                _require_told(entry, closing, found)
    by_state: dict[str, int] = {}
    for _, one in found.sealed.values():
        by_state[one.state] = by_state.get(one.state, 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(by_state.items())) or "none"
    report.passed(f"only digests of them are here: {told}")


def _enter(listed: SealedList, number: int, found: Envelopes) -> None:
    if listed.box != number:
        raise ChangedPart("is of another box")
    for one in listed.envelopes:
        try:
            envelope_id = UUID(one.id).bytes
        except ValueError as error:
            raise ChangedPart("holds an id that is none") from error
        if one.state not in STATES or envelope_id in found.sealed or envelope_id in found.opened:
            raise ChangedPart(f"holds envelope {one.id} twice, or in a state that there is not")
        found.sealed[envelope_id] = (number, one)


def _require_told(entry: ListEntry, closing: LoadedClosing, found: Envelopes) -> None:
    if entry.envelope_id in found.opened or entry.envelope_id in found.broken:
        return
    name = UUID(bytes=entry.envelope_id)
    number, sealed = found.sealed.get(entry.envelope_id, (0, None))
    if sealed is None or number != closing.number:
        raise MissingPart(f"envelope {name} was listed, and is neither opened nor named as sealed")
    digests = (sealed.header_sha256, sealed.file_sha256, sealed.length)
    if digests != (entry.header_hash.hex(), entry.file_hash.hex(), entry.length):
        raise ChangedPart(f"envelope {name} is not named with the digests it was listed with")


def _check(tree: Tree, folder: str, fate: Fate, rules: Rules, digests: Mapping[str, str]) -> CheckedEnvelope:
    due, entry = fate.due, fate.due.entry
    receipt = _receipt(tree, folder, rules)
    record = receipt.record
    if not isinstance(record, DepositRecord):
        raise ChangedPart("is a withdrawal, not a receipt", file=f"data/{folder}/receipt.note")
    received = ListEntry(record.envelope_id, record.header_hash, record.file_hash, record.length)
    if (record.box, received) != (due.box, entry):
        raise ChangedPart("is the receipt of another envelope than the one listed", file=f"data/{folder}/receipt.note")
    key = _key(tree, folder, due, record)
    reader_file = f"{folder}/envelope.tvse"
    if tree.size(reader_file) != entry.length or digests[reader_file] != entry.file_hash.hex():
        raise ChangedPart("is not the envelope that was received and listed", file=f"data/{reader_file}")
    documents = _open(tree, folder, key, record)
    if documents_digest(documents) != fate.minuted.documents_hash:
        raise ChangedPart("holds other documents than the minutes say", file=f"data/{reader_file}")
    _compare(tree, folder, documents, digests)
    return CheckedEnvelope(due.box, receipt, record, documents)


def _receipt(tree: Tree, folder: str, rules: Rules) -> CheckedReceipt:
    note = tree.read(f"{folder}/receipt.note", limit=MAX_RECEIPT)
    evidence = ReceiptEvidence.decode(tree.read(f"{folder}/receipt.evidence", limit=MAX_EVIDENCE_FILE))
    checked = check_receipt(note, evidence, kind=Kind.RECEIPT, anchors=rules.anchors)
    rules.chain.by_hash(checked.policy.hash)
    rules.chain.by_hash(checked.judged_by.hash)
    require_allowed(checked)
    return checked


def _key(tree: Tree, folder: str, due: DueEntry, record: DepositRecord) -> BidKey:
    path = f"{folder}/envelope.key"
    key = BidKey.decode(tree.read(path, limit=MAX_FILE))
    named = (key.policy_hash, key.box, key.envelope_id, key.header_hash, key.file_hash, key.length)
    entry = due.entry
    if named != (record.policy_hash, due.box, entry.envelope_id, entry.header_hash, entry.file_hash, entry.length):
        raise ChangedPart("is the key of another envelope", file=f"data/{path}")
    return key


def _open(tree: Tree, folder: str, key: BidKey, record: DepositRecord) -> tuple[Document, ...]:
    with tree.open(f"{folder}/envelope.tvse") as file:

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        reader = EnvelopeReader(read, key.length, key.file_key)
        if reader.header.hash != record.header_hash:
            raise ChangedPart("has another header than the one listed")
        if record.documents_tag is not None and reader.documents_tag != record.documents_tag:
            raise ChangedPart("holds other documents than were received")
        checked = reader.check(record.bidder)
    return tuple(Document(one.path, one.size, one.sha256) for one in checked)


def _compare(tree: Tree, folder: str, documents: Sequence[Document], digests: Mapping[str, str]) -> None:
    """Rule 2."""
    placed = {layout.document_path(folder, one.path): one for one in documents}
    for path, one in placed.items():
        if tree.size(path) != one.size or digests.get(path) != one.sha256.hex():
            raise ChangedPart("is not the document that was sealed", file=f"data/{path}")
        tree.asked.add(path)
    for path in tree.under(f"{folder}/documents"):
        if path not in placed:
            raise ChangedPart("is no document of its envelope", file=f"data/{path}")
