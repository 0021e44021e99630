# SPDX-License-Identifier: EUPL-1.2
"""Withdrawal: a depositor takes an envelope back, and with it the earlier ones of that bidder in the box (step W)."""

from uuid import UUID

from vault.envelopes import Depositor
from vault.receiving import Acknowledgement
from vault.work import Works


def withdraw(works: Works, depositor: Depositor, envelope_id: UUID, *, procedure: UUID, lot: str) -> Acknowledgement:
    """Withdraw one envelope; effective only when in time."""
    raise NotImplementedError
