# SPDX-License-Identifier: EUPL-1.2
"""Checking a receipt, a print or a package with no network, no database, and nothing of the vault's but the thing.

Rules
  1. What it is, is told by its bytes, not by its name.
  2. The evidence of a receipt lies beside it: `<name>.evidence` or `receipt.evidence`; where its holder's list and
     secret lie there too (`documents.json`, `secret`), the receipt is held against them.
  3. Broken, unproven, sound: `Report.outcome`; nothing is thrown at the caller for what a file holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto.checkpoint import MAX_PROOF, LogProof
from crypto.events import leaf_data
from crypto.manifest import tag_key
from crypto.pades import MAX_PDF
from crypto.receipt_evidence import CheckedReceipt
from crypto.statement import MAX_RECEIPT, Kind
from retention.errors import NotAPackage, PackageError
from retention.verification.packages import check_package
from retention.verification.prints import check_print, read_statement
from retention.verification.receipts import (
    MAX_FILE,
    Shown,
    check_documents,
    check_notice,
    check_shown,
    read_documents,
    read_secret,
)
from retention.verification.report import Check, Listener, Outcome, Report, Result, Step
from retention.verification.tree import open_tree
from retention.verification.trust import Trust, read_trust

__all__ = ["Check", "Listener", "Outcome", "Report", "Result", "Step", "Trust", "Wanted", "read_trust", "verify"]

DOCUMENTS = "documents.json"
SECRET = "secret"  # noqa: S105 - the name of a file
MAX_SECRET = 256
PROOF = ".tlog-proof"
_TAR_MAGIC = (257, b"ustar")
_HEAD = 512


@dataclass(frozen=True)
class Wanted:
    """What is to be checked: a receipt, a print or a package; and receipts to be held against a package."""

    path: Path
    receipts: tuple[Path, ...] = ()


def verify(wanted: Wanted, trust: Trust, *, listener: Listener | None = None) -> Report:
    """Check it, step by step; the report says what held."""
    report = Report(listener) if listener is not None else Report()
    path = wanted.path
    if path.is_dir():
        _verify_package(path, trust, report, wanted.receipts)
        return report
    head = _head(path)
    if head.startswith(b"%PDF-"):
        check_print(_read(path, MAX_PDF), path.name, trust, report)
    elif head.startswith(b"bidvault/"):
        _verify_statement(path, trust, report)
    elif head[_TAR_MAGIC[0] :].startswith(_TAR_MAGIC[1]):
        _verify_package(path, trust, report, wanted.receipts)
    else:
        report.begin("What it is")
        with report.judging(path.name):
            raise NotAPackage("is neither a receipt, nor a print, nor a package")
    return report


def _verify_package(path: Path, trust: Trust, report: Report, receipts: Sequence[Path]) -> None:
    held: list[tuple[str, CheckedReceipt]] = []
    for receipt in receipts:
        checked = _verify_statement(receipt, trust, report)
        if checked is not None:
            held.append((receipt.name, checked))
    try:
        with open_tree(path) as tree:
            check_package(tree, trust, report, receipts=held)
    except PackageError as error:
        report.begin("The package")
        report.broken(error.file or path.name, f"{error}")


def _verify_statement(path: Path, trust: Trust, report: Report) -> CheckedReceipt | None:
    """A receipt, withdrawal or notice; gives the receipt when it holds."""
    name = path.name
    note = _read(path, MAX_RECEIPT)
    kind = _kind(note, name, report)
    if kind is Kind.REGISTRATION:
        check_notice(note, name, trust, report)
        return None
    if kind not in {Kind.RECEIPT, Kind.WITHDRAWAL}:
        return None
    beside = next((one for one in _beside(path) if one.is_file()), None)
    if beside is None:
        report.begin(f"The {kind}: {name}")
        report.missing(name, "the file that lies beside a receipt (receipt.evidence) is not there")
        return None
    checked = check_shown(Shown(kind, note, _read(beside, MAX_FILE), name), trust, report)
    if checked is not None and kind is Kind.RECEIPT:
        _check_own_documents(checked, path, report)
        _check_proof(checked, path, report)
    return checked


def _check_proof(checked: CheckedReceipt, path: Path, report: Report) -> None:
    """The journal's proof of a receipt's entry, which its holder gets after the closing."""
    proof = next(
        (one for one in (path.with_suffix(PROOF), path.with_name(f"{path.name}{PROOF}")) if one.is_file()), None
    )
    if proof is not None:
        with report.judging(proof.name):
            leaf = leaf_data(checked.ruling.event, checked.ruling.salt)
            found = LogProof.decode(_read(proof, MAX_PROOF)).verify(leaf, journal=checked.judged_by.journal_verifier)
            report.passed(f"its entry stands in the journal of {found.origin}, under the head of {found.size} entries")


def _check_own_documents(checked: CheckedReceipt, path: Path, report: Report) -> None:
    """The list of documents and the secret that its holder kept beside a receipt: then it is about these documents."""
    listed, secret = path.with_name(DOCUMENTS), path.with_name(SECRET)
    if not (listed.is_file() and secret.is_file()):
        return
    with report.judging(DOCUMENTS):
        documents = read_documents(_read(listed, MAX_RECEIPT * 64))
        key = tag_key(read_secret(_read(secret, MAX_SECRET)), checked.record.envelope_id)
        check_documents(checked.record, key, documents, report, file=DOCUMENTS)


def _kind(note: bytes, name: str, report: Report) -> Kind | None:
    report.begin("What it is")
    with report.judging(name):
        kind = read_statement(note).kind
        if kind not in {Kind.RECEIPT, Kind.WITHDRAWAL, Kind.REGISTRATION}:
            raise NotAPackage("is a statement that is checked within its package or its print")
        report.passed(f"a {kind}")
        return kind
    return None


def _beside(path: Path) -> tuple[Path, ...]:
    return path.with_suffix(".evidence"), path.with_name(f"{path.name}.evidence"), path.with_name("receipt.evidence")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _read(path: Path, limit: int) -> bytes:
    """At most one byte more than the limit: whoever decodes it then refuses it."""
    with path.open("rb") as file:
        return file.read(limit + 1)
