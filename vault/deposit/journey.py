# SPDX-License-Identifier: EUPL-1.2
"""The deposit, steps D0 to D5 of protocol §5."""

from vault.deposit.announcement import Body, DepositRequest
from vault.receiving import Acknowledgement
from vault.work import Works


def deposit(works: Works, request: DepositRequest, body: Body) -> Acknowledgement:
    """Receive, seal, store, stamp and acknowledge one envelope."""
    raise NotImplementedError
