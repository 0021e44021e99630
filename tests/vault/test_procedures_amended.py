# SPDX-License-Identifier: EUPL-1.2
"""Amending and ending a procedure: later only, with a reason, signed; archived or cancelled once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from crypto.errors import PolicyError
from crypto.events import EventKind
from crypto.policy import Limits, Part
from tests.vault.convening import STRANGER, amended, events, later, refusals, sign
from tests.world.world import BUYER, World
from vault import procedures
from vault.errors import InvalidInput, NotFound, NotReady, WrongState
from vault.lifecycle import ProcedureState
from vault.models import BoxRow, PolicyState
from vault.procedures import Change, Move, reading
from vault.store.locks import envelope_lock
from vault.store.names import OBJECTS


@pytest.fixture
def drafted(world: World) -> World:
    """A draft that nobody has rehearsed."""
    world.procedure = procedures.draft(world.works, BUYER, world.draft())
    return world


@pytest.fixture
def published(world: World) -> World:
    """A published procedure of two boxes."""
    world.publish()
    return world


@pytest.mark.proves("TIME-07")
def test_a_deadline_moves_later_with_a_reason_once_enough_custodians_have_signed(published: World) -> None:
    before = published.policy

    policy = amended(published, later(published), by=3)

    assert published.policy == policy
    assert published.policy.box(1).deadline == before.box(1).deadline + timedelta(days=1)
    assert published.policy.box(2) == before.box(2)
    with published.works.open() as work:
        rows = {row.number: row for row in work.session.exec(select(BoxRow))}
    assert rows[1].due_at == policy.box(1).deadline + policy.settle
    (told,) = events(published, EventKind.POLICY_AMENDED)
    assert (told.subject, told.data) == (policy.hash, "Visite du site reportée".encode())


@pytest.mark.proves("TIME-07")
def test_two_of_five_signatures_amend_nothing(published: World) -> None:
    before = published.policy
    amended(published, later(published), by=2)

    assert published.policy == before
    with pytest.raises(NotReady, match="2 of 3"):
        procedures.enact(published.works, published.procedure)


@pytest.mark.proves("TIME-07", "CONF-06")
def test_a_deadline_moves_never_earlier_and_never_after_it_has_passed(published: World) -> None:
    with pytest.raises(PolicyError):
        procedures.amend(published.works, BUYER, published.procedure, later(published, days=-1))
    assert refusals(published)[-1].data == b"policy"

    change = later(published, days=7)
    published.time.clock.now = published.deadline + timedelta(seconds=1)
    with pytest.raises(PolicyError):
        procedures.amend(published.works, BUYER, published.procedure, change)


@pytest.mark.proves("TIME-07")
def test_an_amendment_needs_a_reason_and_a_change(published: World) -> None:
    for field, change in {
        "reason": replace(later(published), reason=" "),
        "moves[0]": Change("x", (Move("9", Part.TECHNICAL, published.deadline),)),
        "amendment": Change("x", (Move("1", Part.TECHNICAL, published.deadline),)),
        "limits": Change("x", limits=Limits(1, 1 << 50, 1, 1)),
        "settle": Change("x", settle=timedelta(seconds=7200)),
    }.items():
        with pytest.raises(InvalidInput) as refused:
            procedures.amend(published.works, BUYER, published.procedure, change)
        assert refused.value.field == field


@pytest.mark.proves("TIME-07")
def test_lower_limits_and_settle_are_refused(published: World) -> None:
    current = published.policy
    for change in (
        Change("x", settle=timedelta(seconds=45)),
        Change("x", limits=replace(current.limits, deposits=1)),
    ):
        with pytest.raises(PolicyError):
            procedures.amend(published.works, BUYER, published.procedure, change)


@pytest.mark.proves("TIME-07")
def test_an_amendment_signed_after_the_deadline_changes_nothing(published: World) -> None:
    change = later(published, days=7)
    policy = amended(published, change, by=2)
    before = published.policy
    published.time.clock.now = published.deadline + timedelta(seconds=1)

    with pytest.raises(PolicyError):
        sign(published, published.custodians[2], epoch=1, policy=policy)

    assert published.policy == before


@pytest.mark.proves("T41")
def test_an_amendment_that_broke_off_after_the_gate_goes_on_though_its_old_deadline_has_passed(
    published: World,
) -> None:
    change = later(published)
    policy = procedures.amend(published.works, BUYER, published.procedure, change)
    statement = policy.statement
    for one in published.custodians[:3]:
        statement = one.sign(statement)
    published.works.gate.accept_policy(statement.note)
    published.time.clock.now = published.deadline + timedelta(seconds=30)

    for one in published.custodians[:3]:
        sign(published, one, epoch=1, policy=policy)

    assert published.policy == policy


@pytest.mark.proves("LOG-02")
def test_an_amendment_that_the_gate_refuses_is_journaled_and_dropped(published: World) -> None:
    before = published.policy
    policy = amended(published, later(published), by=2)
    published.gate_clock.ahead = timedelta(days=2)

    with pytest.raises(PolicyError):
        sign(published, published.custodians[2], epoch=1, policy=policy)

    assert events(published, EventKind.GATE_REFUSED)[-1].data == b"policy"
    assert published.policy == before
    assert reading.show(published.works, BUYER, published.procedure).epochs[1].state is PolicyState.DROPPED


def test_envelopes_are_locked_again_once_their_deadline_has_moved(published: World) -> None:
    published.deposit()
    (name,) = [one.key for one in published.store.list_versions(OBJECTS)]
    before = published.store.latest(name).lock_until
    policy = amended(published, later(published, days=60), by=3)

    assert procedures.relock(published.works) == 1

    assert published.store.latest(name).lock_until == envelope_lock(policy.box(1).deadline, published.now)
    assert before is not None
    assert before < envelope_lock(policy.box(1).deadline, published.now)


def test_a_waiting_amendment_gives_way_only_while_nobody_has_signed_it(published: World) -> None:
    amended(published, later(published), by=0)
    two = amended(published, later(published, days=2), by=1)

    with pytest.raises(WrongState):
        procedures.amend(published.works, BUYER, published.procedure, later(published, days=3))
    for one in published.custodians[1:3]:
        sign(published, one, epoch=1, policy=two)
    assert published.policy == two


def test_a_procedure_with_an_open_box_is_not_archived(published: World) -> None:
    with pytest.raises(WrongState):
        procedures.archive(published.works, BUYER, published.procedure)


def test_a_procedure_whose_boxes_are_closed_is_archived_once(published: World) -> None:
    published.after_settle()
    published.close_box(1)
    published.close_box(2)
    for _ in range(2):
        procedures.archive(published.works, BUYER, published.procedure)

    assert reading.show(published.works, BUYER, published.procedure).state is ProcedureState.ARCHIVED
    assert len(events(published, EventKind.PROCEDURE_ARCHIVED)) == 1


def test_a_cancellation_says_why_and_ends_everything(published: World) -> None:
    with pytest.raises(InvalidInput):
        procedures.cancel(published.works, BUYER, published.procedure, reason="")
    for _ in range(2):
        procedures.cancel(published.works, BUYER, published.procedure, reason="infructueux")

    (told,) = events(published, EventKind.PROCEDURE_CANCELLED)
    assert told.data == b"infructueux"
    with pytest.raises(WrongState):
        procedures.archive(published.works, BUYER, published.procedure)
    with pytest.raises(WrongState):
        procedures.amend(published.works, BUYER, published.procedure, later(published))


def test_a_cancelled_draft_stays_hidden_and_is_not_published(drafted: World) -> None:
    drafted.rehearse_all()
    procedures.cancel(drafted.works, BUYER, drafted.procedure, reason="besoin abandonné")

    with pytest.raises(WrongState):
        procedures.publish(drafted.works, BUYER, drafted.procedure)
    with pytest.raises(NotFound):
        reading.show(drafted.works, STRANGER, drafted.procedure)
