# SPDX-License-Identifier: EUPL-1.2
"""The gate and closings: one main closing per box ever, and none before its time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.closings import Closing, EnvelopeList
from crypto.errors import (
    ListError,
    PolicyError,
    SignatureError,
    StateError,
    TimeProofError,
)
from crypto.statement import Statement
from tests.vault.gating import (
    ANOTHER,
    NO_LIST,
    close_tokens,
    closing_of,
    decided,
    gate_of,
    later,
    signed_policy,
)
from tests.world.world import World


@pytest.fixture
def published(world: World) -> World:
    """A procedure of two boxes that takes deposits, 3 of 5 custodians."""
    world.publish()
    return world


@pytest.mark.proves("T38")
def test_attack_t38_a_second_main_closing_is_refused(published: World) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    other = EnvelopeList((ANOTHER,))

    with pytest.raises(StateError):
        gate_of(published).accept_closing(closing_of(published, other).note, other.encode(), close_tokens(published))


def test_the_same_closing_again_changes_nothing(published: World) -> None:
    published.after_settle()
    note = closing_of(published).note
    for _ in range(2):
        gate_of(published).accept_closing(note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T37")
def test_a_closing_with_another_list_is_refused(published: World) -> None:
    published.after_settle()

    with pytest.raises(ListError):
        gate_of(published).accept_closing(
            closing_of(published).note, EnvelopeList((ANOTHER,)).encode(), close_tokens(published)
        )


def test_a_closing_that_the_vault_did_not_sign_is_refused(published: World) -> None:
    published.after_settle()
    unsigned = Closing.of(closing_of(published)).statement.signed_by(published.custodians[0].holder.signer)

    with pytest.raises(SignatureError):
        gate_of(published).accept_closing(unsigned.note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T7", "CONF-06")
def test_a_closing_before_deadline_and_settle_are_proved_is_refused(published: World) -> None:
    published.time.clock.now = published.deadline + timedelta(seconds=30)

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T10")
def test_attack_t10_one_authority_twice_closes_nothing(published: World) -> None:
    published.after_settle()
    tokens = close_tokens(published)[:1] * 2

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)


@pytest.mark.proves("T11")
def test_attack_t11_tokens_over_something_else_close_nothing(published: World) -> None:
    published.after_settle()
    tokens = close_tokens(published, over=bytes(32))

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)


def test_a_closing_under_a_policy_that_was_amended_is_refused(published: World) -> None:
    closing = closing_of(published)
    gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)
    published.time.clock.now = published.deadline + timedelta(days=3)

    with pytest.raises(PolicyError):
        gate_of(published).accept_closing(closing.note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T59")
@pytest.mark.parametrize("what", ["none", "another envelope", "two signers", "another decision"])
def test_attack_t59_a_supplementary_closing_needs_its_own_decision(published: World, what: str) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    decision = decided(published, ANOTHER, by=2 if what == "two signers" else 3)
    admitted = EnvelopeList((replace(ANOTHER, length=1) if what == "another envelope" else ANOTHER,))
    closing = closing_of(published, admitted, decision=decision.id)
    shown = {"none": None, "another decision": decided(published, replace(ANOTHER, length=2)).note}

    with pytest.raises((ListError, SignatureError)):
        gate_of(published).accept_closing(
            closing.note, admitted.encode(), close_tokens(published), decision=shown.get(what, decision.note)
        )


def test_a_decision_has_one_closing_and_comes_after_the_main_one(published: World) -> None:
    published.after_settle()
    decision, admitted = decided(published, ANOTHER), EnvelopeList((ANOTHER,))
    tokens = close_tokens(published)

    def accept(closing: Statement) -> None:
        gate_of(published).accept_closing(closing.note, admitted.encode(), tokens, decision=decision.note)

    with pytest.raises(ListError):
        accept(closing_of(published, admitted, decision=decision.id))
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)
    accept(closing_of(published, admitted, decision=decision.id))
    published.time.clock.now += timedelta(seconds=1)
    with pytest.raises(StateError):
        accept(closing_of(published, admitted, decision=decision.id))
