# SPDX-License-Identifier: EUPL-1.2
"""A print: the PDF's seal under brought roots, and the signed statement it carries."""

from collections.abc import Mapping

from crypto.certificates import RevocationEvidence
from crypto.closing_rules import ClosedBox, PolicyChain, require_chain, require_closing
from crypto.closings import EnvelopeList
from crypto.deposit import DepositRecord, WithdrawalRecord
from crypto.encoding import Fields
from crypto.errors import KindError
from crypto.manifest import MAX_DOCUMENTS, MAX_MANIFEST, Document, manifest_items
from crypto.pades import MAX_PDF, VerifiedPdf, read_attachments, verify_pdf
from crypto.policy import Policy
from crypto.statement import Kind, Statement, parse_note, require_signers
from crypto.timestamp import judge_token
from retention.errors import ChangedPart, MissingPart, PackageError
from retention.verification.receipts import Shown, check_documents, check_notice, check_shown
from retention.verification.report import Report
from retention.verification.trust import Trust

STATEMENT = "statement.note"
EVIDENCE = "receipt.evidence"
LIST = "list.cbor"
DOCUMENTS = "documents.cbor"
TAG_KEY_SIZE = 32  # protocol 3.5
_KINDS = (Kind.RECEIPT, Kind.WITHDRAWAL, Kind.REGISTRATION, Kind.CLOSING, Kind.MINUTES)


def check_print(pdf: bytes, file: str, trust: Trust, report: Report) -> None:
    """Check a print alone: seal, token, statement, and what the statement stands on."""
    report.begin(f"The print: {file}")
    with report.judging(file):
        _check_seal(pdf, trust, report, file=file)
        carried = read_attachments(pdf)
        if STATEMENT not in carried:
            raise MissingPart(f"carries no {STATEMENT}")
        statement = read_statement(carried[STATEMENT])
        report.passed(f"carries a statement of kind {statement.kind}, {statement.id.hex()}")
        inside = f"{file}:{STATEMENT}"
        if statement.kind in {Kind.RECEIPT, Kind.WITHDRAWAL}:
            shown = Shown(statement.kind, carried[STATEMENT], carried.get(EVIDENCE, b""), inside)
            checked = check_shown(shown, trust, report)
            if checked is not None and DOCUMENTS in carried:
                _check_documents(checked.record, carried[DOCUMENTS], report, file=f"{file}:{DOCUMENTS}")
        elif statement.kind is Kind.REGISTRATION:
            check_notice(carried[STATEMENT], inside, trust, report)
        else:
            _check_ceremony(statement, carried, trust, report, file=inside)


def check_carried(pdf: bytes, note: bytes, trust: Trust, report: Report, *, file: str) -> None:
    """Check a print of a package: its seal, and that it carries exactly the statement beside it."""
    with report.judging(file):
        if read_attachments(pdf).get(STATEMENT) != note:
            raise ChangedPart("carries another statement than the one beside it")
        _check_seal(pdf, trust, report, file=file)


def read_statement(note: bytes) -> Statement:
    """A statement of one of the kinds that are printed; KindError for others."""
    first = note.partition(b"\n")[0].decode(errors="replace")
    for kind in _KINDS:
        if first == f"bidvault/{kind}/v1":
            return parse_note(note, kind)
    raise KindError("not a statement that is checked alone")


def _check_documents(record: DepositRecord | WithdrawalRecord, data: bytes, report: Report, *, file: str) -> None:
    """The list that the print shows, `{1 tag key, 2 [[path, size, sha256]…]}`, against the receipt."""
    with report.judging(file):
        fields = Fields.decode(data, limit=MAX_MANIFEST, mandatory=(1, 2), items=manifest_items(data))
        documents = [Document.from_cbor(one) for one in fields.array(2, least=1, most=MAX_DOCUMENTS)]
        check_documents(record, fields.bstr(1, size=TAG_KEY_SIZE), documents, report, file=file)


def _check_seal(pdf: bytes, trust: Trust, report: Report, *, file: str) -> VerifiedPdf:
    if len(pdf) > MAX_PDF:
        raise PackageError("is larger than any print")
    verified = verify_pdf(pdf, seal_anchors=trust.anchors, time_anchors=trust.anchors)
    at = verified.signed_at
    report.passed(f"{file} is sealed by {verified.signer}, {verified.level}, at {at.at.isoformat()} by {at.authority}")
    return verified


def _check_ceremony(
    statement: Statement, carried: Mapping[str, bytes], trust: Trust, report: Report, *, file: str
) -> None:
    """A closing or minutes: under the policies the print carries."""
    report.begin(f"The {statement.kind}: {file}")
    with report.judging(file):
        chain = _chain(carried)
        latest = chain.latest
        report.passed(f"{len(chain.policies)} policies in force; the last is {latest.hash.hex()}")
        require_signers(statement, [latest.vault_verifier], 1)
        trust.require_vault(latest, report, file=file)
        if statement.kind is Kind.CLOSING:
            if LIST not in carried:
                raise MissingPart(f"carries no {LIST}")
            closed = require_closing(ClosedBox(statement, EnvelopeList.decode(carried[LIST])), chain)
            report.passed(f"box {closed.box.number}: {len(closed.envelopes)} envelopes listed")
            _check_tokens(statement, carried, chain, trust=trust, report=report)
        report.passed("the print shows what was said, and by whom; what it was said of is proved by the package")


def _check_tokens(
    statement: Statement, carried: Mapping[str, bytes], chain: PolicyChain, *, trust: Trust, report: Report
) -> None:
    anchors = trust.time_anchors(chain.latest, (), report)
    number = 1
    while f"token-{number}.der" in carried:
        name = f"token-{number}.der"
        with report.judging(name):
            evidence = RevocationEvidence.decode(carried.get(f"token-{number}.evidence", b""))
            token = judge_token(carried[name], statement.id, anchors=anchors, evidence=evidence)
            report.passed(f"{token.authority} stamped the closing at {token.at.isoformat()}")
        number += 1


def _chain(carried: Mapping[str, bytes]) -> PolicyChain:
    notes: list[bytes] = []
    while f"policy-{len(notes)}.note" in carried:
        notes.append(carried[f"policy-{len(notes)}.note"])
    if not notes:
        raise MissingPart("carries no policy")
    statements = [parse_note(note, Kind.POLICY) for note in notes]
    return require_chain(statements, Policy.of(statements[-1]).hash)
