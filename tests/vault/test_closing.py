# SPDX-License-Identifier: EUPL-1.2
"""Closing a box: what stands, when, and what cannot change afterwards."""

from datetime import timedelta

import pytest
from sqlmodel import select

from crypto.closing_rules import require_listed
from crypto.closings import EnvelopeList
from crypto.deposit import Receipt
from crypto.errors import ListError
from crypto.statement import Kind, parse_note
from tests.world.world import ACME, World
from vault import closing
from vault.errors import DatabaseUnavailable, StoreUnavailable, TimeUnproven
from vault.lifecycle import BoxState, EnvelopeState
from vault.models import ClosingRow, Envelope


def _receipt(note: bytes) -> Receipt:
    return Receipt.decode(parse_note(note, Kind.RECEIPT).payload)


@pytest.mark.proves("OPEN-01", "TIME-01")
def test_a_box_does_not_close_before_deadline_and_settle(open_world: World) -> None:
    open_world.deposit(ACME)
    box = open_world.box()
    open_world.time.clock.now = box.box.deadline + box.policy.settle - timedelta(seconds=1)

    with pytest.raises(TimeUnproven):
        open_world.close_box()

    assert open_world.box_state() is BoxState.OPEN


@pytest.mark.proves("DEP-09", "DEP-10", "OPEN-06")
def test_the_last_in_time_envelope_of_a_bidder_is_the_one_listed(open_world: World) -> None:
    for content in (b"first", b"second"):
        open_world.deposit(ACME, {"bid.txt": content})
    third = open_world.deposit(ACME, {"bid.txt": b"third"})
    open_world.deposit(ACME, {"bid.txt": b"late"}, at=open_world.deadline + timedelta(minutes=2))

    open_world.close_box()

    assert open_world.listed() == [third.id]


@pytest.mark.proves("DEP-09")
def test_earlier_envelopes_become_superseded_only_at_the_closing(open_world: World) -> None:
    first = open_world.deposit(ACME)
    open_world.deposit(ACME)
    assert _state(open_world, first.id) is EnvelopeState.SEALED

    open_world.after_settle()
    open_world.close_box()

    assert _state(open_world, first.id) is EnvelopeState.SUPERSEDED


@pytest.mark.proves("OPEN-04")
def test_envelopes_are_listed_in_their_order_of_arrival(open_world: World) -> None:
    bidders = [f"other:bidder-{number}" for number in range(5)]
    deposited = [open_world.deposit(bidder).id for bidder in bidders]
    open_world.after_settle()

    open_world.close_box()

    assert open_world.listed() == deposited


@pytest.mark.proves("T59")
def test_closing_again_gives_the_same_statement(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()

    assert open_world.close_box().note == open_world.close_box().note


@pytest.mark.proves("T37")
def test_a_receipt_proves_that_its_envelope_was_dropped(open_world: World) -> None:
    acme = open_world.deposit(ACME)
    open_world.after_settle()
    open_world.close_box()

    record = _receipt(acme.acknowledgement.note).record

    assert require_listed(record, _list(open_world)) == 0
    with pytest.raises(ListError):
        require_listed(record, EnvelopeList(()))


@pytest.mark.parametrize("step", ["put", "durable"])
def test_a_store_that_fails_in_mid_closing_loses_nothing_and_the_next_try_ends_it(open_world: World, step: str) -> None:
    acme = open_world.deposit(ACME)
    open_world.after_settle()
    open_world.store.fail(step)
    with pytest.raises((StoreUnavailable, DatabaseUnavailable)):
        open_world.close_box()

    open_world.close_box()

    assert open_world.listed() == [acme.id]
    assert open_world.box_state() is BoxState.CLOSED


def test_a_box_without_envelopes_is_opened_by_its_closing(open_world: World) -> None:
    open_world.after_settle()

    open_world.close_box()

    assert open_world.box_state() is BoxState.OPENED


@pytest.mark.proves("T39")
def test_a_closing_started_by_two_workers_gives_one_row(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()
    first = closing.close(open_world.works, open_world.box_id())
    second = closing.close(open_world.start(), open_world.box_id())

    assert first.id == second.id


def _state(world: World, envelope_id: object) -> EnvelopeState:
    with world.works.open() as work:
        return work.session.get_one(Envelope, envelope_id).state


def _list(world: World) -> EnvelopeList:

    with world.works.open() as work:
        return EnvelopeList.decode(work.session.exec(select(ClosingRow)).one().list)
