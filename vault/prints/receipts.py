# SPDX-License-Identifier: EUPL-1.2
"""Prints of what a depositor gets: receipt, withdrawal, registration notice (protocol 3.6).

Rules
  1. The five mentions of the receipt come first: depositor, buyer, procedure, date and time, documents.
  2. Late and reviewed deposits get their receipt too, saying so at the top.
  3. No place in the journal is printed: places count the rivals before the closing.

Left to others: checking the receipt against its evidence (crypto.receipt_evidence).
"""

from collections.abc import Sequence
from datetime import datetime

from crypto.deposit import DepositRecord, Registration, Ruling, Verdict, WithdrawalRecord
from crypto.encoding import encode
from crypto.errors import KindError
from crypto.events import Event
from crypto.manifest import Document, tag_key
from crypto.policy_parts import Box
from crypto.receipt_evidence import CheckedReceipt, ReceiptEvidence, require_documents
from crypto.statement import Kind, Statement
from vault.lifecycle import Reason
from vault.prints.page import Attachment, Banner, Facts, Heading, Part, Value, Words
from vault.prints.parts import (
    BINARY_TYPE,
    Sheet,
    attested,
    buyer,
    certified,
    consultation,
    depositor,
    documents_listing,
    envelope_name,
    identifiers,
    in_force_for,
    policy_files,
    proved_part,
    secrecy_part,
    service_part,
    statement_file,
    test_banner,
    tokens_part,
)
from vault.prints.phrases import Phrases
from vault.prints.words import Language, fill, number

DOCUMENTS_FILE = "documents.cbor"  # {1 tag key, 2 [[path, size, sha256]…]}: lets anyone check the list printed
EVIDENCE_FILE = "receipt.evidence"
_REASONS = (  # in the order of `Phrases.reasons`
    Reason.STAMPED_BEFORE_DEADLINE,
    Reason.LAST_BYTE_BEFORE_DEADLINE,
    Reason.AFTER_DEADLINE,
    Reason.UNDECIDED,
)
_TONES = {Verdict.IN_TIME: "good", Verdict.LATE: "bad", Verdict.REVIEW: "warn"}


def print_receipt(
    checked: CheckedReceipt,
    evidence: ReceiptEvidence,
    *,
    documents: Sequence[Document],
    secret: bytes,
    language: Language,
) -> bytes:
    """The PDF of a receipt with its five legal mentions, not sealed yet.

    Args:
        checked: the receipt, checked against its evidence.
        evidence: the file beside it; attached.
        documents: the list its holder kept.
        secret: the deposit secret, which shows that the list is the receipt's.
        language: of the print.

    Raises:
        ManifestError: the receipt is not about these documents.
        KindError: it is a withdrawal.
    """
    record = _deposit(checked)
    require_documents(record, documents, secret=secret)
    sheet = Sheet(checked.statement, checked.policy, language)
    words, issued = sheet.words, checked.ruling.committed_at
    attachments = (
        statement_file(checked.statement, words),
        _documents_file(record, documents, secret, words),
        Attachment(EVIDENCE_FILE, BINARY_TYPE, evidence.encode(), words.file_evidence),
    )
    return sheet.set(
        words.receipt, at=issued, parts=_receipt_parts(sheet, checked, record, documents), attachments=attachments
    )


def _receipt_parts(
    sheet: Sheet, checked: CheckedReceipt, record: DepositRecord, documents: Sequence[Document]
) -> tuple[Part, ...]:
    words, ruling, policy = sheet.words, checked.ruling, checked.judged_by
    box = policy.box(record.box)
    heads = (words.in_time, words.late, words.review)
    proofs = (
        attested(words.proved_reception, policy, ruling.service.name),
        *certified(checked.tokens, words),
        fill(words.proved_list),
    )
    return (
        *test_banner(ruling.level, words),
        _verdict(heads[ruling.verdict - 1], ruling, words),
        *_mentions(sheet, record, box=box, documents=documents, issued=ruling.committed_at),
        *tokens_part(checked.tokens, words),
        *secrecy_part(policy, box, level=ruling.level, since=ruling.committed_at, words=words),
        *proved_part(proofs, words),
        *_identifiers(sheet, record, ruling.event),
        *service_part(ruling.service, words),
    )


def print_withdrawal(checked: CheckedReceipt, evidence: ReceiptEvidence, *, language: Language) -> bytes:
    """The PDF of a withdrawal, not sealed yet.

    Raises:
        KindError: it is the receipt of a deposit.
    """
    record, ruling = checked.record, checked.ruling
    if not isinstance(record, WithdrawalRecord):
        raise KindError("a receipt is not printed as a withdrawal")
    sheet = Sheet(checked.statement, checked.policy, language)
    words = sheet.words
    attachments = (
        statement_file(checked.statement, words),
        Attachment(EVIDENCE_FILE, BINARY_TYPE, evidence.encode(), words.file_evidence),
    )
    parts = _withdrawal_parts(sheet, checked, record)
    return sheet.set(words.withdrawal, at=ruling.committed_at, parts=parts, attachments=attachments)


