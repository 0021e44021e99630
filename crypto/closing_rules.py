# SPDX-License-Identifier: EUPL-1.2
"""What makes a chain of policies and a box's closings valid: the first half of protocol 4.6.

Rules
  1. The policies are one chain from epoch 0 that holds the pinned hash; each is in force, each follows lawfully.
  2. A closing is signed by the vault, of the policy in force for its box, and its list gives its root.
  3. A box has one main closing, ever.
  4. A supplementary closing comes after the main one, with a decision of at least k custodians over exactly its
     one entry, and a decision has one closing, ever.

Left to others: openings (crypto.opening_rules), keeping memories (vault.gate, the custodian's tool).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crypto.ceremony import Closing, Decision, EnvelopeList
from crypto.deposit import DepositRecord
from crypto.errors import ListError, PolicyError
from crypto.policy import Box, Policy, require_amendment, require_in_force
from crypto.statement import Statement, require_signers
from crypto.timestamp import VerifiedTimestamp

MAX_EPOCHS = 256


@dataclass(frozen=True)
class Memory:
    """What one holder remembers of one procedure.

    Attributes:
        pinned: hash of the policy it signed last.
        main_closings: by box number, the id of the one main closing it accepted.
        decided: by decision id, the id of the one supplementary closing it accepted.
    """

    pinned: bytes
    main_closings: Mapping[int, bytes] = field(default_factory=dict)
    decided: Mapping[bytes, bytes] = field(default_factory=dict)

    def with_closing(self, closing: Closing, closing_id: bytes) -> "Memory":
        """The memory after this closing was accepted.

        Raises:
            ListError: the box has another main closing, or the decision another closing.
        """
        if closing.decision is None:
            if self.main_closings.get(closing.box, closing_id) != closing_id:
                raise ListError(f"box {closing.box} has another main closing")
            return replace(self, main_closings={**self.main_closings, closing.box: closing_id})
        if self.decided.get(closing.decision, closing_id) != closing_id:
            raise ListError("this decision has another closing")
        return replace(self, decided={**self.decided, closing.decision: closing_id})


@dataclass(frozen=True)
class PolicyChain:
    """Policies from epoch 0 to the latest; made by `require_chain`."""

    policies: tuple[Policy, ...]

    @property
    def latest(self) -> Policy:
        """The policy of the last epoch."""
        return self.policies[-1]

    def by_hash(self, policy_hash: bytes) -> Policy:
        """The policy of that hash; PolicyError when it is not in the chain."""
        for policy in self.policies:
            if policy.hash == policy_hash:
                return policy
        raise PolicyError("a policy outside the chain")

    def in_force_for(self, policy_hash: bytes, number: int) -> tuple[Policy, Box]:
        """That policy and one of its boxes, if no later policy of the chain changed the box; PolicyError."""
        policy = self.by_hash(policy_hash)
        box = policy.box(number)
        if any(later.box(number) != box for later in self.policies[policy.epoch + 1 :]):
            raise PolicyError(f"box {number} was closed under a policy that an amendment had replaced")
        return policy, box


@dataclass(frozen=True)
class ClosedBox:
    """One closing with what proves it: its list, verified tokens over its id, the decision it stands on if any."""

    statement: Statement
    envelopes: EnvelopeList
    tokens: tuple[VerifiedTimestamp, ...] = ()
    decision: Statement | None = None


@dataclass(frozen=True)
class CheckedClosing:
    """A closing that passed `require_closing`, with its policy and box."""

    id: bytes
    closing: Closing
    policy: Policy
    box: Box
    envelopes: EnvelopeList


def require_chain(statements: Sequence[Statement], pinned: bytes) -> PolicyChain:
    """Check policies of one procedure, oldest first, against the pinned hash (rule 1).

    Raises:
        PolicyError: not one chain from epoch 0, or the pinned policy is not in it: an older epoch, or another policy.
        SignatureError: one is not in force.
    """
    if not 0 < len(statements) <= MAX_EPOCHS:
        raise PolicyError("no policy, or more than there can be")
    policies = tuple(Policy.of(statement) for statement in statements)
    if pinned not in {policy.hash for policy in policies}:
        raise PolicyError("the pinned policy is not in the chain")
    if policies[0].epoch != 0:
        raise PolicyError("the chain does not begin at epoch 0")
    for previous, following in itertools.pairwise(policies):
        require_amendment(previous, following)
    for statement in statements:
        require_in_force(statement)
    return PolicyChain(policies)


def require_closing(closed: ClosedBox, chain: PolicyChain) -> CheckedClosing:
    """Check one closing and its list; not yet whether it is the only one (rule 2).

    Raises:
        PolicyError: not the policy in force for its box.
        SignatureError: not signed by the vault.
        ListError: the list does not give the root.
    """
    closing, policy, box = require_closing_signed(closed.statement, chain)
    if (len(closed.envelopes), closed.envelopes.root) != (closing.count, closing.root):
        raise ListError(f"the list of box {box.number} is not the one that was closed")
    return CheckedClosing(closed.statement.id, closing, policy, box, closed.envelopes)


def require_closing_signed(statement: Statement, chain: PolicyChain) -> tuple[Closing, Policy, Box]:
    """Check a closing without its list: signature, policy, deadline; PolicyError, SignatureError, KindError."""
    closing = Closing.of(statement)
    policy, box = chain.in_force_for(closing.policy_hash, closing.box)
    require_signers(statement, [policy.vault_verifier], 1)
    if closing.deadline != box.deadline:
        raise PolicyError(f"box {box.number} was closed for another deadline")
    return closing, policy, box


def require_main(closed: CheckedClosing, memory: Memory) -> Memory:
    """Check that a main closing is the only one ever of its box (rule 3).

    Raises:
        ListError: the holder remembers another, or it is a supplementary one.
    """
    if closed.closing.decision is not None:
        raise ListError("a supplementary closing is no main closing")
    return memory.with_closing(closed.closing, closed.id)


def require_supplementary(
    closed: CheckedClosing, decision: Statement | None, *, chain: PolicyChain, memory: Memory, main: Closing | None
) -> Memory:
    """Check a supplementary closing (rule 4).

    Args:
        closed: the supplementary closing.
        decision: the custodians' decision it names.
        chain: the policies.
        memory: the holder's; it has to know the box's main closing.
        main: that main closing itself where it is at hand, to compare times.

    Raises:
        ListError: no main closing before it, no or another decision, another list, or a second closing of it.
        SignatureError: fewer than k custodians signed the decision.
    """
    if closed.box.number not in memory.main_closings or (main is not None and closed.closing.at < main.at):
        raise ListError(f"box {closed.box.number} has no main closing before this one")
    if decision is None or decision.id != closed.closing.decision:
        raise ListError("a supplementary closing without its decision")
    decided = require_decision(decision, chain)
    if decided.box != closed.box.number or closed.envelopes.entries != (decided.entry,):
        raise ListError("the decision is over another envelope")
    return memory.with_closing(closed.closing, closed.id)


def require_decision(statement: Statement, chain: PolicyChain) -> Decision:
    """Check that at least k custodians of its box took a decision.

    Raises:
        PolicyError: under a policy outside the chain.
        SignatureError: fewer than k custodians signed.
    """
    decision = Decision.of(statement)
    policy = chain.by_hash(decision.policy_hash)
    group = policy.groups[policy.box(decision.box).custodians]
    require_signers(statement, [card.verifier for card in group.cards], group.k)
    return decision


def require_listed(record: DepositRecord, envelopes: EnvelopeList) -> int:
    """Find a receipt's envelope in a closed list; what a depositor checks offline.

    Returns:
        Its index in the list.

    Raises:
        ListError: it was dropped, or closed with other bytes.
    """
    for index, entry in enumerate(envelopes.entries):
        if entry.envelope_id == record.envelope_id:
            if (entry.header_hash, entry.file_hash, entry.length) != (
                record.header_hash,
                record.file_hash,
                record.length,
            ):
                raise ListError("the envelope was closed with other bytes than it was received with")
            return index
    raise ListError("the envelope is not in the list")
