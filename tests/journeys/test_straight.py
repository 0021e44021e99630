# SPDX-License-Identifier: EUPL-1.2
"""The straight path, step by step: after each, everything that must hold is derived again from what is stored."""

from datetime import timedelta

import pytest

from crypto.closing_rules import Memory
from crypto.policy import Part
from tests.checks import check_everything, stored
from tests.faults.journeys import authorities
from tests.world.world import ACME, BUYER, PLATFORM, ZENITH, World
from vault import closing, decisions, procedures, sequencer, sweep
from vault.lifecycle import EnvelopeState
from vault.opening import offer
from vault.procedures import Change, Move

THIRD = "vat:FR40303265045"


@pytest.mark.proves("ACK-05", "LOG-01", "LOG-02")
def test_after_each_step_of_the_main_job_everything_holds(world: World) -> None:
    for _step in (_published, _deposited, _amended, _closed, _admitted, _opened):
        _step(world)
        world.works = world.start()
        check_everything(world.works)


def _published(world: World) -> None:
    world.publish()
    sequencer.publish(world.works)


def _deposited(world: World) -> None:
    """One that stands, one replaced, one withdrawn, one that waits for its token, one refused."""
    world.deposit(ACME)
    check_everything(world.works)
    world.deposit(ACME)
    withdrawn = world.deposit(ZENITH)
    world.withdraw(withdrawn.id, ZENITH)
    check_everything(world.works)
    with authorities(world, silent=True):
        world.deposit(ZENITH)
        check_everything(world.works)
    assert sweep.received(world.works) == 0
    world.deposit(ZENITH, part=Part.FINANCIAL)


def _amended(world: World) -> None:
    box = world.box().box
    move = Move(box.lot, box.part, box.deadline + timedelta(days=1))
    policy = procedures.amend(world.works, BUYER, world.procedure, Change("later", (move,)))
    check_everything(world.works)
    for one in world.custodians[:3]:
        note = one.sign(policy.statement).note
        one.memory = Memory(pinned=policy.hash)
        procedures.sign(world.works, world.caller(one), world.procedure, epoch=1, note=note)
    procedures.relock(world.works)
    world.deposit(THIRD)


def _closed(world: World) -> None:
    world.after_settle(1)
    world.deposit("other:late", {"trop tard.txt": b"9"})
    world.close_box(2)
    check_everything(world.works)
    world.close_box(1)
    world.deposit("other:later", {"trop tard.txt": b"9"})


def _admitted(world: World) -> None:
    """As many custodians as are needed admit the late one."""
    late = next(one for one in stored.read(world.works).envelopes.values() if one.state is EnvelopeState.LATE)
    draft = decisions.draft(world.works, PLATFORM, world.procedure, envelope_id=late.id, reason="panne")
    for one in world.custodians[:3]:
        note = one.sign(draft).note
        decisions.decide(world.works, PLATFORM, world.procedure, note=note, person=one.person)
        check_everything(world.works)
    closing.close_admitted(world.works, draft.id)
    world.late = late.id  # type: ignore[attr-defined]


def _opened(world: World) -> None:
    """One attempt given up, then the box, then the late envelope."""
    given_up = world.offer(1)
    check_everything(world.works)
    offer.abandon(world.works, PLATFORM, given_up)
    check_everything(world.works)
    opening_id = world.offer(1)
    for one in world.custodians[:3]:
        world.contribute(opening_id, one)
        check_everything(world.works)
    assert world.advance(opening_id)
    check_everything(world.works)
    admitted = world.offer(admitted=(world.late,))  # type: ignore[attr-defined]
    for one in world.custodians[:3]:
        world.contribute(admitted, one)
    assert world.advance(admitted)
    assert len(world.opened()) == 4
