# SPDX-License-Identifier: EUPL-1.2
"""The checks of protocol 4.6, as custodian's tool and gate make them: openings and times."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crypto import opening_rules
from crypto.ceremony import EnvelopeList, Opening
from crypto.closing_rules import ClosedBox, Memory, require_chain, require_closing
from crypto.closings import MAX_LIST
from crypto.errors import (
    ClockError,
    ListError,
    OpeningError,
    PolicyError,
    SignatureError,
    StateError,
    TimeProofError,
)
from crypto.hpke import KemKey
from crypto.opening_rules import (
    DueOpening,
    EarlierBox,
    require_close_proof,
    require_due,
)
from crypto.statement import Statement
from tests.crypto.holders import DEADLINE
from tests.crypto.procedure import DUE, NOT_BEFORE, Told, holders
from tests.world.authority import SimulatedAuthority

EARLY = NOT_BEFORE - timedelta(minutes=5)
MILLISECOND = timedelta(milliseconds=1)


def stamped(told: Told, closed: ClosedBox, *, at: datetime) -> ClosedBox:
    """The same closing with tokens of both authorities made at another time."""
    made = Told(told.holders, now=at)
    return replace(closed, tokens=made.tokens(closed.statement.id))


def due_at(told: Told, *closed: ClosedBox, now: datetime) -> DueOpening:
    """Check an opening by a clock."""
    return require_due(told.dossier(*closed), memory=told.memory, now=now)


def test_an_opening_in_order_is_due() -> None:
    told = Told()
    listed = [told.seal(), told.seal()]

    due = told.due(told.closed(listed))

    assert [one.entry for one in due.entries] == [one.entry for one in listed]
    assert due.memory.pinned == told.policy.hash
    assert len(due.proofs) == 1


def test_a_due_opening_exists_only_when_checked() -> None:
    due = Told().due(Told().closed([]))

    with pytest.raises(TypeError):
        replace(due)


# Time


@pytest.mark.proves("T5", "OPEN-01")
def test_all_custodians_together_open_nothing_before_the_authorities_prove_the_time() -> None:
    told = Told(now=EARLY)

    with pytest.raises(TimeProofError):
        told.due(told.closed([told.seal()]))


@pytest.mark.proves("T65")
def test_authorities_in_the_operators_hand_do_not_move_the_custodians_clock() -> None:
    told = Told()
    closed = told.closed([told.seal()])

    with pytest.raises(ClockError):
        due_at(told, closed, now=EARLY)


@pytest.mark.proves("OPEN-01")
def test_the_own_clock_agrees_to_the_millisecond() -> None:
    told = Told()
    closed = told.closed([told.seal()])

    with pytest.raises(ClockError):
        due_at(told, closed, now=NOT_BEFORE - MILLISECOND)
    assert due_at(told, closed, now=NOT_BEFORE).proofs


@pytest.mark.proves("T10")
def test_one_authority_alone_proves_nothing() -> None:
    told = Told()
    closed = told.closed([told.seal()])
    first, _ = closed.tokens
    again = SimulatedAuthority("a", lambda: told.now).verified(closed.statement.id)

    for tokens in ((first,), (first, again), ()):
        with pytest.raises(TimeProofError):
            due_at(told, replace(closed, tokens=tokens), now=DUE)


@pytest.mark.proves("T10")
def test_an_authority_that_the_policy_does_not_name_proves_nothing() -> None:
    told = Told()
    other = replace(told.policy, time=replace(told.policy.time, anchors=(told.policy.time.anchors[0], bytes(32))))
    told = Told(replace(told.holders, policy=other))

    with pytest.raises(TimeProofError):
        told.due(told.closed([]))


@pytest.mark.proves("T11")
@pytest.mark.parametrize(("at", "is_due"), [(NOT_BEFORE + timedelta(seconds=1), True), (NOT_BEFORE, False)])
def test_the_earliest_moment_of_a_token_counts(at: datetime, is_due: bool) -> None:  # noqa: FBT001 - a column
    told = Told()
    closed = stamped(told, told.closed([]), at=at)  # an accuracy of one second is assumed

    if is_due:
        assert due_at(told, closed, now=DUE).proofs
    else:
        with pytest.raises(TimeProofError):
            due_at(told, closed, now=DUE)


@pytest.mark.proves("T11")
def test_tokens_over_another_closing_prove_nothing() -> None:
    told = Told()
    closed, other = told.closed([told.seal()]), told.closed([told.seal()])

    with pytest.raises(TimeProofError):
        due_at(told, replace(closed, tokens=other.tokens), now=DUE)


def test_a_box_closes_only_after_deadline_and_settle() -> None:
    told = Told(now=DEADLINE + timedelta(seconds=60))
    box = told.policy.box(1)
    over = told.policy.close_request(box)

    with pytest.raises(TimeProofError):
        require_close_proof(told.policy, box, told.tokens(over))
    told.now += timedelta(seconds=1)
    assert require_close_proof(told.policy, box, told.tokens(over)).over == over


# The opening


@pytest.mark.proves("T15")
def test_an_opening_key_swapped_on_the_way_is_refused() -> None:
    told = Told()
    closed = told.closed([told.seal()])
    good = told.opening(closed)
    swapped = replace(Opening.of(good), opening_key=KemKey(bytes(32)).public).statement
    swapped = swapped.with_signatures(good.signatures)

    with pytest.raises(SignatureError):
        require_due(told.dossier(closed, opening=swapped), memory=told.memory, now=DUE)


@pytest.mark.proves("T15")
@pytest.mark.parametrize("missing", [0, 1])
def test_an_opening_without_vault_or_gate_is_refused(missing: int) -> None:
    told = Told()
    closed = told.closed([])
    good = told.opening(closed)
    kept = tuple(line for place, line in enumerate(good.signatures) if place != missing)

    with pytest.raises(SignatureError):
        require_due(told.dossier(closed, opening=Statement(good.kind, good.payload, kept)), memory=told.memory, now=DUE)


def test_a_gate_that_is_about_to_sign_asks_for_the_vault_alone() -> None:
    told = Told()
    closed = told.closed([])
    good = told.opening(closed)
    by_vault = Statement(good.kind, good.payload, good.signatures[:1])

    due = require_due(told.dossier(closed, opening=by_vault), memory=told.memory, now=DUE, is_signed_by_gates=False)

    assert due.id == good.id


def test_an_opening_over_other_closings_is_refused() -> None:
    told = Told()
    shown, named = told.closed([told.seal()]), told.closed([told.seal()])

    with pytest.raises(OpeningError):
        require_due(told.dossier(shown, opening=told.opening(named)), memory=told.memory, now=DUE)


def test_boxes_of_different_holders_do_not_open_together() -> None:
    told = Told(holders(gates=(1, 1)))
    groups = (*told.policy.groups, holders(1, 2).policy.groups[0])
    boxes = (told.policy.boxes[0], replace(told.policy.boxes[1], custodians=2))
    other = holders(1, 2)
    mixed = replace(told.policy, groups=groups, boxes=boxes)
    told = Told(
        replace(told.holders, policy=mixed, custodians=told.holders.custodians + other.custodians),
    )
    both = told.closed([]), told.closed([], closing=told.closing([], box=2))

    with pytest.raises(PolicyError):
        told.due(*both)


def test_two_boxes_open_together_with_one_numbering() -> None:
    told = Told()
    first, second = [told.seal()], [told.seal(box=2), told.seal(box=2)]
    both = told.closed(first), told.closed(second, closing=told.closing(second, box=2))

    due = told.due(*both)

    assert [(one.index, one.box) for one in due.entries] == [(0, 1), (1, 2), (2, 2)]


@pytest.mark.proves("OPEN-08")
def test_the_buyer_leaves_envelopes_out_by_place() -> None:
    told = Told()
    closed = told.closed([told.seal(), told.seal()])

    due = told.due(closed, left_out=(1,))

    assert [one.is_left_out for one in due.entries] == [False, True]


def test_a_place_outside_the_lists_cannot_be_left_out() -> None:
    told = Told()

    with pytest.raises(ListError):
        told.due(told.closed([told.seal()]), left_out=(1,))


# Boxes to open first


def waiting() -> Told:
    """A procedure whose second box opens after its first."""
    told = Told()
    boxes = (told.policy.boxes[0], replace(told.policy.boxes[1], after=(1,)))
    return Told(replace(told.holders, policy=replace(told.policy, boxes=boxes)))


def second_due(told: Told, *earlier: EarlierBox) -> DueOpening:
    """Open the second box, with this told of the first."""
    closed = told.closed([], closing=told.closing([], box=2))
    dossier = replace(told.dossier(closed), earlier=earlier)
    return require_due(dossier, memory=told.memory, now=told.now)


def test_a_box_waits_for_the_one_to_open_first() -> None:
    told = waiting()

    with pytest.raises(StateError):
        second_due(told)
    with pytest.raises(StateError):
        second_due(told, EarlierBox(told.closed([told.seal()]).statement))


def test_minutes_of_the_first_box_let_the_second_open() -> None:
    told = waiting()
    first = told.closed([told.seal()])

    due = second_due(told, told.minuted(first))

    assert due.memory.main_closings[1] == first.statement.id


def test_a_first_box_that_lists_nothing_is_opened_by_its_closing() -> None:
    told = waiting()

    assert second_due(told, EarlierBox(told.closed([]).statement)).id


def test_minutes_of_another_opening_let_nothing_open() -> None:
    told = waiting()
    first, other = told.closed([told.seal()]), told.closed([told.seal()])

    with pytest.raises(StateError):
        second_due(told, replace(told.minuted(first), opening=told.opening(other)))
    with pytest.raises(StateError):
        second_due(told, replace(told.minuted(first), minutes=told.minuted(other).minutes))


@pytest.mark.parametrize("which", ["closing", "opening", "minutes"])
def test_what_is_told_of_the_first_box_is_signed(which: str) -> None:
    told = waiting()
    earlier = told.minuted(told.closed([told.seal()]))
    stripped = {
        "closing": replace(earlier, closing=_unsigned(earlier.closing)),
        "opening": replace(earlier, opening=_unsigned(earlier.opening)),
        "minutes": replace(earlier, minutes=_unsigned(earlier.minutes)),
    }

    with pytest.raises(SignatureError):
        second_due(told, stripped[which])


@pytest.mark.parametrize("missing", [0, 1])
def test_the_first_boxs_opening_is_signed_by_vault_and_gate_each(missing: int) -> None:
    told = waiting()
    earlier = told.minuted(told.closed([told.seal()]))
    assert earlier.opening is not None
    kept = tuple(line for place, line in enumerate(earlier.opening.signatures) if place != missing)
    halved = Statement(earlier.opening.kind, earlier.opening.payload, kept)

    with pytest.raises(SignatureError):
        second_due(told, replace(earlier, opening=halved))


def test_the_first_box_is_opened_over_its_main_closing() -> None:
    told = waiting()
    main, one = told.closed([told.seal()]), told.seal()
    supplementary = told.supplementary(one)

    with pytest.raises(ListError):
        second_due(told, told.minuted(supplementary))
    remembered = Memory(told.policy.hash, {1: main.statement.id})
    closed = told.closed([], closing=told.closing([], box=2))
    dossier = replace(told.dossier(closed), earlier=(told.minuted(told.closed([one])),))
    with pytest.raises(ListError):
        require_due(dossier, memory=remembered, now=told.now)


def _unsigned(statement: Statement | None) -> Statement:
    assert statement is not None
    return Statement(statement.kind, statement.payload)


def test_an_opening_lists_a_bounded_number_of_envelopes() -> None:
    told = Told()
    checked = require_closing(told.closed([]), require_chain([told.signed()], told.policy.hash))
    half = replace(checked, envelopes=EnvelopeList((told.seal().entry,) * (MAX_LIST // 2 + 1)))

    with pytest.raises(ListError):
        opening_rules._entries(Opening.of(told.opening(told.closed([]))), [half, half])
