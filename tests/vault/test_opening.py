# SPDX-License-Identifier: EUPL-1.2
"""Opening closed boxes: who, when, in two phases, and what one bad envelope or custodian stops (nothing)."""

from io import BytesIO

import pytest
from sqlmodel import select

from crypto.bundle import BundleReader
from crypto.ceremony import Contribution, Keyed, Minutes, Outcome, share_info
from crypto.errors import (
    SignatureError,
)
from crypto.events import Event, EventKind
from crypto.hpke import seal
from crypto.policy import Part
from crypto.statement import Kind, parse_note
from tests.world.custodian import Custodian
from tests.world.world import ACME, BUYER, PLATFORM, ZENITH, World
from vault import journal
from vault.errors import NotFound, StoreUnavailable
from vault.lifecycle import BoxState, EnvelopeState
from vault.models import Envelope, JournalRow, OpeningRow
from vault.opening import contributing, due, showing


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


@pytest.mark.parametrize("who", [(0, 1, 2), (2, 3, 4), (0, 2, 4)])
@pytest.mark.proves("KEY-01", "OPEN-02")
def test_any_three_custodians_open_the_box(closed: World, who: tuple[int, ...]) -> None:
    opening_id = closed.offer(1)
    for index in who:
        closed.contribute(opening_id, closed.custodians[index])

    assert closed.advance(opening_id)
    assert closed.opened()[closed.first.id]["prix.txt"] == b"42\n"  # type: ignore[attr-defined]


def test_the_same_contribution_again_gets_the_same_answer(closed: World) -> None:
    opening_id = closed.offer(1)
    alice = closed.custodians[0]
    said = alice.contribute(closed.bundle(opening_id)).note
    answers = [
        contributing.contribute(closed.works, PLATFORM, opening_id, note=said, person=alice.person) for _ in range(2)
    ]

    assert answers[0] == answers[1]


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


@pytest.mark.proves("T43")
def test_offering_again_gives_the_opening_under_way(closed: World) -> None:
    assert closed.offer(1) == closed.offer(1)


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