def _withdrawal_parts(sheet: Sheet, checked: CheckedReceipt, record: WithdrawalRecord) -> tuple[Part, ...]:
    words, ruling, box = sheet.words, checked.ruling, checked.judged_by.box(record.box)
    heads = (words.withdrawn, words.withdrawn_late, words.withdrawn_review)
    facts = Facts(
        (
            (words.depositor, depositor(record.bidder)),
            (words.buyer, buyer(checked.policy)),
            (words.consultation, consultation(checked.policy, [box], words)),
            (words.withdrawn_at, sheet.moment(record.last_byte_at, kind="strong")),
            (words.deadline, sheet.moment(box.deadline)),
            (words.withdrawn_envelope, (Value(envelope_name(record.envelope_id), "code"),)),
        )
    )
    said = attested(words.proved_withdrawal, checked.judged_by, ruling.service.name)
    return (
        *test_banner(ruling.level, words),
        _verdict(heads[ruling.verdict - 1], ruling, words),
        Heading(words.mentions),
        facts,
        *tokens_part(checked.tokens, words),
        *proved_part((said, *certified(checked.tokens, words)), words),
        *_identifiers(sheet, record, ruling.event),
        *service_part(ruling.service, words),
    )


def print_registration(
    notice: Statement,
    policies: Sequence[bytes],
    *,
    documents: Sequence[Document],
    secret: bytes,
    language: Language,
) -> bytes:
    """The PDF of a registration notice, not sealed yet.

    Args:
        notice: the signed notice.
        policies: policy notes, epoch 0 first, the one its record names last; attached.
        documents: the list its holder kept.
        secret: the deposit secret.
        language: of the print.

    Raises:
        ManifestError: the notice is not about these documents.
        SignatureError, PolicyError: the notice is not the vault's, or not under this policy.
    """
    if notice.kind is not Kind.REGISTRATION:
        raise KindError("not a registration notice")
    said = Registration.decode(notice.payload)
    policy = in_force_for(notice, policies, said.record.policy_hash)
    require_documents(said.record, documents, secret=secret)
    sheet = Sheet(notice, policy, language)
    words = sheet.words
    attachments = (
        statement_file(notice, words),
        _documents_file(said.record, documents, secret, words),
        *policy_files(policies, words),
    )
    parts = _registration_parts(sheet, said, documents)
    return sheet.set(words.registration, at=said.at, parts=parts, attachments=attachments)


def _registration_parts(sheet: Sheet, said: Registration, documents: Sequence[Document]) -> tuple[Part, ...]:
    words, policy = sheet.words, sheet.policy
    proofs = (attested(words.proved_registration, policy, said.service.name), fill(words.proved_list))
    return (
        Banner("plain", words.registered[0], fill(words.registered[1])),
        *_mentions(sheet, said.record, box=policy.box(said.record.box), documents=documents),
        *proved_part(proofs, words),
        *_identifiers(sheet, said.record, said.event),
        *service_part(said.service, words),
    )


def _deposit(checked: CheckedReceipt) -> DepositRecord:
    if not isinstance(checked.record, DepositRecord):
        raise KindError("a withdrawal is not printed as a receipt")
    return checked.record


def _verdict(heads: tuple[str, str], ruling: Ruling, words: Phrases) -> Banner:
    """The verdict with the case that gave it."""
    head, body = heads
    because = words.reasons[_REASONS.index(Reason(ruling.reason))] if ruling.reason in _REASONS else ruling.reason
    return Banner(_TONES[ruling.verdict], head, f"{fill(body)} {fill(because)}")


def _mentions(
    sheet: Sheet, record: DepositRecord, *, box: Box, documents: Sequence[Document], issued: datetime | None = None
) -> tuple[Part, ...]:
    """The five mentions, and the list that the fifth asks for."""
    words = sheet.words
    total = number(sum(document.size for document in documents))
    line = fill(words.documents_line, count=number(len(documents)), total=total)
    return (
        Heading(words.mentions),
        Facts(
            (
                (words.depositor, depositor(record.bidder)),
                (words.buyer, buyer(sheet.policy)),
                (words.consultation, consultation(sheet.policy, [box], words)),
                (words.received, sheet.moment(record.last_byte_at, kind="strong")),
                (words.began, sheet.moment(record.first_byte_at)),
                (words.deadline, sheet.moment(box.deadline)),
                (words.issued, sheet.moment(issued) if issued else ()),
                (words.documents, (Value(line),)),
            )
        ),
        Heading(words.list_heading),
        *documents_listing(documents, words),
        Words(words.list_note, "small"),
    )


def _identifiers(sheet: Sheet, record: DepositRecord | WithdrawalRecord, event: Event) -> tuple[Part, ...]:
    """What names the envelope, the record and the statement; no place in the journal."""
    words = sheet.words
    rows = [
        (words.envelope_id, Value(envelope_name(record.envelope_id), "code")),
        (words.statement, Value(sheet.statement.id.hex(), "code")),
        (words.record_imprint, Value(record.imprint.hex(), "code")),
    ]
    if isinstance(record, DepositRecord):
        rows.append((words.sealed_file, Value(record.file_hash.hex(), "code")))
        rows.append((words.sealed_size, Value(f"{number(record.length)} {words.bytes_word}")))
    rows.append((words.policy, Value(record.policy_hash.hex(), "code")))
    rows.append((words.signed_by, Value(sheet.policy.vault_verifier.vkey, "code")))
    rows.append((words.journal_event, Value(event.kind.value, "code")))
    return identifiers(rows, words)


def _documents_file(record: DepositRecord, documents: Sequence[Document], secret: bytes, words: Phrases) -> Attachment:
    rows = [document.to_cbor() for document in documents]
    data = encode({1: tag_key(secret, record.envelope_id), 2: rows})
    return Attachment(DOCUMENTS_FILE, BINARY_TYPE, data, words.list_heading)
