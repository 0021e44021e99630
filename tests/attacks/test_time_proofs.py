# SPDX-License-Identifier: EUPL-1.2
"""Attacks on time: everybody conspires too early, an authority lies, tokens are borrowed, clocks are left alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.closing_rules import ClosedBox
from crypto.errors import ClockError, TimeProofError
from crypto.events import EventKind
from crypto.opening_rules import require_due
from deploy.embedded import Addresses
from tests.attacks.opened_boxes import close_two, open_and_check, refused, states
from tests.crypto.procedure import NOT_BEFORE, Told
from tests.vault import convening
from tests.vault.gating import NO_LIST, close_tokens, closing_of, gate_of
from tests.world.world import World
from vault.errors import TimeUnproven
from vault.lifecycle import BoxState, EnvelopeState

MILLISECOND = timedelta(milliseconds=1)
ACCURACY = timedelta(seconds=1)  # what a token without one counts as


@pytest.fixture(scope="module")
def taking(module_addresses: Addresses) -> Iterator[World]:
    """A world that takes deposits, for attacks that change nothing."""
    world = World(module_addresses)
    world.publish(world.draft(k=2, n=3))
    yield world
    world.close()


@pytest.mark.proves("T5", "OPEN-01", "CONF-06")
def test_attack_T5_all_custodians_and_the_vaults_key_before_the_deadline_move_no_honest_gate(taking: World) -> None:
    closing = closing_of(taking)
    tokens = close_tokens(taking)

    with refused(taking, TimeProofError):
        gate_of(taking).accept_closing(closing.note, NO_LIST.encode(), tokens)
    with refused(taking, TimeUnproven):
        taking.close_box()

    assert taking.box_state() is BoxState.OPEN


@pytest.mark.proves("T5", "OPEN-01", "KEY-05", "LOG-02")
def test_attack_T5_all_custodians_before_the_time_by_the_gates_clock_get_no_release_and_it_is_told(
    world: World,
) -> None:
    opening_id = close_two(world).offer(1)
    for one in world.custodians:
        world.contribute(opening_id, one)
    world.gate_clock.ahead = -timedelta(days=2)

    with refused(world, ClockError, entry=EventKind.GATE_REFUSED):
        world.advance(opening_id)

    assert set(states(world).values()) == {EnvelopeState.LISTED}
    world.gate_clock.ahead = timedelta()
    open_and_check(world, opening_id, range(0))


@pytest.mark.proves("T5", "OPEN-01")
def test_attack_T5_nothing_is_offered_before_the_box_may_open(world: World) -> None:
    wanted = world.draft(k=1, n=1)
    (lot,) = wanted.lots
    later = tuple(replace(part, not_before=part.deadline + timedelta(days=2)) for part in lot.parts)
    world.publish(replace(wanted, lots=(replace(lot, parts=later),)))
    world.deposit()
    world.time.clock.now = world.deadline + timedelta(minutes=5)
    world.close_box()

    with refused(world, TimeUnproven):
        world.offer(1)


@pytest.mark.proves("T10")
def test_attack_T10_one_lying_authority_and_two_tokens_of_one_root_close_nothing(taking: World) -> None:
    taking.time.a.ahead = timedelta(days=3)
    try:
        tokens = close_tokens(taking)
        with refused(taking, TimeUnproven):
            taking.close_box()
        for shown in (tokens, tokens[:1] * 2, tokens[:1], []):
            with refused(taking, TimeProofError):
                gate_of(taking).accept_closing(closing_of(taking).note, NO_LIST.encode(), shown)
    finally:
        taking.time.a.ahead = timedelta()


@pytest.mark.proves("T10")
def test_attack_T10_a_custodians_tool_counts_roots_and_keys_not_tokens() -> None:
    told = Told()
    closed = told.closed([told.seal()])
    first, _ = closed.tokens
    again = told.authorities()[0].verified(closed.statement.id)

    for tokens in ((first,), (first, again), (first, first)):
        with pytest.raises(TimeProofError):
            _due(told, replace(closed, tokens=tokens))


@pytest.mark.proves("T11")
def test_attack_T11_a_token_a_millisecond_too_early_proves_nothing() -> None:
    told = Told()
    closed = told.closed([told.seal()])
    exact = Told(told.holders, now=NOT_BEFORE + ACCURACY).tokens(closed.statement.id)
    early = Told(told.holders, now=NOT_BEFORE + ACCURACY - MILLISECOND).tokens(closed.statement.id)

    for tokens in (early, (exact[0], early[1]), (early[0], exact[1])):
        with pytest.raises(TimeProofError):
            _due(told, replace(closed, tokens=tokens))
    _due(told, replace(closed, tokens=exact))


@pytest.mark.proves("T11")
def test_attack_T11_tokens_over_another_closing_prove_nothing(taking: World) -> None:
    told = Told()
    closed, other = told.closed([told.seal()]), told.closed([told.seal()])

    with pytest.raises(TimeProofError):
        _due(told, replace(closed, tokens=other.tokens))
    with refused(taking, TimeProofError):
        gate_of(taking).accept_closing(
            closing_of(taking).note, NO_LIST.encode(), close_tokens(taking, over=closing_of(taking).id)
        )


@pytest.mark.proves("T65", "OPEN-01")
def test_attack_T65_the_operators_own_authorities_do_not_move_the_custodians_clocks(world: World) -> None:
    close_two(world)  # by authorities that all run ahead
    opening_id = world.offer(1)
    alice = world.custodians[0]
    right, memory = alice.clock, alice.memory
    alice.clock = lambda: right() - timedelta(days=2)

    with refused(world, ClockError):
        alice.contribute(world.bundle(opening_id))

    assert alice.memory == memory  # nothing was remembered of what it refused
    assert convening.events(world, EventKind.CONTRIBUTION_ACCEPTED) == []
    alice.clock = right
    open_and_check(world, opening_id)


@pytest.mark.proves("T65")
def test_attack_T65_the_own_clock_agrees_to_the_millisecond() -> None:
    told = Told()
    closed = told.closed([told.seal()])

    for now in (NOT_BEFORE - MILLISECOND, NOT_BEFORE - timedelta(days=400)):
        with pytest.raises(ClockError):
            require_due(told.dossier(closed), memory=told.memory, now=now)
    assert require_due(told.dossier(closed), memory=told.memory, now=NOT_BEFORE).proofs


def _due(told: Told, closed: ClosedBox) -> None:
    require_due(told.dossier(closed), memory=told.memory, now=told.now)
