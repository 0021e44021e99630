# SPDX-License-Identifier: EUPL-1.2
"""What a custodian does, from bytes to signed bytes: every check of the tool is made here.

Rules
  1. A rehearsal opens only a canary, under exactly the policy being signed; a contribution only bids (protocol 4.1).
  2. The policy is pinned when it is signed; what comes later is checked against the pin, whatever the vault says.
  3. Before a slot of a bid is touched all of protocol 4.6 holds by this tool's own clock, and is remembered.
  4. Authorities whose owner the tool does not know need the person's word (`accepted`), and so do too few owners.

Left to others: files, people, network (commands). Imports crypto only: it works offline, in thirty years too.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from api.cli.custodian.memory import Pins
from crypto.bundle import BundleReader
from crypto.ceremony import Rehearsal
from crypto.closing_rules import Memory, require_chain
from crypto.closings import Decision
from crypto.contribution import Holder, MadeContribution, contribute
from crypto.errors import PolicyError
from crypto.header import EnvelopeKind
from crypto.keys.file import MasterKey
from crypto.opening_rules import require_canary, require_due
from crypto.policy import Card, Policy, Role, holder_name, require_amendment, require_confirmed, require_lasting
from crypto.reader import bytes_reader, read_head
from crypto.slots import open_slot
from crypto.statement import Kind, Statement, parse_note, parse_text

# Owners of the authorities' roots, by H(SPKI). Add a root here once its owner was established by another way.
KNOWN_ANCHORS = {
    bytes.fromhex("cc5061b8f09d5533d10a6d9a1b0ed00acdf921039e2b5773165e01a04b2bb29b"): "Authority A (test only)",
    bytes.fromhex("eb88515d4b754ac44954e982f4620b66f09ab8ae4431dbf6a3a5efef57a8921b"): "Authority B (test only)",
}


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal gives: the signed policy, and one rehearsal for each canary of this key."""

    policy: Policy
    signed: Statement
    rehearsals: tuple[Statement, ...]


def read_policy(data: bytes) -> Statement:
    """A policy as the vault gives it: signed by some, or by nobody yet."""
    return _read(data, Kind.POLICY)


def holder_of(master: MasterKey, policy: Policy) -> Holder:
    """This key as a holder of the policy; PolicyError when no card is its."""
    card = policy.card_of(master.kid)
    if card is None or card.role is not Role.CUSTODIAN:
        raise PolicyError("the policy names no card of this key")
    return Holder(card, master.kem, master.signer(holder_name(Role.CUSTODIAN, master.kid)))


def owners(policy: Policy, *, accepted: Collection[bytes] = ()) -> dict[bytes, str]:
    """Who stands behind the policy's time authorities.

    Raises:
        PolicyError: an owner is unknown and not accepted, or fewer owners than must agree.
    """
    named = {}
    for anchor in policy.time.anchors:
        owner = KNOWN_ANCHORS.get(anchor) or ("accepted by you" if anchor in accepted else None)
        if owner is None:
            raise PolicyError(
                f"the owner of the time authority {anchor.hex()} is unknown: establish it by another way, "
                f"then give --accept-anchor {anchor.hex()}"
            )
        named[anchor] = f"{owner} {anchor.hex()[:8]}" if owner == "accepted by you" else owner
    if len(set(named.values())) < policy.time.q:
        raise PolicyError("fewer owners of time authorities than must agree")
    return named


def rehearse(policy_data: bytes, canaries: Iterable[bytes], *, master: MasterKey, pins: Pins) -> Rehearsed:
    """Open every canary of this key, sign what it held and the policy, and pin the policy.

    Raises:
        PolicyError: another policy of this procedure is pinned, or the policy names no card of this key.
        KindError: a bid is presented as a canary (T60).
        HoldersError, ShareError, UnopenedError: a slot is not what it should be: the key cannot be relied on.
    """
    statement = read_policy(policy_data)
    policy = Policy.of(statement)
    if policy.epoch != 0:
        raise PolicyError("this is an amendment: use `bidvault custodian sign`")
    require_lasting(policy)
    holder = holder_of(master, policy)
    memory = pins.read(policy.procedure)
    if memory is not None and memory.pinned != policy.hash:
        raise PolicyError("another policy of this procedure is pinned already: ask the buyer why there are two")
    rehearsals = tuple(_rehearse_one(canary, policy, holder) for canary in canaries)
    if not rehearsals:
        raise PolicyError("no canary is for this key")
    pins.write(policy.procedure, memory or Memory(pinned=policy.hash))
    return Rehearsed(policy, Statement(Kind.POLICY, statement.payload).signed_by(holder.signer), rehearsals)


