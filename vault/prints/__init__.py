# SPDX-License-Identifier: EUPL-1.2
"""Prints: the PDF for people of a receipt, a closing's list, an opening's minutes, in French or English.

Rules
  1. A print says what its signed statement says, and carries it: statement, policy, tokens and lists are attached.
  2. Names of documents are printed only after they were checked against what the statement holds of them.
  3. Words of bidders and buyers pass as data; nothing of theirs is ever markup.
  4. The same input gives the same bytes; dates come from the statement. The seal comes after (PrintSeal).
  5. Declared PDF/A-3b and PDF/UA-1; nothing is written to a disk.

Left to others: judging receipts and tokens (crypto.receipt_evidence, crypto.timestamp), keeping prints.
"""

from vault.prints.closings import ClosedBox, print_closing
from vault.prints.minutes import MinutedOpening, OpenedEnvelope, print_minutes
from vault.prints.receipts import print_receipt, print_registration, print_withdrawal
from vault.prints.seal import PrintSeal, SealAuthorities
from vault.prints.words import Language

__all__ = [
    "ClosedBox",
    "Language",
    "MinutedOpening",
    "OpenedEnvelope",
    "PrintSeal",
    "SealAuthorities",
    "print_closing",
    "print_minutes",
    "print_receipt",
    "print_registration",
    "print_withdrawal",
]
