# SPDX-License-Identifier: EUPL-1.2
"""The gate and policies: what it refuses, and that it takes nothing from the vault's word."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.errors import (
    KindError,
    PolicyError,
    SignatureError,
)
from crypto.header import EnvelopeKind
from crypto.sealing import EnvelopeSealer, seal_whole
from tests.vault.gating import (
    NO_LIST,
    close_tokens,
    closing_of,
    gate_of,
    later,
    signed_policy,
    unseen,
)
from tests.world.world import World


@pytest.fixture
def published(world: World) -> World:
    """A procedure of two boxes that takes deposits, 3 of 5 custodians."""
    world.publish()
    return world


def test_a_policy_that_one_holder_has_not_signed_is_refused(published: World) -> None:
    fresh = unseen(published, published.policy)

    with pytest.raises(SignatureError):
        gate_of(published).accept_policy(signed_policy(published, fresh, by=4).note)


def test_a_policy_of_a_procedure_without_gate_key_is_refused(published: World) -> None:
    foreign = replace(published.policy, procedure=uuid4().bytes)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, foreign).note)


def test_a_policy_with_another_gates_card_is_refused(published: World) -> None:
    other = uuid4()
    gate_of(published).make_card(other)
    foreign = replace(published.policy, procedure=other.bytes)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, foreign).note)


def test_a_policy_that_trusts_an_unknown_authority_is_refused(published: World) -> None:
    policy = unseen(published, published.policy)
    time = replace(policy.time, anchors=(*policy.time.anchors, bytes(32)))

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, replace(policy, time=time)).note)


def test_a_policy_whose_deadline_has_passed_by_the_gates_clock_is_refused(published: World) -> None:
    policy = unseen(published, published.policy)
    published.gate_clock.ahead = timedelta(days=2)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, policy).note)


@pytest.mark.proves("TIME-07")
def test_an_amendment_with_too_few_signatures_is_refused(published: World) -> None:
    amended = later(published.policy)

    with pytest.raises(SignatureError):
        gate_of(published).accept_policy(signed_policy(published, amended, by=2).note)


@pytest.mark.proves("TIME-07")
def test_an_amendment_after_the_deadline_by_the_gates_own_clock_is_refused(published: World) -> None:
    published.gate_clock.ahead = timedelta(days=1, seconds=1)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)


def test_an_amendment_of_a_closed_box_is_refused_whatever_the_gates_clock_says(published: World) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    published.gate_clock.ahead = timedelta(days=-2)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)


def test_the_same_policy_again_gets_the_same_signature(published: World) -> None:
    amended = signed_policy(published, later(published.policy), by=3)
    first = gate_of(published).accept_policy(amended.note)

    assert gate_of(published).accept_policy(amended.note).note == first.note


@pytest.mark.proves("T60")
def test_attack_T60_the_gate_rehearses_no_bid(published: World) -> None:
    policy = published.policy
    sealer = EnvelopeSealer(policy, 1, uuid4().bytes, kind=EnvelopeKind.BID, bidder="siret:1", deposit_secret=bytes(32))
    bid = seal_whole(sealer, [("prix.txt", b"42\n")])

    with pytest.raises(KindError):
        gate_of(published).rehearse(policy, bid)