def canaries_for(policy: Policy, kid: bytes, canaries: Iterable[bytes]) -> list[bytes]:
    """Those canaries that have a slot of this key."""
    mine = []
    for canary in canaries:
        header = require_canary(read_head(bytes_reader(canary)).header.framed, policy)
        if any(slot.kid == kid for group in header.groups for slot in group.slots):
            mine.append(canary)
    return mine


def sign_amendment(
    policies: Iterable[bytes], amendment: bytes, *, master: MasterKey, pins: Pins, now: datetime
) -> Statement:
    """Sign a later epoch and pin it; the older one is refused from then on (protocol 3.3).

    Args:
        policies: the signed policies in force so far, from epoch 0.
        amendment: the new epoch, as far as it is signed.

    Raises:
        PolicyError: not one chain to what is pinned; something is lowered; a box is past its deadline by this clock.
    """
    statements = [parse_note(one, Kind.POLICY) for one in policies]
    following = read_policy(amendment)
    policy = Policy.of(following)
    memory = pins.require(policy.procedure)
    chain = require_chain(statements, memory.pinned)
    require_amendment(chain.latest, policy, now=now, closing=memory.main_closings.keys())
    require_lasting(policy)
    signed = Statement(Kind.POLICY, following.payload).signed_by(holder_of(master, policy).signer)
    pins.write(policy.procedure, Memory(policy.hash, memory.main_closings, memory.decided), replaced=memory.pinned)
    return signed


def confirm(procedure: bytes, printed: bytes, *, pins: Pins) -> None:
    """Compare the hash printed in the notice with the pinned one (protocol 4.1).

    An amendment that was signed here and never came into force is given up by this alone: the printed notice still
    names the policy pinned before it, which is pinned again. Nothing that the vault says can do that.

    Raises:
        PolicyError: the notice names a policy that was never pinned here: fraud.
    """
    memory = pins.require(procedure)
    if printed != memory.pinned and printed == pins.replaced(procedure):
        pins.write(procedure, Memory(printed, memory.main_closings, memory.decided))
        return
    require_confirmed(memory.pinned, printed)


def contribute_to(stream: BinaryIO, *, master: MasterKey, pins: Pins, now: datetime) -> MadeContribution:
    """Make every check of protocol 4.6 over a bundle, then this key's contribution.

    Raises:
        CryptoError: one of the checks fails; no slot was touched.
    """
    reader = BundleReader(stream)
    last = Policy.of(reader.head.policies[-1])
    memory = pins.require(last.procedure)
    require_chain(reader.head.policies, memory.pinned)
    due = require_due(reader.head.judged(reader.head.anchors_named_by(last)), memory=memory, now=now)
    pins.write(last.procedure, due.memory)  # an amendment in force ends the earlier pin for good
    return contribute(due, reader.headers(), holder=holder_of(master, due.chain.by_hash(due.opening.policy_hash)))


def sign_decision(text: bytes, *, master: MasterKey, policy: Policy, pins: Pins) -> tuple[Decision, Statement]:
    """Sign the admission of one late or review envelope.

    Raises:
        PolicyError: not under the pinned policy.
        KindError, FormatError: not a decision.
    """
    statement = _read(text, Kind.DECISION)
    decision = Decision.of(statement)
    if pins.require(policy.procedure).pinned != policy.hash or decision.policy_hash != policy.hash:
        raise PolicyError("the decision is not under the policy pinned here")
    return decision, statement.signed_by(holder_of(master, policy).signer)


def fellows(policy: Policy, kid: bytes) -> list[Card]:
    """The other custodians of the policy, to be compared by another way."""
    return [card for card in policy.cards(Role.CUSTODIAN) if card.kid != kid]


def _rehearse_one(canary: bytes, policy: Policy, holder: Holder) -> Statement:
    header = require_canary(read_head(bytes_reader(canary)).header.framed, policy)
    share = open_slot(header, holder.card.kid, holder.kem, kind=EnvelopeKind.CANARY)
    said = Rehearsal(policy.hash, holder.card.kid, header.hash, bytes(share))
    return said.statement.signed_by(holder.signer)


def _read(data: bytes, kind: Kind) -> Statement:
    """A statement with signatures, or the bare text before the first one."""
    return parse_note(data, kind) if b"\n\n" in data else parse_text(data, kind)
