# SPDX-License-Identifier: EUPL-1.2
"""Opening closed boxes: who, when, in two phases, and what one bad envelope or custodian stops (nothing)."""

from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from sqlmodel import select

from crypto.bundle import BundleReader, write_bundle
from crypto.ceremony import Contribution, Keyed, Minutes, Opening, Outcome, share_info
from crypto.errors import (
    ClockError,
    CryptoError,
    OpeningError,
    PersonError,
    SignatureError,
    TimeProofError,
)
from crypto.events import Event, EventKind
from crypto.hpke import KemKey, seal
from crypto.policy import Part
from crypto.statement import Kind, parse_note
from tests.world.custodian import Custodian
from tests.world.world import ACME, BUYER, PLATFORM, ZENITH, World
from vault import envelopes, journal
from vault.errors import NotFound, StoreUnavailable, TimeUnproven, WrongState
from vault.lifecycle import BoxState, ContributionState, EnvelopeState
from vault.models import Envelope, JournalRow, OpeningRow
from vault.opening import contributing, due, offer, showing
from vault.store.names import object_name


@pytest.fixture
def closed(world: World) -> World:
    """Two envelopes in the technical box, one in the financial; 3 of 5 custodians; both boxes closed."""
    world.publish()
    world.first = world.deposit(ACME, {"plans/a.pdf": b"%PDF" * 5000, "prix.txt": b"42\n"})  # type: ignore[attr-defined]
    world.second = world.deposit(ZENITH)  # type: ignore[attr-defined]
    world.deposit(ACME, part=Part.FINANCIAL)
    world.after_settle(1)
    world.close_box(1)
    world.close_box(2)
    return world


def _row(world: World, opening_id: bytes) -> OpeningRow:
    with world.works.open() as work:
        return due.row_of(work, opening_id)


def _states(world: World) -> dict[str, EnvelopeState]:
    with world.works.open() as work:
        rows = work.session.exec(select(Envelope).where(Envelope.box_number == 1)).all()
    return {row.bidder or "": row.state for row in rows}


def _kinds(world: World) -> list[EventKind]:
    """The kinds of all public events of the procedure, in order."""
    with world.works.open() as work:
        rows = work.session.exec(select(JournalRow).where(JournalRow.procedure_id == world.procedure)).all()
    ordered = sorted(rows, key=lambda one: one.seq or 0)
    return [Event.decode(journal.read(world.works, row, procedure=world.procedure).event).kind for row in ordered]


def _minutes(world: World, opening_id: bytes) -> Minutes:
    return Minutes.of(parse_note(showing.minutes(world.works, opening_id), Kind.MINUTES))


@pytest.mark.proves("OPEN-01", "T5")
def test_nothing_is_offered_before_the_box_may_open(world: World) -> None:
    cards = tuple(one.card_file for one in world.custodians)
    wanted = world.draft()
    (lot,) = wanted.lots
    later = tuple(replace(part, not_before=part.deadline + timedelta(days=2)) for part in lot.parts)
    assert cards
    world.publish(replace(wanted, lots=(replace(lot, parts=later),)))
    world.deposit(ACME)
    world.time.clock.now = world.deadline + timedelta(minutes=5)
    world.close_box()

    with pytest.raises(TimeUnproven):
        world.offer(1)


@pytest.mark.proves("T65")
def test_a_custodian_whose_clock_says_too_early_contributes_nothing(closed: World) -> None:
    opening_id = closed.offer(1)
    behind = closed.custodians[0]
    true_time = behind.clock
    behind.clock = lambda: true_time() - timedelta(days=2)

    with pytest.raises(ClockError):
        behind.contribute(closed.bundle(opening_id))


@pytest.mark.proves("T5", "CONF-06", "KEY-05")
def test_the_gate_releases_nothing_while_its_own_clock_says_too_early(closed: World) -> None:
    opening_id = closed.offer(1)
    for one in closed.custodians:
        closed.contribute(opening_id, one)
    closed.gate_clock.ahead = -timedelta(days=2)

    with pytest.raises(CryptoError) as refused:
        closed.advance(opening_id)

    assert refused.type in {ClockError, TimeProofError}
    assert EventKind.GATE_REFUSED in _kinds(closed)
    assert _states(closed)[ACME] is EnvelopeState.LISTED


@pytest.mark.proves("T4", "OPEN-02", "KEY-01")
def test_two_of_three_needed_custodians_open_nothing(closed: World) -> None:
    opening_id = closed.offer(1)
    for one in closed.custodians[:2]:
        closed.contribute(opening_id, one)

    assert not closed.advance(opening_id)
    assert _states(closed) == {ACME: EnvelopeState.LISTED, ZENITH: EnvelopeState.LISTED}


