# SPDX-License-Identifier: EUPL-1.2
"""What the gate checks before it writes a row: pure, from bytes and from what it accepted before.

Rules
  1. A policy counts once its holders signed: at epoch 0 every one, later enough of each custodian group.
  2. The gate serves only policies that name its own card and authorities whose roots it was given itself.
  3. A token that fails a check proves nothing; too few good ones is a refusal.

Left to others: the checks shared with the custodian's tool (crypto.opening_rules), rows (vault.gate.service).
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from crypto.ceremony import Opening
from crypto.certificates import Anchor, RevocationEvidence
from crypto.closing_rules import (
    CheckedClosing,
    ClosedBox,
    Memory,
    PolicyChain,
    require_closing,
    require_main,
    require_supplementary,
)
from crypto.errors import FormatError, ListError, PolicyError, StateError, TimestampError
from crypto.policy import Card, Group, Policy, Role, require_amendment, require_lasting
from crypto.statement import Kind, Statement, parse_note, require_signers
from crypto.timestamp import VerifiedTimestamp, judge_token
from vault.gate.models import SignedOpening
from vault.rows import Stamp


def require_holders_signed(statement: Statement, policy: Policy) -> None:
    """Check the signatures of custodians and trustees: all that come before the gate's own.

    Raises:
        SignatureError: a signature is wrong, or too few have signed.
    """
    for group in policy.groups:
        if group.role is Role.GATE:
            continue
        amending = group.signers_needed if group.role is Role.CUSTODIAN else 0
        needed = len(group.cards) if policy.epoch == 0 else amending
        require_signers(statement, [card.verifier for card in group.cards], needed)


def require_own_policy(policy: Policy, *, kid: bytes, anchors: Sequence[Anchor]) -> None:
    """Check that a policy is one this gate can serve; PolicyError."""
    if any(policy.groups[box.gates].card_of(kid) is None for box in policy.boxes):
        raise PolicyError("a box of this policy has another gate")
    known = {anchor.hash for anchor in anchors}
    if not known.issuperset(policy.time.anchors):
        raise PolicyError("the policy trusts a time authority that the gate does not know")
    require_lasting(policy)


def require_next(previous: Policy | None, policy: Policy, *, now: datetime, closed: Collection[int]) -> None:
    """Check that a policy may follow the one the gate stored last.

    Raises:
        PolicyError: an older epoch, a gap, a lowered value, a box already closing or past its deadline.
    """
    if previous is None:
        if policy.epoch != 0:
            raise PolicyError("the gate knows no earlier epoch of this policy")
        if any(box.deadline <= now for box in policy.boxes):
            raise PolicyError("a deadline has passed before the policy was published")
        return
    if policy.epoch <= previous.epoch:
        raise PolicyError(
            f"epoch {policy.epoch} is older than the stored epoch {previous.epoch}, or another with its number"
        )
    require_amendment(previous, policy, now=now, closing=closed)


def judge_tokens(
    tokens: Sequence[Stamp], *, over: bytes, policy: Policy, anchors: Sequence[Anchor]
) -> tuple[VerifiedTimestamp, ...]:
    """The tokens over a digest that pass every check, under the roots that the policy names."""
    named = [anchor for anchor in anchors if anchor.hash in policy.time.anchors]
    good: list[VerifiedTimestamp] = []
    for stamp in tokens:
        try:
            evidence = RevocationEvidence.decode(stamp.evidence)
            good.append(judge_token(stamp.token, over, anchors=named, evidence=evidence))
        except (TimestampError, FormatError):
            continue  # rule 3
    return tuple(good)


def require_accepted(chain: PolicyChain, closed: ClosedBox, *, memory: Memory) -> CheckedClosing:
    """Check a closing against the policies and closings that the gate accepted before.

    Raises:
        StateError: the box has its one main closing, or the decision its one closing; or there is no main one yet.
        PolicyError, SignatureError, ListError: as crypto.closing_rules.
    """
    checked = require_closing(closed, chain)
    closing = checked.closing
    if checked.policy.settle != chain.latest.settle:
        raise PolicyError("the closing names a policy with a shorter settle than the newest")
    if closing.decision is None:
        if closing.box in memory.main_closings:
            raise StateError(f"box {closing.box} has its one main closing already")  # T38
        if closed.decision is not None:
            raise ListError("a main closing stands on no decision")
        require_main(checked, memory)
        return checked
    if closing.decision in memory.decided:
        raise StateError("this decision has its one closing already")
    require_supplementary(checked, closed.decision, chain=chain, memory=memory, main=None)
    return checked


def require_same_list(accepted: bytes, shown: bytes) -> None:
    """ListError when a closing that was accepted is shown again with another list: silence would look like consent."""
    if accepted != shown:
        raise ListError("the closing was accepted with another list")


def require_known_closings(opening: Opening, memory: Memory) -> None:
    """StateError unless the gate accepted every closing of an opening itself (step C4)."""
    known = {*memory.main_closings.values(), *memory.decided.values()}
    if not known.issuperset(opening.closings):
        raise StateError("the opening is over a closing that the gate has not accepted")


def require_new_attempt(opening: Opening, earlier: Sequence[SignedOpening], *, released: Collection[bytes]) -> None:
    """Check that an opening may follow those signed over some of its closings.

    After a release a further attempt only restores what was lost: the same closings, nothing put in that was left out.

    Raises:
        StateError: its attempt is not a new one, or it opens other envelopes.
    """
    if any(row.attempt >= opening.attempt for row in earlier):
        raise StateError("a newer or equal attempt over these closings is signed already")
    for row in earlier:
        before = Opening.of(parse_note(row.note, Kind.OPENING))
        if row.id in released and (
            before.closings != opening.closings or not set(before.left_out).issubset(opening.left_out)
        ):
            raise StateError("a released opening may only be repeated over the same envelopes")


def own_card(group: Group, kid: bytes) -> Card:
    """The gate's card in its group; PolicyError."""
    card = group.card_of(kid)
    if card is None:
        raise PolicyError("the opening has another gate")
    return card
