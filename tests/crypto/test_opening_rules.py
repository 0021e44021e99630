# SPDX-License-Identifier: EUPL-1.2
"""The checks of protocol 4.6, as custodian's tool and gate make them: openings, times, headers, contributions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from crypto import opening_rules
from crypto.ceremony import Opening
from crypto.closing_rules import ClosedBox, Memory
from crypto.contribution import contribute
from crypto.errors import (
    ClockError,
    FormatError,
    HoldersError,
    KindError,
    ListError,
    OpeningError,
    PersonError,
    PolicyError,
    QuorumError,
    SignatureError,
    StateError,
    TimeProofError,
)
from crypto.header import EnvelopeKind, Header, decode_header
from crypto.hpke import KemKey
from crypto.opening_rules import (
    CheckedContribution,
    DueOpening,
    EarlierBox,
    require_canary,
    require_close_proof,
    require_contribution,
    require_due,
    require_header,
    require_new_person,
    require_quorum,
    require_release,
)
from crypto.policy import Policy
from crypto.statement import Kind, Statement
from tests.crypto.holders import DEADLINE
from tests.crypto.procedure import DUE, NOT_BEFORE, Sealed, Told, holders
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


# Headers


def header_refusal(told: Told, listed: Sequence[Sealed], framed: bytes, *, box: int = 1) -> None:
    """Check one header against the first entry of a list."""
    due = told.due(told.closed(listed, closing=told.closing(listed, box=box)))
    require_header(due, due.entries[0], framed)


def test_a_listed_header_is_taken() -> None:
    told = Told()
    one = told.seal()
    due = told.due(told.closed([one]))

    assert require_header(due, due.entries[0], one.framed).envelope_id == one.entry.envelope_id


@pytest.mark.proves("T63")
def test_an_absent_or_rotten_header_is_refused() -> None:
    told = Told()
    one = told.seal()
    rotten = bytes([one.framed[0] ^ 1]) + one.framed[1:]

    with pytest.raises(ListError):
        header_refusal(told, [one], b"")
    with pytest.raises(FormatError):
        header_refusal(told, [one], rotten)


def test_another_envelopes_header_is_refused() -> None:
    told = Told()

    with pytest.raises(ListError):
        header_refusal(told, [told.seal()], told.seal().framed)


@pytest.mark.proves("T29")
def test_a_financial_envelope_in_the_technical_list_is_refused() -> None:
    told = Told()
    financial = told.seal(box=2)

    with pytest.raises(ListError):
        header_refusal(told, [financial], financial.framed, box=1)


@pytest.mark.proves("T30")
def test_a_canary_in_a_list_is_refused() -> None:
    told = Told()
    canary = told.seal(kind=EnvelopeKind.CANARY)

    with pytest.raises(KindError):
        header_refusal(told, [canary], canary.framed)


def foreign(told: Told, **changes: object) -> Sealed:
    """An envelope sealed under a policy that differs."""
    policy = replace(told.policy, **changes)  # type: ignore[arg-type]
    return Told(replace(told.holders, policy=policy)).seal()


def test_an_envelope_under_a_policy_outside_the_chain_is_refused() -> None:
    told = Told()
    one = foreign(told, title="Other works")

    with pytest.raises(PolicyError):
        header_refusal(told, [one], one.framed)


@pytest.mark.proves("T27")
def test_an_envelope_for_other_holders_is_refused() -> None:
    told = Told()
    group = told.policy.groups[0]
    one = foreign(told, groups=(replace(group, k=1), told.policy.groups[1]))
    disguised = _under(one, told.policy)

    with pytest.raises(HoldersError):
        header_refusal(told, [disguised], disguised.framed)


def _under(one: Sealed, policy: Policy) -> Sealed:
    """The envelope's header with another policy's hash written into it."""
    header = decode_header(one.framed)
    forged = Header(replace(header.core, policy_hash=policy.hash), header.groups)
    return Sealed(replace(one.entry, header_hash=forged.hash), forged.framed, one.whole)


@pytest.mark.proves("T60")
def test_a_rehearsal_opens_no_slot_of_a_bid() -> None:
    told = Told()

    with pytest.raises(KindError):
        require_canary(told.seal().framed, told.policy)


@pytest.mark.proves("T57")
def test_a_rehearsal_opens_only_a_canary_of_the_policy_shown() -> None:
    told = Told()
    canary = told.seal(kind=EnvelopeKind.CANARY)

    assert require_canary(canary.framed, told.policy).kind is EnvelopeKind.CANARY
    with pytest.raises(PolicyError):
        require_canary(canary.framed, replace(told.policy, title="Other works"))


# Contributions


def contributed(told: Told, due: DueOpening, listed: Sequence[Sealed], place: int) -> Statement:
    """A custodian's signed contribution."""
    holder = told.holder(told.holders.custodians[place])
    return contribute(due, [one.framed for one in listed], holder=holder).statement


