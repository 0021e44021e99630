# SPDX-License-Identifier: EUPL-1.2
"""Procedures: who must rehearse and sign before publication, and what the notice proves."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from crypto.ceremony import Rehearsal
from crypto.errors import KindError, PersonError, PolicyError, QuorumError, ShareError, SignatureError
from crypto.events import EventKind
from crypto.header import EnvelopeKind
from crypto.policy import require_in_force
from crypto.reader import bytes_reader, read_head
from crypto.sealing import EnvelopeSealer, seal_whole
from crypto.slots import recover_file_key
from crypto.statement import Kind, parse_note
from tests.vault.convening import STRANGER, events, policy_of, refusals, rehearsal_of, rehearse, sign
from tests.world.custodian import Custodian
from tests.world.world import BUYER, PLATFORM, World
from vault import procedures
from vault.errors import NotFound, NotReady
from vault.lifecycle import BoxState, ProcedureState
from vault.models import PolicyRow
from vault.procedures import Caller, reading


@pytest.fixture
def drafted(world: World) -> World:
    """A draft that nobody has rehearsed."""
    world.procedure = procedures.draft(world.works, BUYER, world.draft())
    return world


@pytest.mark.proves("KEY-02")
def test_nothing_is_published_before_every_custodian_has_rehearsed_and_signed(drafted: World) -> None:
    alice, *others = drafted.custodians
    for one in others:
        rehearse(drafted, one, rehearsal_of(drafted, one))
        sign(drafted, one)

    with pytest.raises(NotReady) as refused:
        procedures.publish(drafted.works, BUYER, drafted.procedure)
    assert refused.value.missing.count("alice") == 2
    assert "bruno" not in refused.value.missing
    rehearse(drafted, alice, rehearsal_of(drafted, alice))
    with pytest.raises(NotReady, match=r"alice .* has not signed"):
        procedures.publish(drafted.works, BUYER, drafted.procedure)


@pytest.mark.proves("KEY-02")
def test_a_rehearsal_with_a_wrong_share_is_refused(drafted: World) -> None:
    alice = drafted.custodians[0]
    said = rehearsal_of(drafted, alice)

    with pytest.raises(ShareError):
        rehearse(drafted, alice, replace(said, share=bytes(33)))
    assert refusals(drafted)[-1].data == b"share"


@pytest.mark.proves("T18")
def test_a_rehearsal_in_anothers_name_is_refused(drafted: World) -> None:
    alice, bruno, *_ = drafted.custodians
    said = rehearsal_of(drafted, alice)

    with pytest.raises(SignatureError):
        rehearse(drafted, alice, said, signer=bruno)
    with pytest.raises(PersonError):
        rehearse(drafted, bruno, said, signer=alice)


@pytest.mark.proves("T60")
def test_attack_T60_a_rehearsal_of_a_bids_slot_is_refused(drafted: World) -> None:
    alice, policy = drafted.custodians[0], policy_of(drafted)
    sealer = EnvelopeSealer(policy, 1, uuid4().bytes, kind=EnvelopeKind.BID, bidder="b", deposit_secret=bytes(32))
    bid = read_head(bytes_reader(seal_whole(sealer, [("prix.txt", b"42\n")]))).header

    with pytest.raises(KindError):
        rehearse(drafted, alice, replace(rehearsal_of(drafted, alice), canary_header_hash=bid.hash))


def test_the_same_rehearsal_and_signature_again_change_nothing(drafted: World) -> None:
    alice = drafted.custodians[0]
    said = rehearsal_of(drafted, alice)
    for _ in range(2):
        assert rehearse(drafted, alice, said) == 1
        sign(drafted, alice)

    assert len(events(drafted, EventKind.CUSTODIAN_REHEARSED)) == 1
    assert len(reading.show(drafted.works, BUYER, drafted.procedure).epochs[0].signed_by) == 1


@pytest.mark.proves("T12")
def test_a_signature_on_another_policy_or_of_another_person_is_refused(drafted: World) -> None:
    alice, bruno, *_ = drafted.custodians
    policy = policy_of(drafted)

    with pytest.raises(PolicyError):
        sign(drafted, alice, policy=replace(policy, title="Autre"))
    note = bruno.sign(policy.statement).note
    with pytest.raises(SignatureError):
        procedures.sign(drafted.works, drafted.caller(alice), drafted.procedure, epoch=0, note=note)


def test_strangers_learn_nothing_of_a_draft(drafted: World) -> None:
    mallory = Custodian("mallory", drafted.time.clock)
    for caller in (STRANGER, drafted.caller(mallory), Caller("platform", PLATFORM)):
        with pytest.raises(NotFound):
            reading.show(drafted.works, caller, drafted.procedure)
        with pytest.raises(NotFound):
            reading.policy_note(drafted.works, caller, drafted.procedure, epoch=0)
        with pytest.raises(NotFound):
            procedures.publish(drafted.works, caller, drafted.procedure)
        with pytest.raises(NotFound):
            procedures.sign(drafted.works, caller, drafted.procedure, epoch=0, note=b"")
    with pytest.raises(NotFound):
        procedures.publish(drafted.works, BUYER, uuid4())


@pytest.mark.proves("LOG-02")
def test_an_attempt_by_a_stranger_is_journaled(drafted: World) -> None:
    with pytest.raises(NotFound):
        procedures.cancel(drafted.works, STRANGER, drafted.procedure, reason="pour voir")

    assert refusals(drafted)[-1].data == b"not-found"


@pytest.mark.proves("KEY-05")
def test_all_that_the_vault_and_the_gate_hold_does_not_open_a_canary(drafted: World) -> None:
    works = drafted.works
    canary = reading.canary_file(works, BUYER, drafted.procedure, epoch=0, number=1)
    said = Rehearsal.of(works.gate.rehearse(policy_of(drafted), canary))

    with pytest.raises(QuorumError):
        recover_file_key(read_head(bytes_reader(canary)), {said.kid: said.share})


@pytest.fixture
def published(world: World) -> World:
    """A published procedure of two boxes."""
    world.publish()
    return world


@pytest.mark.proves("CONF-12")
def test_publication_puts_the_policy_in_force_and_tells_its_modalities(published: World) -> None:
    note = reading.policy_note(published.works, Caller("platform", PLATFORM), published.procedure)
    shown = reading.show(published.works, Caller("platform", PLATFORM), published.procedure)

    policy = require_in_force(parse_note(note, Kind.POLICY))

    assert policy == shown.policy
    assert shown.state is ProcedureState.PUBLISHED
    assert [box.state for box in shown.boxes] == [BoxState.OPEN, BoxState.OPEN]
    assert (shown.policy.time.q, len(shown.policy.time.anchors), shown.suite) == (2, 2, 1)
    assert [one.subject for one in events(published, EventKind.POLICY_PUBLISHED)] == [policy.hash]


def test_publishing_again_changes_nothing(published: World) -> None:
    assert procedures.publish(published.works, BUYER, published.procedure) == published.policy
    assert len(events(published, EventKind.POLICY_PUBLISHED)) == 1


@pytest.mark.proves("T41")
def test_a_publication_that_broke_off_after_the_gate_goes_on(drafted: World) -> None:
    drafted.rehearse_all()
    with drafted.works.open() as work:
        row = work.session.get_one(PolicyRow, (drafted.procedure, 0))
        drafted.works.gate.accept_policy(row.note)

    procedures.publish(drafted.works, BUYER, drafted.procedure)

    assert reading.show(drafted.works, BUYER, drafted.procedure).state is ProcedureState.PUBLISHED


@pytest.mark.proves("T13", "LOG-02")
def test_a_refusal_of_the_gate_is_journaled_and_nothing_is_published(drafted: World) -> None:
    drafted.rehearse_all()
    drafted.gate_clock.ahead = timedelta(days=2)

    with pytest.raises(PolicyError):
        procedures.publish(drafted.works, BUYER, drafted.procedure)

    assert events(drafted, EventKind.GATE_REFUSED)[-1].data == b"policy"
    assert reading.show(drafted.works, BUYER, drafted.procedure).state is ProcedureState.DRAFTED


@pytest.mark.proves("KEY-09")
def test_a_single_custodian_is_allowed_with_a_warning(world: World) -> None:
    world.publish(world.draft(k=1, n=1))

    assert len(reading.show(world.works, BUYER, world.procedure).warnings) == 2


@pytest.mark.proves("KEY-09")
def test_three_of_five_carry_no_warning(published: World) -> None:
    assert reading.show(published.works, BUYER, published.procedure).warnings == ()


def test_the_page_names_who_has_not_confirmed(world: World) -> None:
    world.procedure = procedures.draft(world.works, BUYER, world.draft())
    world.rehearse_all()
    policy = procedures.publish(world.works, BUYER, world.procedure)
    for one in world.custodians[1:]:
        procedures.confirm(world.works, world.caller(one), world.procedure, printed=policy.hash)

    holders = reading.show(world.works, BUYER, world.procedure).holders

    assert [one.name for one in holders if not one.has_confirmed] == ["alice"]


def test_nobody_confirms_before_publication(drafted: World) -> None:
    alice = drafted.custodians[0]

    with pytest.raises(NotReady):
        procedures.confirm(drafted.works, drafted.caller(alice), drafted.procedure, printed=bytes(32))
