# SPDX-License-Identifier: EUPL-1.2
"""The gate and closings: one main closing per box ever, and none before its time."""

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


def test_the_same_closing_again_changes_nothing(published: World) -> None:
    published.after_settle()
    note = closing_of(published).note
    for _ in range(2):
        gate_of(published).accept_closing(note, NO_LIST.encode(), close_tokens(published))


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


def test_a_closing_under_a_policy_that_was_amended_is_refused(published: World) -> None:
    closing = closing_of(published)
    gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)
    published.time.clock.now = published.deadline + timedelta(days=3)

    with pytest.raises(PolicyError):
        gate_of(published).accept_closing(closing.note, NO_LIST.encode(), close_tokens(published))


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
