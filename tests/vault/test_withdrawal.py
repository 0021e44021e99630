# SPDX-License-Identifier: EUPL-1.2
"""Withdrawals: whose, which, until when, and what becomes of the id."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.deposit import Verdict
from crypto.events import EventKind
from crypto.policy import Part
from crypto.receipt_evidence import ReceiptEvidence, check_receipt
from crypto.statement import Kind
from tests.vault import depositing
from tests.world.world import ACME, ZENITH, World
from vault import sweep
from vault.deposit import own
from vault.envelopes import Depositor, Wanted
from vault.errors import AuthorityUnavailable, IdTaken, NotFound, WrongState
from vault.lifecycle import EnvelopeState, ProcedureState
from vault.models import Procedure

SECOND = timedelta(seconds=1)


@pytest.mark.proves("T47", "LOG-02")
def test_nobody_withdraws_anothers_envelope(open_world: World) -> None:
    mine = open_world.deposit(ACME).id

    answers = []
    for envelope_id, bidder, lot in ((mine, ZENITH, "1"), (uuid4(), ACME, "1"), (mine, ACME, "2")):
        with pytest.raises(NotFound) as caught:
            open_world.withdraw(envelope_id, bidder, lot=lot)
        answers.append(str(caught.value))

    assert len(set(answers)) == 1
    assert depositing.kept(open_world, mine).state is EnvelopeState.SEALED
    assert len(depositing.events(open_world, EventKind.ACCESS_REFUSED)) == 3


def test_a_withdrawal_without_an_authority_changes_nothing(open_world: World) -> None:
    mine = open_world.deposit(ACME).id
    open_world.time.a.silent = open_world.time.b.silent = True

    with pytest.raises(AuthorityUnavailable):
        open_world.withdraw(mine)

    assert depositing.kept(open_world, mine).state is EnvelopeState.SEALED
    assert not depositing.events(open_world, EventKind.ENVELOPE_WITHDRAWN)


def test_nothing_is_withdrawn_once_the_procedure_has_ended(open_world: World) -> None:
    mine = open_world.deposit(ACME).id
    with open_world.works.open() as work:
        work.session.get_one(Procedure, open_world.procedure).state = ProcedureState.ARCHIVED

    with pytest.raises(WrongState):
        open_world.withdraw(mine)


@pytest.mark.proves("T49")
@pytest.mark.parametrize("after", [timedelta(milliseconds=1), timedelta(hours=1)], ids=str)
def test_a_withdrawal_that_is_not_in_time_has_no_effect(open_world: World, after: timedelta) -> None:
    mine = open_world.deposit(ACME).id
    open_world.time.clock.now = open_world.deadline + after

    given = open_world.withdraw(mine)

    assert depositing.withdrawal_of(given).ruling.verdict is not Verdict.IN_TIME
    assert given.state is EnvelopeState.SEALED
    assert open_world.withdraw(mine) == given
    open_world.after_settle()
    open_world.close_box(1)
    assert open_world.listed(1) == [mine]


@pytest.mark.proves("DEP-09", "LOG-01")
def test_withdrawing_takes_back_the_earlier_ones_of_the_bidder_in_the_box_and_no_other(open_world: World) -> None:
    first, second, third = (open_world.deposit(ACME).id for _ in range(3))
    rival = open_world.deposit(ZENITH).id
    elsewhere = open_world.deposit(ACME, part=Part.FINANCIAL).id

    given = open_world.withdraw(second)

    states = [depositing.kept(open_world, one).state for one in (first, second, third, rival, elsewhere)]
    assert states == [EnvelopeState.WITHDRAWN] * 2 + [EnvelopeState.SEALED] * 3
    told = depositing.events(open_world, EventKind.ENVELOPE_WITHDRAWN)
    assert {one.data for one in told} == {first.bytes, second.bytes}
    assert depositing.withdrawal_of(given).record.envelope_id == second.bytes
    open_world.after_settle()
    open_world.close_box(1)
    assert open_world.listed(1) == [third, rival]


@pytest.mark.proves("ACK-01")
def test_the_same_withdrawal_again_gives_the_same_statement_which_can_be_checked_alone(open_world: World) -> None:
    mine = open_world.deposit(ACME).id
    given = open_world.withdraw(mine)
    open_world.time.clock.now += timedelta(minutes=3)
    open_world.works = open_world.start()

    assert open_world.withdraw(mine) == given
    wanted = Wanted(Depositor("default", ACME), open_world.procedure, "1", mine)
    for kind, note in ((Kind.WITHDRAWAL, given.note), (Kind.RECEIPT, own.tell(open_world.works, wanted).receipt)):
        evidence = ReceiptEvidence.decode(own.evidence(open_world.works, wanted, kind=kind))
        assert check_receipt(note, evidence, kind=kind).ruling.verdict is Verdict.IN_TIME


@pytest.mark.proves("T49")
def test_a_withdrawn_id_is_used_up_and_a_new_one_may_follow(open_world: World) -> None:
    request = depositing.request(open_world)
    depositing.send(open_world, request)
    open_world.withdraw(request.envelope_id)

    with pytest.raises(IdTaken):
        depositing.send(open_world, request)
    new = open_world.deposit(ACME).id

    open_world.after_settle()
    open_world.close_box(1)
    assert open_world.listed(1) == [new]


@pytest.mark.proves("T49", "T62")
def test_an_envelope_that_waits_for_its_token_is_withdrawn_and_still_gets_its_receipt(open_world: World) -> None:
    open_world.time.a.silent = open_world.time.b.silent = True
    mine = open_world.deposit(ACME).id
    open_world.time.a.silent = open_world.time.b.silent = False

    open_world.withdraw(mine)
    assert sweep.received(open_world.works) == 0

    kept = depositing.kept(open_world, mine)
    assert (kept.state, bool(kept.facts.receipt)) == (EnvelopeState.WITHDRAWN, True)
    open_world.after_settle()
    open_world.close_box(1)
    assert open_world.listed(1) == []


@pytest.mark.proves("T49")
@pytest.mark.parametrize("offset", [timedelta(milliseconds=-1), timedelta(milliseconds=1)], ids=str)
def test_attack_t49_a_withdrawal_at_the_closing_is_in_or_out_and_never_both(
    open_world: World, offset: timedelta
) -> None:
    mine = open_world.deposit(ACME).id
    with open_world.works.open() as work:
        work.lock_box(open_world.box_id(), exclusive=True)  # C2 is under way
        with ThreadPoolExecutor(1) as pool:
            open_world.time.clock.now = open_world.deadline + offset
            withdrawal = pool.submit(open_world.withdraw, mine)
            work.session.commit()  # C2 ends; whoever waited for the lock goes on
            given = withdrawal.result()
    open_world.after_settle()
    open_world.close_box(1)

    is_out = depositing.withdrawal_of(given).ruling.verdict is Verdict.IN_TIME
    assert (mine in open_world.listed(1)) is not is_out


@pytest.mark.proves("T44")
def test_five_withdrawals_at_once_are_one(open_world: World) -> None:
    mine = open_world.deposit(ACME).id

    with ThreadPoolExecutor(5) as pool:
        given = list(pool.map(lambda _: open_world.withdraw(mine), range(5)))

    assert len({one.note for one in given}) == 1
    assert len(depositing.events(open_world, EventKind.ENVELOPE_WITHDRAWN)) == 1
