# SPDX-License-Identifier: EUPL-1.2
"""Closing a box: what stands, when, and what cannot change afterwards."""

from datetime import timedelta

import pytest
from sqlmodel import select

from crypto.closing_rules import require_listed
from crypto.closings import Closing, EnvelopeList
from crypto.deposit import Receipt, Verdict
from crypto.errors import CryptoError, ListError, StateError
from crypto.statement import Kind, parse_note
from tests.world.world import ACME, ZENITH, World
from vault import closing
from vault.errors import DatabaseUnavailable, StoreUnavailable, TimeUnproven
from vault.lifecycle import BoxState, EnvelopeState
from vault.models import ClosingRow, Envelope, JournalRow


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


@pytest.mark.proves("T7")
def test_a_server_clock_a_day_ahead_closes_nothing(open_world: World) -> None:
    open_world.clock.ahead = timedelta(days=2)

    with pytest.raises(TimeUnproven):
        open_world.close_box()


@pytest.mark.proves("T7", "TIME-01")
def test_a_deposit_while_the_server_clock_is_ahead_is_in_time_by_its_token(open_world: World) -> None:
    open_world.clock.ahead = timedelta(days=2)

    acme = open_world.deposit(ACME)

    assert _receipt(acme.acknowledgement.note).ruling.verdict is Verdict.IN_TIME


@pytest.mark.proves("T10")
def test_one_lying_authority_does_not_close_a_box(open_world: World) -> None:
    open_world.time.a.ahead = timedelta(days=3)

    with pytest.raises(TimeUnproven):
        open_world.close_box()


@pytest.mark.proves("T9", "LATE-01", "ACK-04")
def test_a_closing_worker_that_sleeps_does_not_extend_the_deadline(open_world: World) -> None:
    acme = open_world.deposit(ACME)
    late = open_world.deposit(ZENITH, at=open_world.deadline + timedelta(minutes=20))

    open_world.close_box()

    assert _receipt(late.acknowledgement.note).ruling.verdict is Verdict.LATE
    assert open_world.listed() == [acme.id]


@pytest.mark.proves("T8", "TIME-01")
def test_a_server_clock_a_day_back_gives_review_and_no_listing(open_world: World) -> None:
    open_world.time.clock.now = open_world.deadline + timedelta(minutes=5)
    open_world.clock.ahead = -timedelta(days=1)

    early = open_world.deposit(ACME)

    assert _receipt(early.acknowledgement.note).ruling.verdict is Verdict.REVIEW
    open_world.clock.ahead = timedelta()
    open_world.close_box()
    assert open_world.listed() == []


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


@pytest.mark.proves("T38")
def test_the_gate_refuses_a_second_main_closing_with_another_root(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()
    first = Closing.of(open_world.close_box())
    forged = Closing(first.policy_hash, 1, 0, EnvelopeList(()).root, first.deadline, first.at).statement
    signed = forged.signed_by(open_world.works.service_keys.statement)

    with pytest.raises(CryptoError) as refused:
        open_world.works.gate.accept_closing(signed.note, EnvelopeList(()).encode(), ())

    assert refused.type is StateError


@pytest.mark.proves("T37")
def test_a_receipt_proves_that_its_envelope_was_dropped(open_world: World) -> None:
    acme = open_world.deposit(ACME)
    open_world.after_settle()
    open_world.close_box()

    record = _receipt(acme.acknowledgement.note).record

    assert require_listed(record, _list(open_world)) == 0
    with pytest.raises(ListError):
        require_listed(record, EnvelopeList(()))


@pytest.mark.proves("T40", "TIME-05")
def test_a_deposit_whose_token_comes_after_the_closing_began_is_in_review(open_world: World) -> None:
    open_world.time.clock.now = open_world.deadline - timedelta(seconds=5)
    open_world.time.line.is_cut = True
    open_world.deposit(ACME)
    open_world.time.line.is_cut = False
    open_world.after_settle()

    open_world.close_box()

    assert open_world.listed() == []
    assert [row.state for row in _envelopes(open_world)] == [EnvelopeState.REVIEW]


@pytest.mark.proves("T62")
def test_the_newer_deposit_stands_though_the_older_got_its_token_later(open_world: World) -> None:
    open_world.time.line.is_cut = True
    open_world.deposit(ACME, {"bid.txt": b"older"})
    open_world.time.line.is_cut = False
    newer = open_world.deposit(ACME, {"bid.txt": b"newer"})
    open_world.after_settle()

    open_world.close_box()

    assert open_world.listed() == [newer.id]


@pytest.mark.proves("T2", "CONF-03")
def test_rows_name_procedure_and_bidder_only_after_the_closing(open_world: World) -> None:
    open_world.deposit(ACME)
    assert [(row.procedure_id, row.bidder) for row in _envelopes(open_world)] == [(None, None)]
    assert _hidden_entries(open_world) > 0

    open_world.after_settle()
    open_world.close_box()

    assert [(row.procedure_id, row.bidder) for row in _envelopes(open_world)] == [(open_world.procedure, ACME)]


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


def _envelopes(world: World) -> list[Envelope]:

    with world.works.open() as work:
        return list(work.session.exec(select(Envelope)))


def _list(world: World) -> EnvelopeList:

    with world.works.open() as work:
        return EnvelopeList.decode(work.session.exec(select(ClosingRow)).one().list)


def _hidden_entries(world: World) -> int:

    with world.works.open() as work:
        rows = work.session.exec(select(JournalRow)).all()
    return sum(1 for row in rows if row.bucket and row.procedure_id is None)
