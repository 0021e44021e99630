# SPDX-License-Identifier: EUPL-1.2
"""What tests of the gate share: policies, closings and contributions that a test bends."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from crypto.closings import Closing, Decision, EnvelopeList, ListEntry
from crypto.policy import Policy
from crypto.statement import Statement
from tests.world.world import World
from vault.gate.service import Gate
from vault.opening import due
from vault.rows import Stamp

NO_LIST = EnvelopeList(())
ANOTHER = ListEntry(uuid4().bytes, bytes(32), bytes(32), 4096)


def gate_of(world: World) -> Gate:
    return world.works.gate


def signed_policy(world: World, policy: Policy, *, by: int = 5) -> Statement:
    """A policy with the signatures of so many custodians."""
    statement = policy.statement
    for one in world.custodians[:by]:
        statement = one.sign(statement)
    return statement


def later(policy: Policy, *, days: int = 1) -> Policy:
    """An amendment that moves every deadline."""
    move = timedelta(days=days)
    boxes = tuple(replace(box, deadline=box.deadline + move, not_before=box.not_before + move) for box in policy.boxes)
    return replace(policy, epoch=policy.epoch + 1, previous=policy.hash, boxes=boxes)


def closing_of(world: World, listed: EnvelopeList = NO_LIST, *, decision: bytes | None = None) -> Statement:
    """A closing of box 1 with this list, signed by the vault."""
    policy = world.policy
    deadline = policy.box(1).deadline
    said = Closing(policy.hash, 1, len(listed), listed.root, deadline, world.now, decision)
    return said.statement.signed_by(world.works.service_keys.statement)


def close_tokens(world: World, *, over: bytes | None = None) -> list[Stamp]:
    """What C1 gathers: one token of each authority over the closing request."""
    policy = world.policy
    wanted = over or policy.close_request(policy.box(1))
    return [
        Stamp(one.verified.token, one.evidence.encode()) for one in world.works.authorities.stamp_by(wanted, quorum=2)
    ]


def unseen(world: World, policy: Policy) -> Policy:
    """The same rules for a procedure of which the gate has made a card and accepted nothing."""
    procedure = uuid4()
    card = gate_of(world).make_card(procedure)
    groups = (*policy.groups[:-1], replace(policy.groups[-1], cards=(card,)))
    return replace(policy, procedure=procedure.bytes, groups=groups)


def decided(world: World, entry: ListEntry, *, by: int = 3) -> Statement:
    """A decision of so many custodians to admit an envelope to box 1."""
    statement = Decision(world.policy.hash, 1, entry, "panne de réseau de la plate-forme").statement
    for one in world.custodians[:by]:
        statement = one.sign(statement)
    return statement


def notes(world: World, opening_id: bytes, *, by: int = 3) -> list[bytes]:
    bundle = world.bundle(opening_id)
    return [one.contribute(bundle).note for one in world.custodians[:by]]


def release(world: World, opening_id: bytes, said: list[bytes]) -> Statement:
    head = due.dossier(world.works, opening_id)
    return gate_of(world).release(
        head, said, lambda entry: due.header_of(world.works, world.procedure, entry.entry.envelope_id)
    )
