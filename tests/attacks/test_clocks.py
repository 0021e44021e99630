# SPDX-License-Identifier: EUPL-1.2
"""Clocks that are wrong, workers that sleep, authorities that are silent: nothing opens early, nothing becomes late."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from api import worker as working
from crypto.deposit import DepositRecord, Verdict
from crypto.encoding import from_millis
from crypto.errors import ClockError, CryptoError, PersonError
from crypto.events import EventKind
from crypto.statement import Kind
from tests.vault import convening, depositing
from tests.world.world import ACME, BUYER, PLATFORM, ZENITH, MovableClock, World
from vault import closing, procedures, receiving, sweep, timers, withdrawal
from vault.deposit.announcement import DepositRequest
from vault.deposit.journey import deposit
from vault.envelopes import Depositor
from vault.errors import InvalidInput, TimeUnproven, VaultError
from vault.lifecycle import BoxState, EnvelopeState, Reason
from vault.opening import contributing, offer
from vault.receiving import Acknowledgement
from vault.work import Works

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
WHO = ("api", "worker", "gate", "all")
BOTH_WAYS = pytest.mark.parametrize("ahead", [DAY, -DAY], ids=["a day ahead", "a day back"])


def silence(world: World, *, silent: bool = True) -> None:
    world.time.a.silent = world.time.b.silent = silent


def skewed(world: World, who: str, ahead: timedelta) -> tuple[Works, Works]:
    """API and worker as processes of their own, of which one (or the gate, or all) has a wrong clock."""
    api, worker = (
        replace(world.works, clock=MovableClock(world.time, ahead if who in (name, "all") else timedelta()))
        for name in ("api", "worker")
    )
    world.gate_clock.ahead = ahead if who in ("gate", "all") else timedelta()
    return api, worker


def go_to_the_end(world: World, api: Works, worker: Works) -> None:
    """Close, offer, contribute, open, as far as it goes; a step done before is not done again."""
    timers.queue_due(worker)
    closing.close(worker, world.box_id())
    opening_id = offer.offer(api, PLATFORM, world.procedure, offer.Request((1,))).id
    one = world.custodians[0]
    with suppress(PersonError):  # it has contributed before
        said = one.contribute(world.bundle(opening_id))
        contributing.contribute(api, PLATFORM, opening_id, note=said.note, person=one.person)
    world.works = worker
    assert world.advance(opening_id)


def verdict(given: Acknowledgement) -> Verdict:
    return depositing.receipt_of(given).ruling.verdict


def refusal(act: Callable[[], object]) -> str:
    """The code by which an act was refused; empty when it was done."""
    try:
        act()
    except (VaultError, CryptoError) as error:
        return error.code
    return ""


@pytest.mark.proves("T7", "T8", "CONF-06", "TIME-01")
@pytest.mark.parametrize("who", WHO)
@BOTH_WAYS
def test_attack_T7_a_clock_a_day_off_neither_closes_nor_opens_early_nor_makes_a_deposit_late(
    open_world: World, who: str, ahead: timedelta
) -> None:
    api, worker = skewed(open_world, who, ahead)
    given = [
        deposit(api, one, depositing.body(open_world)) for one in (request(open_world), request(open_world, ZENITH))
    ]
    taken_back = withdrawal.withdraw(
        api,
        Depositor(PLATFORM, ZENITH),
        UUID(bytes=record(given[1]).envelope_id),
        procedure=open_world.procedure,
        lot="1",
    )

    early = [
        refusal(lambda: closing.close(worker, open_world.box_id())),
        refusal(lambda: offer.offer(api, PLATFORM, open_world.procedure, offer.Request((1,)))),
    ]

    assert [verdict(one) for one in given] == [Verdict.IN_TIME, Verdict.IN_TIME]
    assert depositing.withdrawal_of(taken_back).ruling.verdict is Verdict.IN_TIME
    assert early == ["time-unproven", "wrong-state"]
    assert open_world.box_state() is BoxState.OPEN


@pytest.mark.proves("T7", "T8", "CONF-06")
@pytest.mark.parametrize("who", WHO)
@BOTH_WAYS
def test_attack_T8_a_clock_a_day_off_delays_the_opening_of_a_due_box_at_most_until_it_is_right(
    open_world: World, who: str, ahead: timedelta
) -> None:
    mine = open_world.deposit(ACME).id
    open_world.after_settle()

    refused = refusal(lambda: go_to_the_end(open_world, *skewed(open_world, who, ahead)))

    assert refused == (ClockError.code if ahead < timedelta() else "")
    assert list(open_world.opened()) == ([] if refused else [mine])
    if refused:
        go_to_the_end(open_world, *skewed(open_world, who, timedelta()))
    assert list(open_world.opened()) == [mine]


@pytest.mark.proves("T8", "CONF-06")
def test_attack_T8_what_a_gate_refuses_by_its_own_clock_is_in_the_journal(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.after_settle()
    open_world.close_box()
    opening_id = open_world.offer(1)
    open_world.contribute(opening_id, open_world.custodians[0])
    open_world.gate_clock.ahead = -DAY

    assert refusal(lambda: open_world.advance(opening_id)) == ClockError.code

    assert [one.data for one in convening.events(open_world, EventKind.GATE_REFUSED)] == [b"clock"]


@pytest.mark.proves("T7", "CONF-06")
@BOTH_WAYS
def test_attack_T7_a_clock_a_day_off_gives_no_procedure_a_deadline_that_has_passed(
    world: World, ahead: timedelta
) -> None:
    wanted = world.draft(k=1, n=1)
    api, _ = skewed(world, "all", ahead)
    passed = tuple(replace(part, deadline=world.now - timedelta(hours=1)) for part in wanted.lots[0].parts)
    late = replace(wanted, lots=(replace(wanted.lots[0], parts=passed),))

    code = refusal(lambda: procedures.draft(api, BUYER, late))

    # A vault whose clock is behind cannot know; the custodians' tools and the gate, by their own, sign no such policy.
    assert code == ("" if ahead < timedelta() else InvalidInput.code)


@pytest.mark.proves("T7", "TIME-07", "CONF-06")
@BOTH_WAYS
def test_attack_T7_a_clock_a_day_off_brings_no_deadline_forward(open_world: World, ahead: timedelta) -> None:
    api, _ = skewed(open_world, "all", ahead)
    open_world.works = api

    earlier = convening.later(open_world, days=-1)
    with pytest.raises((VaultError, CryptoError)):
        procedures.amend(api, BUYER, open_world.procedure, earlier)

    assert open_world.policy.epoch == 0


@pytest.mark.proves("T8", "TIME-01", "TIME-09")
@pytest.mark.parametrize("after", [SECOND * 2, timedelta(minutes=5), timedelta(hours=23)], ids=str)
def test_attack_T8_a_deposit_after_the_deadline_under_a_clock_a_day_back_is_reviewed_and_not_listed(
    open_world: World, after: timedelta
) -> None:
    open_world.time.clock.now = open_world.deadline + after
    open_world.clock.ahead = -DAY

    early = open_world.deposit(ACME)

    receipt = depositing.receipt_of(early.acknowledgement)
    assert (receipt.ruling.verdict, receipt.ruling.reason) == (Verdict.REVIEW, Reason.UNDECIDED)
    open_world.clock.ahead = timedelta()
    open_world.after_settle()
    open_world.close_box()
    assert open_world.listed() == []
    assert depositing.kept(open_world, early.id).state is EnvelopeState.REVIEW


@pytest.mark.proves("T9", "LATE-01", "ACK-04")
def test_attack_T9_deposits_while_the_closing_worker_sleeps_twenty_minutes_are_late(open_world: World) -> None:
    acme = open_world.deposit(ACME)
    late = [open_world.deposit(ZENITH, at=open_world.deadline + timedelta(minutes=one)) for one in (1, 5, 19, 20)]

    open_world.close_box()

    assert {verdict(one.acknowledgement) for one in late} == {Verdict.LATE}
    assert open_world.listed() == [acme.id]
    assert {depositing.kept(open_world, one.id).state for one in late} == {EnvelopeState.LATE}


@pytest.mark.proves("T40", "TIME-05", "TIME-06", "TIME-09")
@pytest.mark.parametrize(
    ("waited", "expected", "reason"),
    [
        (30 * SECOND, Verdict.IN_TIME, Reason.LAST_BYTE_BEFORE_DEADLINE),
        (31 * SECOND, Verdict.REVIEW, Reason.UNDECIDED),
        (600 * SECOND, Verdict.REVIEW, Reason.UNDECIDED),
        (7 * DAY, Verdict.REVIEW, Reason.UNDECIDED),
    ],
    ids=str,
)
def test_attack_T40_an_outage_across_the_deadline_makes_nothing_late_and_loses_nothing(
    open_world: World, waited: timedelta, expected: Verdict, reason: Reason
) -> None:
    silence(open_world)
    open_world.time.clock.now = open_world.deadline - timedelta(milliseconds=5)
    given = depositing.send(open_world, depositing.request(open_world))
    silence(open_world, silent=False)
    open_world.time.clock.now += waited

    receiving.settle(open_world.works, open_world.box_id())

    assert given.kind is Kind.REGISTRATION
    kept = depositing.kept(open_world, UUID(bytes=depositing.notice_of(given).record.envelope_id))
    assert (kept.facts.verdict, kept.facts.reason) == (expected, reason)
    assert DepositRecord.decode(kept.facts.record) == depositing.notice_of(given).record


@pytest.mark.proves("T40", "TIME-05")
def test_attack_T40_a_token_that_comes_after_the_closing_began_leads_to_review(open_world: World) -> None:
    open_world.time.clock.now = open_world.deadline - timedelta(seconds=5)
    silence(open_world)
    mine = open_world.deposit(ACME).id
    silence(open_world, silent=False)
    open_world.after_settle()

    open_world.close_box()

    assert open_world.listed() == []
    assert depositing.kept(open_world, mine).state is EnvelopeState.REVIEW


@pytest.mark.proves("T40", "TIME-05")
def test_attack_T40_while_no_authority_answers_nothing_closes_and_what_waits_is_kept(open_world: World) -> None:
    silence(open_world)
    mine = open_world.deposit(ACME).id
    open_world.after_settle()
    for _ in range(3):
        with suppress(TimeUnproven):
            open_world.close_box()
    assert open_world.box_state() is BoxState.OPEN
    silence(open_world, silent=False)

    open_world.close_box()

    assert depositing.kept(open_world, mine).state is EnvelopeState.REVIEW


@pytest.mark.proves("T62", "DEP-09")
@pytest.mark.parametrize("silent_for", ["the older", "the newer"])
def test_attack_T62_of_two_deposits_the_newer_stands_whichever_had_to_wait_for_its_token(
    open_world: World, silent_for: str
) -> None:
    silence(open_world, silent=silent_for == "the older")
    older = open_world.deposit(ACME).id
    silence(open_world, silent=silent_for == "the newer")
    newer = open_world.deposit(ACME).id
    silence(open_world, silent=False)
    sweep.received(open_world.works)
    open_world.after_settle()

    open_world.close_box(1)

    assert open_world.listed(1) == [newer]
    assert depositing.kept(open_world, older).state is EnvelopeState.SUPERSEDED


@pytest.mark.proves("T62")
def test_attack_T62_the_newer_stands_though_the_closing_itself_fetched_the_olders_token(open_world: World) -> None:
    open_world.time.line.is_cut = True
    open_world.deposit(ACME, {"bid.txt": b"older"})
    open_world.time.line.is_cut = False
    newer = open_world.deposit(ACME, {"bid.txt": b"newer"})
    open_world.after_settle()

    open_world.close_box()

    assert open_world.listed() == [newer.id]


@pytest.mark.proves("TIME-08")
@pytest.mark.parametrize("off", [timedelta(), timedelta(seconds=4), DAY, -DAY], ids=str)
def test_how_far_our_clock_was_off_stays_with_each_token(open_world: World, off: timedelta) -> None:
    open_world.time.a.ahead = -off  # as good as our own clock being ahead of every authority's

    given = open_world.deposit(ACME)

    [stamp] = depositing.kept(open_world, given.id).facts.stamps
    proved = open_world.time.a.verified(b"\0" * 32).at
    assert from_millis(stamp.asked_at) - proved == off


@pytest.mark.proves("TIME-09", "TIME-06")
@pytest.mark.parametrize("accuracy", [timedelta(milliseconds=1), SECOND, timedelta(seconds=90)], ids=str)
def test_an_arrival_that_the_proof_cannot_decide_goes_to_a_person_and_is_told_so(
    open_world: World, accuracy: timedelta
) -> None:
    open_world.time.a.accuracy = accuracy
    found = {}
    for after in (timedelta(milliseconds=1), SECOND, SECOND * 2, timedelta(seconds=60), timedelta(seconds=120)):
        given = open_world.deposit(ACME, at=open_world.deadline + after)
        found[after] = verdict(given.acknowledgement)

    # Late is only what the token itself puts behind the deadline, and our clock by more than its tolerance.
    assert found == {after: Verdict.LATE if after > max(SECOND, accuracy) else Verdict.REVIEW for after in found}


def request(world: World, bidder: str = ACME) -> DepositRequest:
    return depositing.request(world, bidder=bidder)


def record(given: Acknowledgement) -> DepositRecord:
    return depositing.receipt_of(given).record


@pytest.mark.proves("TIME-08")
def test_a_wrong_clock_raises_an_alarm_though_nobody_deposits(open_world: World) -> None:
    open_world.time.a.ahead = open_world.time.b.ahead = DAY

    with capture_logs() as told:
        working.watch_clock(open_world.works)

    assert [one["seconds"] for one in told if one["event"] == "authority.distant"] == [86_400.0, 86_400.0]
    assert open_world.works.authorities.distance() == DAY
