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

from crypto.certificates import Anchor, RevocationEvidence
from crypto.closings import Closing, Decision, EnvelopeList
from crypto.errors import FormatError, ListError, PolicyError, TimestampError
from crypto.policy import Policy, Role, require_amendment
from crypto.statement import Kind, Statement, parse_note, require_signers
from crypto.timestamp import TimeProof, VerifiedTimestamp, judge_token, prove_passed
from vault.rows import Stamp


def require_holders_signed(statement: Statement, policy: Policy) -> None:
    """Check the signatures of custodians and trustees: all that come before the gate's own.

    Raises:
        SignatureError: a signature is wrong, or too few have signed.
    """
    for group in policy.groups:
        if group.role is Role.GATE:
            continue
        if policy.epoch == 0:
            needed = len(group.cards)
        else:
            needed = group.signers_needed if group.role is Role.CUSTODIAN else 0
        require_signers(statement, [card.verifier for card in group.cards], needed)


def require_own_policy(policy: Policy, *, kid: bytes, anchors: Sequence[Anchor]) -> None:
    """Check that a policy is one this gate can serve; PolicyError."""
    if any(policy.groups[box.gates].card_of(kid) is None for box in policy.boxes):
        raise PolicyError("a box of this policy has another gate")
    known = {anchor.hash for anchor in anchors}
    if not known.issuperset(policy.time.anchors):
        raise PolicyError("the policy trusts a time authority that the gate does not know")


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


def require_passed(
    moment: datetime, tokens: Sequence[Stamp], *, over: bytes, policy: Policy, anchors: Sequence[Anchor]
) -> TimeProof:
    """A time proof for a moment over a digest (protocol 2.7); TimeProofError."""
    verified = judge_tokens(tokens, over=over, policy=policy, anchors=anchors)
    return prove_passed(moment, verified, over=over, quorum=policy.time.q)


def require_in_force_for(chain: Sequence[Policy], closing: Closing) -> Policy:
    """The policy that a closing names, if its rules for this box still stand in the newest epoch.

    An amendment of other boxes, made while this one is closing, does not undo its closing.

    Raises:
        PolicyError: not of the chain, or the box was moved since.
    """
    named = next((policy for policy in chain if policy.hash == closing.policy_hash), None)
    if named is None:
        raise PolicyError("the closing names a policy that is none of this procedure's")
    newest = chain[-1]
    if named.box(closing.box) != newest.box(closing.box) or named.settle != newest.settle:
        raise PolicyError(f"box {closing.box} was amended: the closing names an older policy")
    return named


def require_closing(statement: Statement, closing: Closing, listed: EnvelopeList, *, policy: Policy) -> EnvelopeList:
    """Check who signed a closing, and that its list gives its root.

    Raises:
        SignatureError: the vault did not sign it.
        PolicyError: it names another deadline.
        ListError: another list.
    """
    require_signers(statement, [policy.vault_verifier], 1)
    if closing.deadline != policy.box(closing.box).deadline:
        raise PolicyError("the closing names another deadline than the policy")
    if closing.count != len(listed) or closing.root != listed.root:
        raise ListError("the list does not give the closing's root")
    return listed


def require_decided(closing: Closing, listed: EnvelopeList, decision: bytes | None, *, chain: Sequence[Policy]) -> None:
    """Check that a supplementary closing stands on a decision of k custodians over exactly its list.

    Raises:
        ListError: no decision, another's, or one over another list.
        SignatureError: fewer than k custodians of the box signed it.
    """
    if closing.decision is None:
        if decision is not None:
            raise ListError("a main closing stands on no decision")
        return
    if decision is None:
        raise ListError("a supplementary closing needs its decision")
    statement = parse_note(decision, Kind.DECISION)
    decided = Decision.of(statement)
    policy = next((policy for policy in chain if policy.hash == decided.policy_hash), None)
    if policy is None or statement.id != closing.decision or decided.box != closing.box:
        raise ListError("the decision is not this closing's")
    if listed.entries != (decided.entry,):
        raise ListError("the decision admits another list")
    group = policy.groups[policy.box(decided.box).custodians]
    require_signers(statement, [card.verifier for card in group.cards], group.k)
