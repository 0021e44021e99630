# SPDX-License-Identifier: EUPL-1.2
"""Deposits that wait for a token, that race each other and the closing, or whose store fails at any step."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from crypto.deposit import Registration, Verdict
from crypto.events import EventKind
from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.statement import Kind, parse_note, require_signers
from tests.vault import convening, depositing
from tests.world.world import ACME, ZENITH, World
from vault import receiving, sweep
from vault.deposit import own
from vault.envelopes import Depositor, Wanted
from vault.errors import IdTaken, NotFound, OtherContent, StoreUnavailable
from vault.lifecycle import EnvelopeState

SECOND = timedelta(seconds=1)


def silence(world: World, *, silent: bool = True) -> None:
    world.time.a.silent = world.time.b.silent = silent


@pytest.mark.proves("TIME-05", "ACK-02", "T40")
def test_without_an_authority_the_depositor_has_the_notice_at_once_and_the_receipt_later(open_world: World) -> None:
    silence(open_world)
    request = depositing.request(open_world)

    first = depositing.send(open_world, request)
    again = depositing.send(open_world, request)
    silence(open_world, silent=False)
    open_world.time.clock.now += timedelta(minutes=5)
    assert sweep.received(open_world.works) == 0
    receipt = depositing.send(open_world, request)

    notice = depositing.notice_of(first)
    assert again.note == first.note
    require_signers(parse_note(first.note, Kind.REGISTRATION), [open_world.policy.vault_verifier], 1)
    assert notice.record == depositing.receipt_of(receipt).record
    assert depositing.receipt_of(receipt).ruling.verdict is Verdict.IN_TIME
    told = own.tell(open_world.works, _wanted(open_world, notice))
    assert (told.receipt, told.registration) == (receipt.note, first.note)
    assert [
        one.kind for one in depositing.events(open_world, EventKind.DEPOSIT_RECEIVED, EventKind.ENVELOPE_SEALED)
    ] == [
        EventKind.DEPOSIT_RECEIVED,
        EventKind.ENVELOPE_SEALED,
    ]


def test_a_repeat_fetches_the_token_that_was_missing(open_world: World) -> None:
    silence(open_world)
    request = depositing.request(open_world)
    notice = depositing.send(open_world, request)
    silence(open_world, silent=False)

    receipt = depositing.send(open_world, request)

    assert (notice.kind, receipt.kind) == (Kind.REGISTRATION, Kind.RECEIPT)
    assert depositing.send(open_world, request) == receipt


def test_one_authority_that_answers_is_enough_for_a_receipt(open_world: World) -> None:
    open_world.time.a.silent = True

    assert depositing.send(open_world, depositing.request(open_world)).kind is Kind.RECEIPT


def test_what_still_waits_at_the_closing_is_not_listed_and_is_reviewed_later(open_world: World) -> None:
    stands = open_world.deposit(ZENITH).id
    silence(open_world)
    given = depositing.send(open_world, depositing.request(open_world))
    assert receiving.settle(open_world.works, open_world.box_id()) == 1
    silence(open_world, silent=False)
    open_world.after_settle()
    open_world.close_box(1)

    assert open_world.listed(1) == [stands]
    sweep.received(open_world.works)
    assert depositing.kept(open_world, noticed_id(given)).state is EnvelopeState.REVIEW


@pytest.mark.proves("T44")
def test_five_at_once_without_an_authority_make_one_envelope_and_one_notice(open_world: World) -> None:
    silence(open_world)
    request = depositing.request(open_world)

    with ThreadPoolExecutor(5) as pool:
        given = list(pool.map(lambda _: depositing.send(open_world, request), range(5)))

    assert len({one.note for one in given}) == 1
    assert len(depositing.events(open_world, EventKind.DEPOSIT_RECEIVED)) == 1


@pytest.mark.proves("T26", "T44", "T45")
def test_of_different_deposits_racing_for_one_id_one_wins_and_the_others_are_refused(open_world: World) -> None:
    request = depositing.request(open_world)
    rivals = [request, replace(request, secret=bytes(32)), replace(request, bidder=ZENITH)]

    def attempt(one: int) -> str:
        try:
            return depositing.send(open_world, rivals[one]).kind
        except (OtherContent, IdTaken) as error:
            return error.code

    with ThreadPoolExecutor(3) as pool:
        given = list(pool.map(attempt, range(3)))

    assert given.count(Kind.RECEIPT) == 1
    assert set(given) <= {Kind.RECEIPT, OtherContent.code, IdTaken.code}
    assert depositing.envelope_ids(open_world) == {request.envelope_id}


@pytest.mark.proves("T39", "DEP-09")
def test_attack_t39_deposits_that_race_the_closing_are_listed_or_told_that_they_are_not(open_world: World) -> None:
    open_world.deposit(ZENITH)
    open_world.after_settle()
    bidders = [f"other:racer {number}" for number in range(6)]

    with ThreadPoolExecutor(7) as pool:
        closing = pool.submit(open_world.close_box, 1)
        given = list(pool.map(open_world.deposit, bidders))
        closing.result()

    listed = open_world.listed(1)
    for one in given:
        is_in_time = depositing.receipt_of(one.acknowledgement).ruling.verdict is Verdict.IN_TIME
        assert (one.id in listed) is is_in_time


@pytest.mark.proves("OPS-03")
@pytest.mark.parametrize("operation", ["part", "complete", "durable"])
def test_a_store_that_fails_keeps_no_row_and_the_same_again_succeeds(open_world: World, operation: str) -> None:
    request = depositing.request(open_world)
    open_world.store.fail(operation)

    with pytest.raises(StoreUnavailable):
        depositing.send(open_world, request)

    assert depositing.envelope_ids(open_world) == set()
    assert [state for state, _ in depositing.tried(open_world, request.envelope_id)] == ["failed"]
    assert depositing.send(open_world, request).kind is Kind.RECEIPT
    assert depositing.envelope_ids(open_world) == {request.envelope_id}


@pytest.mark.proves("OPS-03")
def test_an_object_whose_acknowledgement_was_lost_is_nobodys_envelope(open_world: World) -> None:
    request = depositing.request(open_world)
    open_world.store.fail("complete", is_persisted=True)
    with pytest.raises(StoreUnavailable):
        depositing.send(open_world, request)
    orphans = depositing.stored_names(open_world)

    depositing.send(open_world, request)

    kept = depositing.kept(open_world, request.envelope_id).facts
    assert len(orphans) == 1
    assert f"o/{kept.object_id.hex}" not in orphans


@pytest.mark.proves("OPS-03")
def test_what_was_acknowledged_survives_a_power_cut_of_both_stores(open_world: World) -> None:
    given = open_world.deposit(ACME)

    open_world.store.lose_power()
    open_world.key_store.lose_power()

    facts = depositing.kept(open_world, given.id).facts
    assert open_world.works.keys.object(open_world.procedure, facts.object_id)
    assert open_world.store.head(f"o/{facts.object_id.hex}", facts.version_id).size == facts.length


@pytest.mark.proves("OPS-03")
def test_a_key_store_that_fails_refuses_before_an_attempt_is_written(open_world: World) -> None:
    open_world.key_store.fail("put")
    request = depositing.request(open_world)

    with pytest.raises(StoreUnavailable):
        depositing.send(open_world, request)

    assert depositing.envelope_ids(open_world) == set()


def test_settling_what_is_not_there_is_not_found(open_world: World) -> None:
    with pytest.raises(NotFound):
        receiving.settle(open_world.works, 10**9)
    with pytest.raises(NotFound):
        receiving.settle_one(
            open_world.works, depositing.request(open_world).envelope_id, procedure=open_world.procedure
        )


def test_settling_what_is_settled_gives_the_same_receipt(open_world: World) -> None:
    given = open_world.deposit(ACME)

    assert receiving.settle_one(open_world.works, given.id, procedure=open_world.procedure) == given.acknowledgement


def _wanted(world: World, notice: Registration) -> Wanted:
    return Wanted(Depositor("default", notice.record.bidder), world.procedure, "1", _uuid(notice.record.envelope_id))


def _uuid(raw: bytes) -> UUID:
    return UUID(bytes=raw)


def noticed_id(given: receiving.Acknowledgement) -> UUID:
    return _uuid(depositing.notice_of(given).record.envelope_id)


@pytest.mark.proves("TIME-07")
def test_a_deposit_from_before_an_amendment_is_judged_by_the_policy_in_force_and_its_receipt_shows_both(
    open_world: World,
) -> None:
    silence(open_world)
    old = open_world.policy
    given = depositing.send(open_world, depositing.request(open_world))
    silence(open_world, silent=False)
    new = convening.amended(open_world, convening.later(open_world), by=2)
    open_world.time.clock.now = old.box(1).deadline + timedelta(hours=1)

    assert sweep.received(open_world.works) == 0

    wanted = _wanted(open_world, depositing.notice_of(given))
    told = own.tell(open_world.works, wanted)
    checked = check_receipt(told.receipt, ReceiptEvidence.decode(own.evidence(open_world.works, wanted)))
    assert (checked.policy, checked.judged_by) == (old, new)
    assert checked.ruling.verdict is Verdict.IN_TIME
    open_world.after_settle()
    open_world.close_box(1)
    assert open_world.listed(1) == [wanted.envelope_id]
