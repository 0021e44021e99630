# SPDX-License-Identifier: EUPL-1.2
"""The gate: what it refuses, what it remembers, and that it takes nothing from the vault's word."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from crypto.ceremony import Contribution, Opening
from crypto.closings import Closing, Decision, EnvelopeList, ListEntry
from crypto.errors import (
    ClockError,
    KindError,
    ListError,
    OpeningError,
    PolicyError,
    QuorumError,
    SignatureError,
    StateError,
    TimeProofError,
)
from crypto.events import Event, EventKind
from crypto.header import EnvelopeKind
from crypto.hpke import KemKey
from crypto.policy import Policy
from crypto.sealing import EnvelopeSealer, seal_whole
from crypto.statement import Kind, Statement, parse_note
from tests.world.custodian import Custodian
from tests.world.world import World
from vault.errors import RolledBack
from vault.gate.service import Gate
from vault.opening import due
from vault.rows import Stamp

NO_LIST = EnvelopeList(())
ANOTHER = ListEntry(uuid4().bytes, bytes(32), bytes(32), 4096)


def gate_of(world: World) -> Gate:
    return world.works.gate


def signed_policy(world: World, policy: Policy, *, by: int = 5) -> Statement:
    """A policy with the signatures of so many custodians."""
    statement = policy.statement
    for one in world.custodians[:by]:
        statement = one.sign(statement)
    return statement


def later(policy: Policy, *, days: int = 1) -> Policy:
    """An amendment that moves every deadline."""
    move = timedelta(days=days)
    boxes = tuple(replace(box, deadline=box.deadline + move, not_before=box.not_before + move) for box in policy.boxes)
    return replace(policy, epoch=policy.epoch + 1, previous=policy.hash, boxes=boxes)


def closing_of(world: World, listed: EnvelopeList = NO_LIST, *, decision: bytes | None = None) -> Statement:
    """A closing of box 1 with this list, signed by the vault."""
    policy = world.policy
    deadline = policy.box(1).deadline
    said = Closing(policy.hash, 1, len(listed), listed.root, deadline, world.now, decision)
    return said.statement.signed_by(world.works.service_keys.statement)


def close_tokens(world: World, *, over: bytes | None = None) -> list[Stamp]:
    """What C1 gathers: one token of each authority over the closing request."""
    policy = world.policy
    wanted = over or policy.close_request(policy.box(1))
    return [
        Stamp(one.verified.token, one.evidence.encode()) for one in world.works.authorities.stamp_by(wanted, quorum=2)
    ]


@pytest.fixture
def published(world: World) -> World:
    """A procedure of two boxes that takes deposits, 3 of 5 custodians."""
    world.publish()
    return world


# --- policies --------------------------------------------------------------------------------------------------------


def test_a_policy_that_one_holder_has_not_signed_is_refused(published: World) -> None:
    fresh = _unseen(published, published.policy)

    with pytest.raises(SignatureError):
        gate_of(published).accept_policy(signed_policy(published, fresh, by=4).note)


def test_a_policy_of_a_procedure_without_gate_key_is_refused(published: World) -> None:
    foreign = replace(published.policy, procedure=uuid4().bytes)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, foreign).note)


def test_a_policy_with_another_gates_card_is_refused(published: World) -> None:
    other = uuid4()
    gate_of(published).make_card(other)
    foreign = replace(published.policy, procedure=other.bytes)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, foreign).note)


def test_a_policy_that_trusts_an_unknown_authority_is_refused(published: World) -> None:
    policy = _unseen(published, published.policy)
    time = replace(policy.time, anchors=(*policy.time.anchors, bytes(32)))

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, replace(policy, time=time)).note)


def test_a_policy_whose_deadline_has_passed_by_the_gates_clock_is_refused(published: World) -> None:
    policy = _unseen(published, published.policy)
    published.gate_clock.ahead = timedelta(days=2)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, policy).note)


@pytest.mark.proves("T14")
def test_attack_t14_an_older_or_equal_epoch_is_refused(published: World) -> None:
    first = published.policy
    gate_of(published).accept_policy(signed_policy(published, later(first)).note)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, first).note)
    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, later(first, days=2)).note)


@pytest.mark.proves("T13", "CONF-06", "TIME-07")
@pytest.mark.parametrize("what", ["earlier", "k", "card", "settle", "limits", "anchors", "gap"])
def test_attack_t13_an_amendment_that_lowers_or_changes_anything_is_refused(published: World, what: str) -> None:
    current = published.policy
    amended = later(current)
    group = current.groups[0]
    stranger = Custodian("mallory", published.time.clock).card
    forged = {
        "earlier": later(current, days=-1),
        "k": replace(amended, groups=(replace(group, k=1), *current.groups[1:])),
        "card": replace(amended, groups=(replace(group, cards=(*group.cards[:-1], stranger)), *current.groups[1:])),
        "settle": replace(amended, settle=timedelta(seconds=45)),
        "limits": replace(amended, limits=replace(current.limits, deposits=1)),
        "anchors": replace(amended, time=replace(current.time, anchors=current.time.anchors[::-1])),
        "gap": replace(amended, epoch=2),
    }[what]

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, forged).note)


@pytest.mark.proves("TIME-07")
def test_an_amendment_with_too_few_signatures_is_refused(published: World) -> None:
    amended = later(published.policy)

    with pytest.raises(SignatureError):
        gate_of(published).accept_policy(signed_policy(published, amended, by=2).note)


@pytest.mark.proves("TIME-07")
def test_an_amendment_after_the_deadline_by_the_gates_own_clock_is_refused(published: World) -> None:
    published.gate_clock.ahead = timedelta(days=1, seconds=1)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)


def test_an_amendment_of_a_closed_box_is_refused_whatever_the_gates_clock_says(published: World) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    published.gate_clock.ahead = timedelta(days=-2)

    with pytest.raises(PolicyError):
        gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)


def test_the_same_policy_again_gets_the_same_signature(published: World) -> None:
    amended = signed_policy(published, later(published.policy), by=3)
    first = gate_of(published).accept_policy(amended.note)

    assert gate_of(published).accept_policy(amended.note).note == first.note


# --- rehearsal -------------------------------------------------------------------------------------------------------


@pytest.mark.proves("T60")
def test_attack_t60_the_gate_rehearses_no_bid(published: World) -> None:
    policy = published.policy
    sealer = EnvelopeSealer(policy, 1, uuid4().bytes, kind=EnvelopeKind.BID, bidder="siret:1", deposit_secret=bytes(32))
    bid = seal_whole(sealer, [("prix.txt", b"42\n")])

    with pytest.raises(KindError):
        gate_of(published).rehearse(policy, bid)


# --- closings --------------------------------------------------------------------------------------------------------


@pytest.mark.proves("T38")
def test_attack_t38_a_second_main_closing_is_refused(published: World) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    other = EnvelopeList((ANOTHER,))

    with pytest.raises(StateError):
        gate_of(published).accept_closing(closing_of(published, other).note, other.encode(), close_tokens(published))


def test_the_same_closing_again_changes_nothing(published: World) -> None:
    published.after_settle()
    note = closing_of(published).note
    for _ in range(2):
        gate_of(published).accept_closing(note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T37")
def test_a_closing_with_another_list_is_refused(published: World) -> None:
    published.after_settle()

    with pytest.raises(ListError):
        gate_of(published).accept_closing(
            closing_of(published).note, EnvelopeList((ANOTHER,)).encode(), close_tokens(published)
        )


def test_a_closing_that_the_vault_did_not_sign_is_refused(published: World) -> None:
    published.after_settle()
    unsigned = Closing.of(closing_of(published)).statement.signed_by(published.custodians[0].holder.signer)

    with pytest.raises(SignatureError):
        gate_of(published).accept_closing(unsigned.note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T7", "CONF-06")
def test_a_closing_before_deadline_and_settle_are_proved_is_refused(published: World) -> None:
    published.time.clock.now = published.deadline + timedelta(seconds=30)

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T10")
def test_attack_t10_one_authority_twice_closes_nothing(published: World) -> None:
    published.after_settle()
    tokens = close_tokens(published)[:1] * 2

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)


@pytest.mark.proves("T11")
def test_attack_t11_tokens_over_something_else_close_nothing(published: World) -> None:
    published.after_settle()
    tokens = close_tokens(published, over=bytes(32))

    with pytest.raises(TimeProofError):
        gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)


def test_a_closing_under_a_policy_that_was_amended_is_refused(published: World) -> None:
    closing = closing_of(published)
    gate_of(published).accept_policy(signed_policy(published, later(published.policy)).note)
    published.time.clock.now = published.deadline + timedelta(days=3)

    with pytest.raises(PolicyError):
        gate_of(published).accept_closing(closing.note, NO_LIST.encode(), close_tokens(published))


@pytest.mark.proves("T59")
@pytest.mark.parametrize("what", ["none", "another envelope", "two signers", "another decision"])
def test_attack_t59_a_supplementary_closing_needs_its_own_decision(published: World, what: str) -> None:
    published.after_settle()
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), close_tokens(published))
    decision = decided(published, ANOTHER, by=2 if what == "two signers" else 3)
    admitted = EnvelopeList((replace(ANOTHER, length=1) if what == "another envelope" else ANOTHER,))
    closing = closing_of(published, admitted, decision=decision.id)
    shown = {"none": None, "another decision": decided(published, replace(ANOTHER, length=2)).note}

    with pytest.raises((ListError, SignatureError)):
        gate_of(published).accept_closing(
            closing.note, admitted.encode(), close_tokens(published), decision=shown.get(what, decision.note)
        )


def test_a_decision_has_one_closing_and_comes_after_the_main_one(published: World) -> None:
    published.after_settle()
    decision, admitted = decided(published, ANOTHER), EnvelopeList((ANOTHER,))
    tokens = close_tokens(published)

    def accept(closing: Statement) -> None:
        gate_of(published).accept_closing(closing.note, admitted.encode(), tokens, decision=decision.note)

    with pytest.raises(ListError):
        accept(closing_of(published, admitted, decision=decision.id))
    gate_of(published).accept_closing(closing_of(published).note, NO_LIST.encode(), tokens)
    accept(closing_of(published, admitted, decision=decision.id))
    published.time.clock.now += timedelta(seconds=1)
    with pytest.raises(StateError):
        accept(closing_of(published, admitted, decision=decision.id))


def decided(world: World, entry: ListEntry, *, by: int = 3) -> Statement:
    """A decision of so many custodians to admit an envelope to box 1."""
    statement = Decision(world.policy.hash, 1, entry, "panne de réseau de la plate-forme").statement
    for one in world.custodians[:by]:
        statement = one.sign(statement)
    return statement


# --- openings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def offered(published: World) -> tuple[World, bytes]:
    """Box 1 with one envelope, closed, its opening offered."""
    published.deposit()
    published.after_settle()
    published.close_box()
    return published, published.offer(1)


def notes(world: World, opening_id: bytes, *, by: int = 3) -> list[bytes]:
    bundle = world.bundle(opening_id)
    return [one.contribute(bundle).note for one in world.custodians[:by]]


def release(world: World, opening_id: bytes, said: list[bytes]) -> Statement:
    head = due.dossier(world.works, opening_id)
    return gate_of(world).release(
        head, said, lambda entry: due.header_of(world.works, world.procedure, entry.entry.envelope_id)
    )


@pytest.mark.proves("T4", "KEY-05")
def test_fewer_than_k_contributions_release_nothing(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered

    with pytest.raises(QuorumError):
        release(world, opening_id, notes(world, opening_id, by=2))


@pytest.mark.proves("T19")
def test_one_person_twice_is_counted_once(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    first, second = notes(world, opening_id, by=2)

    with pytest.raises(QuorumError):
        release(world, opening_id, [first, second, first])


@pytest.mark.proves("T18")
def test_attack_t18_a_contribution_in_anothers_name_is_refused(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    said = notes(world, opening_id, by=3)
    stolen = Contribution.of(parse_note(said[2], Kind.CONTRIBUTION)).statement(Kind.CONTRIBUTION)
    forged = stolen.signed_by(world.custodians[0].holder.signer)

    with pytest.raises(SignatureError):
        release(world, opening_id, [*said[:2], forged.note])


@pytest.mark.proves("T5", "OPEN-01")
def test_attack_t5_all_custodians_before_the_time_by_the_gates_clock_release_nothing(
    offered: tuple[World, bytes],
) -> None:
    world, opening_id = offered
    said = notes(world, opening_id, by=5)
    world.gate_clock.ahead = timedelta(hours=-1)

    with pytest.raises(ClockError):
        release(world, opening_id, said)


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


@pytest.mark.proves("T15")
def test_an_opening_whose_key_was_swapped_is_not_signed(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    head = due.dossier(world.works, opening_id)
    swapped = replace(Opening.of(head.opening), opening_key=KemKey(bytes(32)).public, attempt=2).statement

    with pytest.raises(SignatureError):
        gate_of(world).sign_opening(replace(head, opening=swapped.with_signatures(head.opening.signatures)))


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
def test_attack_t14_a_bundle_without_the_newest_policy_is_refused(offered: tuple[World, bytes]) -> None:
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


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("T52")
@pytest.mark.parametrize(
    "kind", [EventKind.POLICY_PUBLISHED, EventKind.POLICY_AMENDED, EventKind.OPENING_SIGNED, EventKind.GATE_RELEASED]
)
def test_attack_t52_a_gate_behind_the_journal_refuses_to_release(offered: tuple[World, bytes], kind: EventKind) -> None:
    world, opening_id = offered
    said = notes(world, opening_id)
    told = Event(kind, world.now, world.procedure.bytes, bytes(32))

    with pytest.raises(RolledBack):
        gate_of(world).require_not_rolled_back([told])
    with pytest.raises(StateError):
        release(world, opening_id, said)


@pytest.mark.proves("T52")
def test_a_gate_that_remembers_its_acts_goes_on(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    given = release(world, opening_id, notes(world, opening_id))
    facts = {
        EventKind.POLICY_PUBLISHED: world.policy.hash,
        EventKind.OPENING_SIGNED: opening_id,
        EventKind.GATE_RELEASED: given.id,
        EventKind.BOX_CLOSED: bytes(32),
    }
    events = [Event(kind, world.now, world.procedure.bytes, subject) for kind, subject in facts.items()]

    gate_of(world).require_not_rolled_back(events)


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


def _unseen(world: World, policy: Policy) -> Policy:
    """The same rules for a procedure of which the gate has made a card and accepted nothing."""
    procedure = uuid4()
    card = gate_of(world).make_card(procedure)
    groups = (*policy.groups[:-1], replace(policy.groups[-1], cards=(card,)))
    return replace(policy, procedure=procedure.bytes, groups=groups)
