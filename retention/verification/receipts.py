# SPDX-License-Identifier: EUPL-1.2
"""A receipt, a withdrawal or a notice, checked with the file beside it and what the checker brings.

Rules
  1. All of crypto.receipt_evidence, under anchors that were brought; carried ones show only that things fit.
  2. The verdict is derived anew from record, token and deadline (protocol 4.3): one that its own token does not
     allow is false, whoever signed it. `review` is always allowed where neither of the others is certain.

Left to others: whether the envelope is in a closing's list (retention.verification.closings).
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter

from crypto.certificates import make_anchor
from crypto.deposit import DepositRecord, Registration, Verdict, WithdrawalRecord
from crypto.encoding import sha256
from crypto.errors import FormatError, ManifestError, StateError
from crypto.manifest import Document, documents_tag
from crypto.policy import Policy
from crypto.receipt_evidence import MAX_EVIDENCE_FILE, CheckedReceipt, ReceiptEvidence, check_receipt
from crypto.statement import Kind, parse_note, require_signers
from retention.verification.report import Report
from retention.verification.trust import Trust

PROMPT = timedelta(seconds=30)  # protocol 4.3, case 2
TOLERANCE = timedelta(seconds=1)  # protocol 4.3, case 3
MAX_FILE = MAX_EVIDENCE_FILE
WORDS = {Verdict.IN_TIME: "in time", Verdict.LATE: "late", Verdict.REVIEW: "review"}


@dataclass(frozen=True)
class Shown:
    """A receipt or withdrawal as it is shown to us: its note, the file beside it, and what it is called."""

    kind: Kind
    note: bytes
    evidence: bytes
    file: str


def check_shown(shown: Shown, trust: Trust, report: Report) -> CheckedReceipt | None:
    """Check a receipt or withdrawal alone; None when it is broken."""
    report.begin(f"The {shown.kind}: {shown.file}")
    with report.judging(f"{shown.file} or the evidence beside it"):
        evidence = ReceiptEvidence.decode(shown.evidence)
        carried = tuple(make_anchor(der) for der in evidence.anchors)
        policy = Policy.of(parse_note(evidence.policies[-1], Kind.POLICY))
        anchors = trust.time_anchors(policy, carried, report)
        checked = check_receipt(shown.note, evidence, kind=shown.kind, anchors=anchors)
        require_allowed(checked)
        trust.require_vault(checked.judged_by, report, file=shown.file)
        _tell(checked, report)
        return checked
    return None


def require_allowed(checked: CheckedReceipt) -> None:
    """StateError when a verdict is not one that its own token allows (rule 2)."""
    box = checked.judged_by.box(checked.record.box)
    token = min(checked.tokens, key=lambda one: one.at)
    last = checked.record.last_byte_at
    in_time = token.latest <= box.deadline or (last <= box.deadline and token.at - last <= PROMPT)
    late = last > box.deadline + TOLERANCE and token.earliest > box.deadline
    allowed = {Verdict.IN_TIME: in_time, Verdict.LATE: late and not in_time, Verdict.REVIEW: not late}
    if not allowed[checked.ruling.verdict]:
        raise StateError(f"its token does not allow the verdict {WORDS[checked.ruling.verdict]}")


def check_notice(note: bytes, file: str, trust: Trust, report: Report) -> None:
    """A registration notice: it proves a registration by its signature alone, and is followed by a receipt."""
    report.begin(f"The registration notice: {file}")
    with report.judging(file):
        statement = parse_note(note, Kind.REGISTRATION)
        said = Registration.decode(statement.payload)
        report.passed(f"envelope {_uuid(said.record.envelope_id)} was registered at {said.at.isoformat()}")
        if trust.keys:
            require_signers(statement, trust.keys, 1)
            report.passed("signed by a vault you trust")
        else:
            report.missing("", "the trust directory does not hold the vault's key for statements")
        report.missing(file, "a notice has no time token; the receipt that follows it has: ask the vault for it")


def check_documents(
    record: DepositRecord | WithdrawalRecord, key: bytes, documents: Sequence[Document], report: Report, *, file: str
) -> None:
    """Check that a record is about exactly these documents, whose list its holder kept (protocol 3.5)."""
    with report.judging(file):
        expected = record.documents_tag if isinstance(record, DepositRecord) else None
        if expected is None or not hmac.compare_digest(documents_tag(key, documents), expected):
            raise ManifestError("is not the list of the documents that were received")
        report.passed(f"the receipt is about exactly the {len(documents)} documents of {file}")


class _Listed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    path: str
    size: int
    sha256: str


def read_documents(data: bytes) -> list[Document]:
    """A list of documents as a depositor keeps it: `[{path, size, sha256}…]`; FormatError."""
    try:
        listed = TypeAdapter(list[_Listed]).validate_json(data)
        return [Document(one.path, one.size, bytes.fromhex(one.sha256)) for one in listed]
    except ValueError as error:
        raise FormatError("not a list of documents") from error


def read_secret(data: bytes) -> bytes:
    """A deposit secret as its depositor keeps it, base64url; FormatError."""
    try:
        text = data.decode("ascii").strip()
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise FormatError("not a deposit secret") from error


def _tell(checked: CheckedReceipt, report: Report) -> None:
    record, ruling, policy = checked.record, checked.ruling, checked.judged_by
    report.passed(f"{len(policy_epochs(checked))} policies in force, each following the one before it")
    report.passed(f"signed by the vault of {policy.buyer}'s procedure {policy.reference}, policy {policy.hash.hex()}")
    for token in checked.tokens:
        report.passed(f"{token.authority} stamped the record at {token.at.isoformat()}")
    report.passed(f"verdict: {WORDS[ruling.verdict]}, as token and deadline have it")
    if isinstance(record, DepositRecord):
        report.passed(f"envelope {_uuid(record.envelope_id)}, {record.length} bytes, SHA-256 {record.file_hash.hex()}")
    elif isinstance(record, WithdrawalRecord):
        report.passed(f"envelope {_uuid(record.envelope_id)} withdrawn")
    if ruling.level == 0:
        report.passed("the receipt is of a test deployment, and promises no secrecy")


def policy_epochs(checked: CheckedReceipt) -> range:
    """The epochs a receipt's chain has."""
    return range(checked.judged_by.epoch + 1)


def record_id(record: DepositRecord | WithdrawalRecord) -> bytes:
    """H(record): what its journal entry names."""
    return sha256(record.encode())


def _uuid(envelope_id: bytes) -> str:
    return str(UUID(bytes=envelope_id))
