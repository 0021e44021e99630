# SPDX-License-Identifier: EUPL-1.2
"""Decisions: k custodians admit a late or review envelope, and it opens alone."""

from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.closings import Decision
from crypto.errors import ListError, PersonError, SignatureError
from crypto.statement import Statement
from tests.world.custodian import Custodian
from tests.world.world import ACME, PLATFORM, ZENITH, Deposited, World
from vault import closing, decisions
from vault.errors import NotFound, WrongState
from vault.lifecycle import EnvelopeState
from vault.models import Envelope

REASON = "The platform was down from 16:50 to 17:05; decided on 2 December."


@pytest.fixture
def late(world: World) -> Deposited:
    """One envelope in time, opened; one late; 2 of 3 custodians."""
    world.publish(world.draft(k=2, n=3))
    world.deposit(ACME)
    late = world.deposit(ZENITH, {"bid.txt": b"late but admitted"}, at=world.deadline + timedelta(minutes=3))
    world.close_box(1)
    return late


def _draft(world: World, late: Deposited) -> Statement:
    return decisions.draft(world.works, PLATFORM, world.procedure, envelope_id=late.id, reason=REASON)


def _decide(world: World, drafted: Statement, *who: Custodian) -> int:
    signed = 0
    for one in who:
        note = one.sign(drafted).note
        signed = decisions.decide(world.works, PLATFORM, world.procedure, note=note, person=one.person)
    return signed


def _state(world: World, envelope_id: object) -> EnvelopeState:
    with world.works.open() as work:
        return work.session.get_one(Envelope, envelope_id).state


@pytest.mark.proves("LATE-01")
def test_a_late_envelope_is_not_in_the_normal_opening(world: World, late: Deposited) -> None:
    world.open_boxes(1, by=2)

    assert late.id not in world.opened()
    assert _state(world, late.id) is EnvelopeState.LATE


@pytest.mark.proves("LATE-02")
def test_fewer_than_k_custodians_admit_nothing(world: World, late: Deposited) -> None:
    drafted = _draft(world, late)

    assert _decide(world, drafted, world.custodians[0]) == 1
    with pytest.raises(NotFound):
        closing.close_admitted(world.works, drafted.id)
    assert _state(world, late.id) is EnvelopeState.LATE


@pytest.mark.proves("LATE-02", "T59")
def test_k_custodians_admit_a_late_envelope_and_it_opens_alone(world: World, late: Deposited) -> None:
    world.open_boxes(1, by=2)
    drafted = _draft(world, late)
    assert _decide(world, drafted, *world.custodians[:2]) == 2
    closing.close_admitted(world.works, drafted.id)

    opening_id = world.offer(admitted=(late.id,))
    for one in world.custodians[1:3]:
        world.contribute(opening_id, one)
    assert world.advance(opening_id)

    assert world.opened()[late.id] == {"bid.txt": b"late but admitted"}


def test_a_closing_by_decision_done_again_is_the_same(world: World, late: Deposited) -> None:
    drafted = _draft(world, late)
    _decide(world, drafted, *world.custodians[:2])

    first = closing.close_admitted(world.works, drafted.id)

    assert closing.close_admitted(world.works, drafted.id).note == first.note


def test_one_person_signing_twice_counts_once(world: World, late: Deposited) -> None:
    drafted = _draft(world, late)

    assert _decide(world, drafted, world.custodians[0], world.custodians[0]) == 1


def test_a_decision_over_other_bytes_is_refused(world: World, late: Deposited) -> None:
    said = Decision.of(_draft(world, late))
    entry = type(said.entry)(said.entry.envelope_id, said.entry.header_hash, bytes(32), said.entry.length)
    forged = Decision(said.policy_hash, said.box, entry, said.reason).statement

    with pytest.raises(ListError):
        _decide(world, forged, world.custodians[0])


def test_a_stranger_s_signature_is_refused(world: World, late: Deposited) -> None:
    with pytest.raises(PersonError):
        _decide(world, _draft(world, late), world.custodians[4])


def test_a_decision_signed_by_another_than_its_sender_is_refused(world: World, late: Deposited) -> None:
    alice, bruno = world.custodians[:2]
    note = bruno.sign(_draft(world, late)).note

    with pytest.raises(SignatureError):
        decisions.decide(world.works, PLATFORM, world.procedure, note=note, person=alice.person)


@pytest.mark.usefixtures("late")
def test_an_envelope_in_time_needs_no_decision(world: World) -> None:
    (listed,) = world.listed(1)

    with pytest.raises(WrongState):
        decisions.draft(world.works, PLATFORM, world.procedure, envelope_id=listed, reason=REASON)


@pytest.mark.usefixtures("late")
def test_an_unknown_envelope_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        decisions.draft(world.works, PLATFORM, world.procedure, envelope_id=uuid4(), reason=REASON)