def prepared() -> tuple[Told, list[Sealed], DueOpening]:
    """One envelope, due."""
    told = Told()
    listed = [told.seal()]
    return told, listed, told.due(told.closed(listed))


def checked(told: Told, due: DueOpening, listed: Sequence[Sealed], *places: int) -> list[CheckedContribution]:
    """Checked contributions of these custodians."""
    return [require_contribution(contributed(told, due, listed, place), due) for place in places]


@pytest.mark.proves("OPEN-02", "KEY-01")
def test_k_persons_make_a_quorum() -> None:
    told, listed, due = prepared()

    assert len(require_quorum(checked(told, due, listed, 0, 2), due)) == 2


@pytest.mark.proves("T4", "OPEN-02")
def test_fewer_than_k_persons_make_none() -> None:
    told, listed, due = prepared()

    with pytest.raises(QuorumError):
        require_quorum(checked(told, due, listed, 1), due)


@pytest.mark.proves("T19")
def test_one_person_counts_once() -> None:
    told, listed, due = prepared()
    twice = checked(told, due, listed, 0, 0)

    with pytest.raises(QuorumError):
        require_quorum(twice, due)
    with pytest.raises(PersonError):
        require_new_person(twice[1], twice[:1])
    require_new_person(checked(told, due, listed, 1)[0], twice[:1])


@pytest.mark.proves("T17")
def test_a_contribution_to_another_attempt_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)
    closed = told.closed(listed)
    again = require_due(told.dossier(closed, opening=told.opening(closed, attempt=2)), memory=told.memory, now=DUE)

    with pytest.raises(OpeningError):
        require_contribution(statement, again)


@pytest.mark.proves("T17")
def test_a_contribution_shown_as_a_release_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)

    with pytest.raises(KindError):
        require_release(statement, due)
    with pytest.raises(SignatureError):
        require_release(Statement(Kind.RELEASE, statement.payload, statement.signatures), due)
    with pytest.raises(KindError):
        require_contribution(Statement(Kind.RELEASE, statement.payload), due)


@pytest.mark.proves("T18")
def test_a_contribution_in_anothers_name_is_refused() -> None:
    told, listed, due = prepared()
    victim = contributed(told, due, listed, 0)
    thief = told.signer(told.holders.custodians[1])

    with pytest.raises(SignatureError):
        require_contribution(Statement(victim.kind, victim.payload).signed_by(thief), due)


@pytest.mark.proves("T54")
def test_a_strangers_contribution_is_refused_by_its_signature() -> None:
    _, listed, due = prepared()
    other = Told(holders(1, 2))
    other_due = other.due(other.closed(listed))
    statement = contributed(other, other_due, listed, 0)

    with pytest.raises(SignatureError):
        require_contribution(statement, due)


def test_a_contribution_for_another_number_of_envelopes_is_refused() -> None:
    told, listed, due = prepared()
    statement = contributed(told, due, listed, 0)
    longer = replace(due, entries=(*due.entries, due.entries[0]), checked=opening_rules._CHECKED)

    with pytest.raises(OpeningError):
        require_contribution(statement, longer)


def test_a_gates_release_is_taken_from_a_gate() -> None:
    told, listed, due = prepared()
    gate = told.holder(told.holders.gates[0])

    release = contribute(due, [one.framed for one in listed], holder=gate).statement

    assert require_release(release, due).card == gate.card
