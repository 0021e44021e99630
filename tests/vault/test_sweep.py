# SPDX-License-Identifier: EUPL-1.2
"""The sweep: what it finds by state and week, what it ends, and what it must not touch."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.wraps import WrapKind
from tests.vault import depositing
from tests.world.world import ACME, ZENITH, World
from vault import attempts, envelopes, sweep
from vault.attempts import Target
from vault.deposit.journey import deposit
from vault.errors import BodyBroken, ObjectMissing, StoreUnavailable
from vault.lifecycle import EnvelopeState
from vault.models import AttemptState
from vault.store.names import key_name, object_name

DAY = timedelta(days=1)


def begin(world: World) -> attempts.Begun:
    """An attempt whose process was killed."""
    with world.works.open() as work:
        box = envelopes.address_number(work, "default", world.procedure, number=1)
        return attempts.begin(world.works, work, box, target=Target(uuid4(), ACME, 5, uuid4()))


@pytest.mark.proves("TIME-05", "T47")
def test_received_deposits_of_several_procedures_are_found_by_their_week(world: World) -> None:
    procedures = []
    for _ in range(2):
        world.publish(world.draft(k=1, n=1))
        world.time.a.silent = world.time.b.silent = True
        procedures.append((world.procedure, world.deposit(ACME).id))
        world.time.a.silent = world.time.b.silent = False

    assert sweep.received(world.works) == 0

    for world.procedure, one in procedures:
        assert depositing.kept(world, one).state is EnvelopeState.SEALED


def test_while_no_authority_answers_the_sweep_tells_how_many_wait(open_world: World) -> None:
    open_world.time.a.silent = open_world.time.b.silent = True
    for bidder in (ACME, ZENITH):
        open_world.deposit(bidder)

    assert sweep.received(open_world.works) == 2


def test_an_attempt_that_nobody_works_on_is_ended_and_stays(open_world: World) -> None:
    begun = begin(open_world)
    assert sweep.end_attempts(open_world.works) == 0
    open_world.time.clock.now += sweep.UPLOAD_GRACE + timedelta(seconds=1)
    young = begin(open_world)

    assert sweep.end_attempts(open_world.works) == 1
    assert sweep.end_attempts(open_world.works) == 0

    [(state, facts)] = depositing.tried(open_world, begun.facts.envelope_id)
    assert (state, facts.outcome) == (AttemptState.FAILED, sweep.ABANDONED)
    [(state, _)] = depositing.tried(open_world, young.facts.envelope_id)
    assert state == AttemptState.OPEN


def test_parts_of_a_dead_upload_are_given_back_and_those_of_a_young_one_are_not(open_world: World) -> None:
    store = open_world.store
    lock = open_world.deadline + 90 * DAY
    store.begin_upload(object_name(uuid4().bytes), lock_until=lock).write(b"x")
    open_world.time.clock.now += sweep.UPLOAD_GRACE + timedelta(seconds=1)
    store.begin_upload(object_name(uuid4().bytes), lock_until=lock).write(b"y")

    assert sweep.abort_uploads(open_world.works) == 1
    assert len(list(store.unfinished_uploads())) == 1


@pytest.mark.proves("T56")
def test_a_key_without_an_object_is_destroyed_after_a_week_and_no_other(open_world: World) -> None:
    kept = depositing.kept(open_world, open_world.deposit(ACME).id).facts
    broken = depositing.body(open_world)
    broken.breaks_with = BodyBroken("cut")
    request = depositing.request(open_world)
    with pytest.raises(BodyBroken):
        deposit(open_world.works, request, replace(broken, pieces=broken.pieces[:1]))
    [(_, facts)] = depositing.tried(open_world, request.envelope_id)
    sightings = sweep.Sightings()

    assert sweep.destroy_wraps(open_world.works, sightings) == 0
    open_world.time.clock.now += sweep.WRAP_GRACE - timedelta(seconds=1)
    assert sweep.destroy_wraps(open_world.works, sightings) == 0
    open_world.time.clock.now += timedelta(seconds=1)
    assert sweep.destroy_wraps(open_world.works, sightings) == 1

    with pytest.raises(ObjectMissing):
        open_world.works.keys.object(open_world.procedure, facts.object_id)
    assert open_world.works.keys.object(open_world.procedure, kept.object_id)
    assert open_world.works.keys.procedure(open_world.procedure)


def test_a_key_whose_object_came_meanwhile_is_kept(open_world: World) -> None:
    object_id = uuid4()
    open_world.works.keys.create_object(open_world.procedure, object_id)
    sightings = sweep.Sightings()
    sweep.destroy_wraps(open_world.works, sightings)
    open_world.store.put(object_name(object_id.bytes), b"x", lock_until=open_world.deadline + 90 * DAY)
    open_world.time.clock.now += sweep.WRAP_GRACE

    assert sweep.destroy_wraps(open_world.works, sightings) == 0
    assert open_world.key_store.get(key_name(WrapKind.OBJECT, object_id.bytes))


def test_an_object_without_a_row_keeps_its_key_so_that_its_receipt_can_bring_it_back(open_world: World) -> None:
    open_world.store.fail("durable")
    request = depositing.request(open_world)
    with pytest.raises(StoreUnavailable):
        depositing.send(open_world, request)
    [(_, facts)] = depositing.tried(open_world, request.envelope_id)
    sightings = sweep.Sightings()
    sweep.sweep(open_world.works, sightings)
    open_world.time.clock.now += 2 * sweep.WRAP_GRACE

    sweep.sweep(open_world.works, sightings)

    assert open_world.works.keys.object(open_world.procedure, facts.object_id)


def test_the_seed_of_an_opening_under_way_is_kept_and_one_that_no_opening_needs_is_destroyed(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()
    open_world.close_box(1)
    open_world.offer(1)
    [needed] = open_world.key_store.list("4/")
    parent = open_world.works.keys.procedure(open_world.procedure)
    open_world.works.keys.keep(WrapKind.OPENING_SEED, uuid4(), bytes(32), parent=parent)
    sightings = sweep.Sightings()
    sweep.destroy_wraps(open_world.works, sightings)
    open_world.time.clock.now += sweep.WRAP_GRACE

    assert sweep.destroy_wraps(open_world.works, sightings) == 1
    assert list(open_world.key_store.list("4/")) == [needed]
