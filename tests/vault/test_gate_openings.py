# SPDX-License-Identifier: EUPL-1.2
"""The gate and openings: when it signs, when it releases, what it remembers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from crypto.ceremony import Contribution, Opening
from crypto.errors import (
    OpeningError,
    PolicyError,
    StateError,
)
from crypto.events import Event, EventKind
from crypto.hpke import KemKey
from crypto.statement import Kind, parse_note
from deploy.embedded import Addresses
from tests.vault.gating import (
    gate_of,
    later,
    notes,
    release,
    signed_policy,
)
from tests.world.world import World
from vault.errors import RolledBack
from vault.gate import told
from vault.opening import due
from vault.work import connect


@pytest.fixture
def published(world: World) -> World:
    """A procedure of two boxes that takes deposits, 3 of 5 custodians."""
    world.publish()
    return world


@pytest.fixture
def offered(published: World) -> tuple[World, bytes]:
    """Box 1 with one envelope, closed, its opening offered."""
    published.deposit()
    published.after_settle()
    published.close_box()
    return published, published.offer(1)


def test_a_release_of_an_opening_that_the_gate_has_not_signed_is_refused(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    head = due.dossier(world.works, opening_id)
    other = replace(Opening.of(head.opening), attempt=9).statement.signed_by(world.works.service_keys.statement)

    with pytest.raises(StateError):
        gate_of(world).release(replace(head, opening=other), [], lambda _: b"")


def test_a_release_asked_twice_gives_the_same_bytes(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)

    assert release(world, opening_id, said).note == release(world, opening_id, []).note


@pytest.mark.proves("T43")
def test_a_second_opening_with_the_same_attempt_is_not_signed(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    head = due.dossier(world.works, opening_id)
    second = replace(Opening.of(head.opening), opening_key=KemKey(bytes(32)).public).statement

    with pytest.raises(StateError):
        gate_of(world).sign_opening(replace(head, opening=second.signed_by(world.works.service_keys.statement)))


@pytest.mark.proves("T43")
def test_a_new_attempt_voids_the_old_one(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)
    head = due.dossier(world.works, opening_id)
    second = replace(Opening.of(head.opening), attempt=2).statement
    gate_of(world).sign_opening(replace(head, opening=second.signed_by(world.works.service_keys.statement)))

    with pytest.raises(StateError):
        release(world, opening_id, said)


def test_an_opening_over_a_closing_that_the_gate_never_accepted_is_not_signed(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    head = due.dossier(world.works, opening_id)
    strange = replace(Opening.of(head.opening), closings=(bytes(32),), attempt=2).statement

    with pytest.raises(StateError):
        gate_of(world).sign_opening(replace(head, opening=strange.signed_by(world.works.service_keys.statement)))


@pytest.mark.proves("T14")
def test_attack_T14_a_bundle_without_the_newest_policy_is_refused(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    two = later(world.policy)
    boxes = (world.policy.boxes[0], *two.boxes[1:])  # box 1 is closed: only box 2 may move
    world.gate_clock.ahead = timedelta(days=-2)
    gate_of(world).accept_policy(signed_policy(world, replace(two, boxes=boxes)).note)
    world.gate_clock.ahead = timedelta()

    with pytest.raises(PolicyError):
        release(world, opening_id, notes(world, opening_id))


@pytest.mark.proves("T17")
def test_contributions_to_another_opening_release_nothing(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)
    made = Contribution.of(parse_note(said[0], Kind.CONTRIBUTION))
    elsewhere = replace(made, opening_id=bytes(32)).statement(Kind.CONTRIBUTION)

    with pytest.raises(OpeningError):
        release(world, opening_id, [world.custodians[0].sign(elsewhere).note, *said[1:]])


@pytest.mark.proves("T52")
@pytest.mark.parametrize(
    "kind",
    [
        EventKind.POLICY_PUBLISHED,
        EventKind.POLICY_AMENDED,
        EventKind.BOX_CLOSED,
        EventKind.OPENING_SIGNED,
        EventKind.GATE_RELEASED,
    ],
)
def test_attack_t52_a_gate_behind_the_journal_refuses_to_release(offered: tuple[World, bytes], kind: EventKind) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)
    unknown = Event(kind, world.now, world.procedure.bytes, bytes(32))

    with pytest.raises(RolledBack):
        gate_of(world).require_not_rolled_back([unknown])
    with pytest.raises(StateError):
        release(world, opening_id, said)


@pytest.mark.proves("T52")
def test_a_gate_that_remembers_its_acts_goes_on(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    for one in world.custodians[:3]:
        world.contribute(opening_id, one)
    assert world.advance(opening_id)

    with world.works.open() as work:
        kinds = {one.kind for one in told.acts_of_gate(work)}
    told.require_remembered(world.works)

    assert kinds == {
        EventKind.POLICY_PUBLISHED,
        EventKind.BOX_CLOSED,
        EventKind.OPENING_SIGNED,
        EventKind.GATE_RELEASED,
    }


@pytest.mark.proves("T52")
def test_attack_t52_a_gate_restored_from_before_the_closing_does_not_start(
    offered: tuple[World, bytes], fresh_addresses: Addresses
) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)
    owner = connect(fresh_addresses.owner_database_url)
    with owner.begin() as connection:
        connection.execute(text("ALTER TABLE gate.closed DISABLE TRIGGER USER"))
        connection.execute(text("DELETE FROM gate.closed"))
    owner.dispose()

    with pytest.raises(RolledBack):
        told.require_remembered(world.works)
    with pytest.raises(StateError):
        release(world, opening_id, said)


@pytest.mark.parametrize("table", ["policy", "closed", "signed", "released"])
def test_a_row_of_the_gate_cannot_be_changed_or_removed(offered: tuple[World, bytes], table: str) -> None:
    world, opening_id = offered
    release(world, opening_id, notes(world, opening_id))

    for act in ("UPDATE gate.{} SET note = 'x'", "DELETE FROM gate.{}"):
        with gate_of(world).engine.connect() as connection, pytest.raises(ProgrammingError):
            connection.execute(text(act.format(table)))


@pytest.mark.proves("KEY-05")
def test_the_vaults_role_does_not_reach_the_gates_rows(published: World) -> None:
    with published.works.engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.execute(text("SELECT note FROM gate.policy"))


def test_keys_of_the_gate_do_not_print(published: World) -> None:
    shown = repr(gate_of(published)) + repr(gate_of(published).keys.get(published.procedure))

    assert "root=" not in shown
    assert "signer=" not in shown
