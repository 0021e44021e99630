# SPDX-License-Identifier: EUPL-1.2
"""Attacks on the rules: other deadlines, lower k, other cards, hidden amendments, two policies at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from crypto.closing_rules import Memory
from crypto.errors import CryptoError, PolicyError
from crypto.events import EventKind
from crypto.opening_rules import require_due
from crypto.policy import Policy, require_amendment, require_confirmed
from deploy.embedded import Addresses
from tests.attacks.opened_boxes import refused
from tests.crypto.procedure import Told
from tests.vault.convening import refusals, rehearsal_of, rehearse, sign
from tests.vault.gating import gate_of, later, signed_policy
from tests.world.custodian import Custodian
from tests.world.world import BUYER, World
from vault import procedures
from vault.errors import NoticeDiffers, TimeUnproven
from vault.lifecycle import BoxState
from vault.models import BoxRow
from vault.procedures import reading

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def published(module_addresses: Addresses) -> Iterator[World]:
    """A procedure that takes deposits, 2 of 3 custodians, for attacks that change nothing."""
    world = World(module_addresses)
    world.publish(world.draft(k=2, n=3))
    yield world
    world.close()


def _moved(policy: Policy, by: timedelta) -> Policy:
    """The next epoch, with every deadline moved."""
    boxes = tuple(replace(box, deadline=box.deadline + by, not_before=box.not_before + by) for box in policy.boxes)
    return replace(policy, epoch=policy.epoch + 1, previous=policy.hash, boxes=boxes)


@pytest.mark.proves("T12", "CONF-06")
def test_attack_T12_a_custodian_shown_another_policy_opens_nothing() -> None:
    told = Told()
    earlier = replace(_moved(told.policy, -HOUR), epoch=0, previous=None)
    forged = Told(replace(told.holders, policy=earlier))
    closed = forged.closed([forged.seal()])

    with pytest.raises(PolicyError):  # everybody signed it, but this tool has pinned another
        require_due(forged.dossier(closed), memory=told.memory, now=told.now)
    require_due(forged.dossier(closed), memory=forged.memory, now=told.now)


@pytest.mark.proves("T12")
def test_attack_T12_a_rehearsal_or_signature_of_another_policy_is_refused_and_told(world: World) -> None:
    world.procedure = procedures.draft(world.works, BUYER, world.draft(k=1, n=2))
    alice = world.custodians[0]
    policy = reading.show(world.works, BUYER, world.procedure).policy

    with pytest.raises(PolicyError):
        rehearse(world, alice, replace(rehearsal_of(world, alice), policy_hash=bytes(32)))
    with pytest.raises(PolicyError):
        sign(world, alice, policy=replace(policy, title="Autre"))

    assert [one.data for one in refusals(world)] == [b"policy", b"policy"]


@pytest.mark.proves("T13", "CONF-06")
def test_attack_T13_a_deadline_edited_in_the_database_closes_no_box(world: World) -> None:
    world.publish(world.draft(k=1, n=2))
    with world.works.open() as work:
        for row in work.session.exec(select(BoxRow)):
            row.deadline = world.now
            row.due_at = row.not_before = world.now + timedelta(seconds=60)
    world.time.clock.now += HOUR

    with refused(world, TimeUnproven):
        world.close_box()

    assert world.box_state() is BoxState.OPEN


def _forged(current: Policy, stranger: Custodian) -> dict[str, Policy]:
    """Amendments that everybody signs and nobody may."""
    amended = later(current)
    group = current.groups[0]
    first, *others = amended.boxes
    return {
        "earlier": _moved(current, -HOUR),
        "a millisecond earlier": _moved(current, timedelta(milliseconds=-1)),
        "k lowered": replace(amended, groups=(replace(group, k=1), *current.groups[1:])),
        "k raised": replace(amended, groups=(replace(group, k=3), *current.groups[1:])),
        "card changed": replace(
            amended, groups=(replace(group, cards=(*group.cards[:-1], stranger.card)), *current.groups[1:])
        ),
        "cards exchanged": replace(amended, groups=(replace(group, cards=group.cards[::-1]), *current.groups[1:])),
        "card dropped": replace(amended, groups=(replace(group, cards=group.cards[:-1]), *current.groups[1:])),
        "settle": replace(amended, settle=timedelta(seconds=45)),
        "limits": replace(amended, limits=replace(current.limits, deposits=1)),
        "anchors": replace(amended, time=replace(current.time, anchors=current.time.anchors[::-1])),
        "box dropped": replace(amended, boxes=tuple(others)),
        "opens at once": replace(amended, boxes=(replace(first, not_before=first.deadline), *others)),
        "statement key": replace(amended, statement_vkey=current.journal_vkey, journal_vkey=current.statement_vkey),
        "a gap": replace(amended, epoch=2),
        "another history": replace(amended, previous=bytes(32)),
    }


@pytest.mark.proves("T13", "CONF-06", "TIME-07")
def test_attack_T13_an_amendment_that_lowers_or_changes_anything_is_refused_whoever_signed(published: World) -> None:
    current = published.policy
    forged = _forged(current, Custodian("mallory", published.time.clock))

    for policy in forged.values():
        with refused(published, CryptoError) as seen:
            gate_of(published).accept_policy(signed_policy(published, policy).note)
        assert isinstance(seen.value, CryptoError)
        assert seen.value.code in {"policy", "format"}
    require_amendment(current, later(current))
    assert published.policy == current


@pytest.mark.proves("T14", "T58")
def test_attack_T14_an_amendment_hidden_from_a_gate_that_has_stored_it_is_refused(world: World) -> None:
    world.publish(world.draft(k=2, n=3))
    first = world.policy
    gate_of(world).accept_policy(signed_policy(world, _second_box_later(first), by=3).note)

    with refused(world, PolicyError):
        gate_of(world).accept_policy(signed_policy(world, first, by=3).note)  # the older epoch
    with refused(world, PolicyError):
        gate_of(world).accept_policy(signed_policy(world, later(first, days=2), by=3).note)  # another of the same

    world.deposit()
    world.after_settle()
    world.close_box()
    with refused(world, PolicyError, entry=EventKind.GATE_REFUSED):
        world.offer(1)  # the vault's own database has never heard of the amendment


def _second_box_later(policy: Policy) -> Policy:
    return replace(later(policy), boxes=(policy.boxes[0], *later(policy).boxes[1:]))


@pytest.mark.proves("T57", "T53")
def test_attack_T57_a_notice_with_another_hash_is_shown_as_fraud_and_told(published: World) -> None:
    alice = published.custodians[0]
    before = len(refusals(published))

    with pytest.raises(NoticeDiffers):
        procedures.confirm(published.works, published.caller(alice), published.procedure, printed=bytes(32))
    with pytest.raises(PolicyError, match="fraud"):
        require_confirmed(published.policy.hash, bytes(32))

    assert [one.data for one in refusals(published)[before:]] == [b"notice-differs"]


@pytest.mark.proves("T57")
def test_attack_T57_of_two_policies_the_one_not_rehearsed_is_opened_by_no_tool() -> None:
    told = Told()
    other = Told(replace(told.holders, policy=replace(told.policy, title="An other title")))

    with pytest.raises(PolicyError):
        require_due(other.dossier(other.closed([other.seal()])), memory=told.memory, now=told.now)


@pytest.mark.proves("T58", "TIME-07")
def test_attack_T58_tools_that_did_not_sign_an_amendment_pin_it_and_those_that_did_refuse_the_old() -> None:
    told = Told()
    following = _moved(told.policy, HOUR)
    signers = [*told.holders.custodians[:2], *told.holders.gates]
    chain = (told.signed(), told.signed(following, signers))
    told.now += 2 * HOUR
    new = replace(told.dossier(told.closed([], closing=told.closing([], policy=following))), policies=chain)
    old = told.dossier(told.closed([]))

    memory = require_due(new, memory=told.memory, now=told.now).memory
    assert memory.pinned == following.hash
    for pinned in (memory, Memory(following.hash)):
        with pytest.raises(PolicyError):
            require_due(old, memory=pinned, now=told.now)
    with pytest.raises(PolicyError):  # a box that the amendment moved is not closed by the older deadline
        require_due(replace(old, policies=chain), memory=told.memory, now=told.now)


@pytest.mark.proves("T58", "T14")
def test_attack_T58_custodians_who_signed_an_amendment_give_nothing_under_the_older_epoch(world: World) -> None:
    world.publish(world.draft(k=2, n=3))
    world.deposit()
    amended = later(world.policy)
    for one in world.custodians[:2]:
        one.amend(amended.statement.signed_by(one.holder.signer).note)
    world.after_settle()
    world.close_box()
    opening_id = world.offer(1)

    for one in world.custodians[:2]:
        with refused(world, PolicyError):
            one.contribute(world.bundle(opening_id))
    world.contribute(opening_id, world.custodians[2])  # the third, from whom it was hidden, is no quorum
    assert not world.advance(opening_id)
