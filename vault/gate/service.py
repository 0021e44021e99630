# SPDX-License-Identifier: EUPL-1.2
"""The gate's acts: it makes cards, accepts policies and closings, signs openings, and releases its shares.

Rules
  1. It gets bytes and checks them from what it accepted before; nothing is taken from the vault's word.
  2. Epochs of a policy only rise; a box has one main closing, ever; a decision has one closing, ever.
  3. Its shares go out only for a signed opening, with k valid contributions of distinct persons, when its own
     clock and a quorum of time authorities say that `not_before` has passed.
  4. The same question again gets the same answer, byte for byte.
  5. A refusal is a `CryptoError`; nothing is written then, and the caller journals `gate.refused`.

Left to others: where tokens come from (vault.authorities), the order of acts (journeys), journaling (the caller).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine

from crypto.certificates import Anchor
from crypto.merkle import Event
from crypto.policy import Card, Policy
from crypto.statement import Statement
from vault.gate.keys import GateKeys
from vault.rows import Stamp
from vault.work import Clock


@dataclass(frozen=True)
class Gate:
    """The built-in gate of a deployment."""

    engine: Engine = field(repr=False)
    clock: Clock
    keys: GateKeys
    anchors: tuple[Anchor, ...]
    name: str = "gate"
    organisation: str = "bidvault"

    def make_card(self, procedure: UUID) -> Card:
        """Draw the procedure's seed (once) and give the card of its keys."""
        raise NotImplementedError

    def rehearse(self, policy: Policy, canary: bytes) -> Statement:
        """Open the gate's slot of a canary and sign what it held: a rehearsal. KindError for anything but a canary."""
        raise NotImplementedError

    def accept_policy(self, note: bytes) -> Statement:
        """Store a policy that its holders signed, and sign it; PolicyError when it may not follow the stored one."""
        raise NotImplementedError

    def accept_closing(
        self, note: bytes, entries: bytes, tokens: Sequence[Stamp], *, decision: bytes | None = None
    ) -> None:
        """Store a box's closing with its list (C4). Tokens: C1's, over the policy's closing request."""
        raise NotImplementedError

    def require_not_rolled_back(self, events: Iterable[Event]) -> None:
        """Refuse everything from now on when the journal tells of acts that the gate does not remember (T52)."""
        raise NotImplementedError


HeaderReader = Callable[[int], bytes | None]
