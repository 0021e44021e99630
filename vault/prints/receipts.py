# SPDX-License-Identifier: EUPL-1.2
"""Prints of what a depositor gets: receipt, withdrawal, registration notice (protocol 3.6)."""

from collections.abc import Sequence

from crypto.manifest import Document
from crypto.receipt_evidence import CheckedReceipt, ReceiptEvidence
from crypto.statement import Statement
from vault.prints.words import Language


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
    """
    raise NotImplementedError


def print_withdrawal(checked: CheckedReceipt, evidence: ReceiptEvidence, *, language: Language) -> bytes:
    """The PDF of a withdrawal, not sealed yet."""
    raise NotImplementedError


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
    raise NotImplementedError