@pytest.mark.parametrize("who", [(0, 1, 2), (2, 3, 4), (0, 2, 4)])
@pytest.mark.proves("KEY-01", "OPEN-02")
def test_any_three_custodians_open_the_box(closed: World, who: tuple[int, ...]) -> None:
    opening_id = closed.offer(1)
    for index in who:
        closed.contribute(opening_id, closed.custodians[index])

    assert closed.advance(opening_id)
    assert closed.opened()[closed.first.id]["prix.txt"] == b"42\n"  # type: ignore[attr-defined]


@pytest.mark.proves("T19")
def test_a_person_counts_once(closed: World) -> None:
    opening_id = closed.offer(1)
    alice = closed.custodians[0]
    first = closed.contribute(opening_id, alice)
    with pytest.raises(PersonError):
        closed.contribute(opening_id, alice)  # HPKE is random: another contribution of the same person

    assert first.accepted == 1


def test_the_same_contribution_again_gets_the_same_answer(closed: World) -> None:
    opening_id = closed.offer(1)
    alice = closed.custodians[0]
    said = alice.contribute(closed.bundle(opening_id)).note
    answers = [
        contributing.contribute(closed.works, PLATFORM, opening_id, note=said, person=alice.person) for _ in range(2)
    ]

    assert answers[0] == answers[1]


@pytest.mark.proves("T18")
def test_a_contribution_in_another_s_name_is_refused(closed: World) -> None:
    opening_id = closed.offer(1)
    said = closed.custodians[0].contribute(closed.bundle(opening_id))

    with pytest.raises(PersonError):
        contributing.contribute(closed.works, PLATFORM, opening_id, note=said.note, person=closed.custodians[1].person)


@pytest.mark.proves("T54")
def test_a_stranger_s_contribution_is_refused_by_its_signature(closed: World) -> None:
    opening_id = closed.offer(1)
    mallory = Custodian("mallory", closed.time.clock)
    row = _row(closed, opening_id)
    key = due.opening_of(row).opening_key
    sealed = seal(key, share_info(Kind.CONTRIBUTION, opening_id, mallory.master.kid), bytes(66))
    forged = Contribution(opening_id, mallory.master.kid, sealed).statement(Kind.CONTRIBUTION)

    with pytest.raises(SignatureError):
        contributing.contribute(
            closed.works,
            PLATFORM,
            opening_id,
            note=forged.signed_by(mallory.holder.signer).note,
            person=mallory.person,
        )


@pytest.mark.proves("T20")
def test_a_wrong_share_refuses_that_contribution_alone_and_names_its_custodian(closed: World) -> None:
    opening_id = closed.offer(1)
    bad = closed.custodians[0]
    key = due.opening_of(_row(closed, opening_id)).opening_key
    sealed = seal(key, share_info(Kind.CONTRIBUTION, opening_id, bad.master.kid), bytes(33) * 2)
    wrong = Contribution(opening_id, bad.master.kid, sealed).statement(Kind.CONTRIBUTION)
    contributing.contribute(
        closed.works, PLATFORM, opening_id, note=wrong.signed_by(bad.holder.signer).note, person=bad.person
    )
    for one in closed.custodians[1:4]:
        closed.contribute(opening_id, one)

    assert closed.advance(opening_id)

    states = {one.name: one.state for one in showing.opening(closed.works, opening_id).contributors}
    assert states[bad.subject] == ContributionState.REFUSED
    assert EventKind.CONTRIBUTION_REFUSED in _kinds(closed)
    assert _states(closed) == {ACME: EnvelopeState.OPENED, ZENITH: EnvelopeState.OPENED}


@pytest.mark.proves("T15")
def test_an_opening_key_swapped_on_the_way_is_refused_by_the_tool(closed: World) -> None:
    opening_id = closed.offer(1)
    head = due.dossier(closed.works, opening_id)
    said = Opening.of(head.opening)
    swapped = replace(said, opening_key=KemKey(bytes(32)).public).statement
    forged = b"".join(write_bundle(replace(head, opening=swapped.signed_by(closed.custodians[0].holder.signer)), []))

    with pytest.raises(SignatureError):
        closed.custodians[1].contribute(forged)


@pytest.mark.proves("T17", "T43")
def test_a_contribution_to_an_abandoned_attempt_is_void(closed: World) -> None:
    first = closed.offer(1)
    said = closed.custodians[0].contribute(closed.bundle(first))
    offer.abandon(closed.works, PLATFORM, first)
    second = closed.offer(1)

    assert second != first
    with pytest.raises(OpeningError):
        contributing.contribute(closed.works, PLATFORM, second, note=said.note, person=closed.custodians[0].person)


