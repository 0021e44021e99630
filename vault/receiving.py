# SPDX-License-Identifier: EUPL-1.2
"""Receiving: steps D4 and D5 of one deposit whose bytes are stored, at once or later.

Rules
  1. The token is asked for outside any transaction; nothing is held while waiting for it.
  2. Without a token the deposit is kept as `received`, with its time, and its depositor has the notice (D4).
  3. The verdict falls under the box's lock, after its state was read anew; it is written once (D5).
  4. What was signed once is signed again byte for byte: the payload is stored, Ed25519 is deterministic.

Left to others: the bytes (vault.deposit), when to try again (vault.sweep, vault.closing).
"""

from dataclasses import dataclass, field
from uuid import UUID

from crypto.statement import Kind
from vault.lifecycle import EnvelopeState
from vault.work import Works


@dataclass(frozen=True)
class Acknowledgement:
    """What a depositor gets: a receipt, a registration notice or a withdrawal, signed, and what proves it.

    Attributes:
        note: the signed statement.
        evidence: the evidence file that belongs beside a receipt or withdrawal; empty beside a notice.
    """

    kind: Kind
    state: EnvelopeState
    note: bytes = field(repr=False)
    evidence: bytes = field(default=b"", repr=False)


def settle(works: Works, box_id: int) -> int:
    """Steps D4 and D5 for every received deposit of one box (C1); tells how many still wait for a token."""
    raise NotImplementedError


def settle_one(works: Works, envelope_id: UUID, *, procedure: UUID) -> Acknowledgement:
    """Steps D4 and D5 for one received deposit; what it has already is given again."""
    raise NotImplementedError