@pytest.mark.proves("T43")
def test_offering_again_gives_the_opening_under_way(closed: World) -> None:
    assert closed.offer(1) == closed.offer(1)


@pytest.mark.proves("T23")
def test_after_keyed_no_contribution_is_taken(closed: World) -> None:
    opening_id = closed.open_boxes(1)

    with pytest.raises(WrongState):
        closed.contribute(opening_id, closed.custodians[4])


@pytest.mark.proves("OPEN-03", "OPEN-14", "T63")
def test_one_rotten_envelope_is_named_and_the_others_open(closed: World) -> None:
    _rot(closed, ACME)

    opening_id = closed.open_boxes(1)

    outcomes = [one.outcome for one in _minutes(closed, opening_id).envelopes]
    assert outcomes == [Outcome.FAILED, Outcome.OPENED]
    assert _states(closed) == {ACME: EnvelopeState.FAILED, ZENITH: EnvelopeState.OPENED}
    assert list(closed.opened()) == [closed.second.id]  # type: ignore[attr-defined]


@pytest.mark.proves("OPEN-08")
def test_an_envelope_that_the_buyer_leaves_out_stays_sealed(closed: World) -> None:
    opening_id = closed.offer(1, left_out=(closed.first.id,))  # type: ignore[attr-defined]
    for one in closed.custodians[:3]:
        closed.contribute(opening_id, one)
    assert closed.advance(opening_id)

    assert _states(closed) == {ACME: EnvelopeState.LISTED, ZENITH: EnvelopeState.OPENED}


@pytest.mark.proves("DEP-12")
def test_opening_the_technical_box_opens_nothing_of_the_financial_one(closed: World) -> None:
    closed.open_boxes(1)

    assert closed.box_state(2) is BoxState.CLOSED
    assert set(closed.opened()) == {closed.first.id, closed.second.id}  # type: ignore[attr-defined]


@pytest.mark.parametrize("failing", ["get", "put", "durable", "delete"])
@pytest.mark.proves("T42", "OPEN-05")
def test_a_worker_that_dies_at_the_key_store_goes_on_without_asking_anyone(closed: World, failing: str) -> None:
    opening_id = closed.offer(1)
    for one in closed.custodians[:3]:
        closed.contribute(opening_id, one)
    closed.key_store.fail(failing)
    with pytest.raises(StoreUnavailable):
        closed.advance(opening_id)
    closed.works = closed.start()

    assert closed.advance(opening_id)
    assert _kinds(closed).count(EventKind.ENVELOPE_OPENED) == 2
    assert _kinds(closed).count(EventKind.BOX_KEYED) == 1
    assert list(closed.key_store.list("4/")) == []


@pytest.mark.proves("T16")
def test_the_opening_key_s_seed_is_gone_once_keyed(closed: World) -> None:
    closed.open_boxes(1)

    assert list(closed.key_store.list("4/")) == []


@pytest.mark.proves("OPEN-10", "OPEN-15")
def test_the_minutes_say_who_opened_and_what_became_of_each_envelope(closed: World) -> None:
    opening_id = closed.open_boxes(1)

    minutes = _minutes(closed, opening_id)
    keyed = parse_note(_row(closed, opening_id).keyed or b"", Kind.KEYED)
    assert set(minutes.contributors) == {one.person for one in closed.custodians[:3]}
    assert minutes.keyed_id == keyed.id
    assert Keyed.of(keyed).unkeyed == ()
    assert [one.outcome for one in minutes.envelopes] == [Outcome.OPENED, Outcome.OPENED]


@pytest.mark.proves("OPEN-13")
def test_another_platform_s_caller_finds_no_opening(closed: World) -> None:
    opening_id = closed.offer(1)

    with pytest.raises(NotFound):
        contributing.contribute(closed.works, "elsewhere", opening_id, note=b"", person=BUYER.subject.encode())


def test_a_bundle_lists_headers_in_list_order(closed: World) -> None:
    reader = BundleReader(BytesIO(closed.bundle(closed.offer(1))))

    assert len(list(reader.headers())) == 2


def _rot(world: World, bidder: str) -> None:
    with world.works.open() as work:
        row = work.session.exec(select(Envelope).where(Envelope.bidder == bidder, Envelope.box_number == 1)).one()
        facts = envelopes.read(world.works, row, procedure=world.procedure)
    world.store.rot(object_name(facts.object_id.bytes), at=facts.length // 2)
