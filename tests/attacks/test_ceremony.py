# SPDX-License-Identifier: EUPL-1.2
"""Attacks on an opening: too few keys, swapped keys, shares replayed, forged, random, declared bad, dealt wrongly."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from uuid import UUID

import pytest
from sqlmodel import select

from crypto.bundle import BundleReader, write_bundle
from crypto.ceremony import Contribution, Minutes, Opening, Outcome, SlotCode, SlotFailure, share_info
from crypto.contribution import open_contribution
from crypto.errors import KindError, OpeningError, PersonError, QuorumError, ShareError, SignatureError
from crypto.events import EventKind
from crypto.header import EnvelopeKind, decode_header
from crypto.hpke import KemKey, seal
from crypto.opening_rules import require_contribution
from crypto.reader import bytes_reader, read_head
from crypto.slots import open_slot, recover_file_key
from crypto.statement import Kind, Statement, parse_note
from deploy.embedded import Addresses
from tests.attacks.opened_boxes import PRICE, close_two, open_and_check, refused, states
from tests.attacks.test_thieves import _inner
from tests.checks import check_everything
from tests.vault import convening, depositing
from tests.vault.gating import notes, release
from tests.world.custodian import Custodian
from tests.world.world import ACME, PLATFORM, ZENITH, World
from vault.errors import WrongState
from vault.lifecycle import ContributionState, EnvelopeState
from vault.models import Envelope, OpeningRow
from vault.opening import contributing, due, keying, offer, showing
from vault.store.names import object_name


@pytest.fixture(scope="module")
def shared(module_addresses: Addresses) -> Iterator[tuple[World, bytes]]:
    """A closed box of two bids with its opening offered, for attacks that change nothing."""
    world = World(module_addresses)
    yield close_two(world), world.offer(1)
    world.close()


@pytest.fixture
def offered(world: World) -> tuple[World, bytes]:
    """The same for one test alone."""
    return close_two(world), world.offer(1)


def contribute(world: World, opening_id: bytes, note: bytes, *, sender: Custodian) -> contributing.Contributed:
    return contributing.contribute(world.works, PLATFORM, opening_id, note=note, person=sender.person)


def forged(world: World, opening_id: bytes, one: Custodian, shares: bytes, *failures: SlotFailure) -> bytes:
    """A contribution that its custodian signs over whatever shares."""
    key = due.opening_of(_row(world, opening_id)).opening_key
    sealed = seal(key, share_info(Kind.CONTRIBUTION, opening_id, one.master.kid), shares)
    said = Contribution(opening_id, one.master.kid, sealed, failures).statement(Kind.CONTRIBUTION)
    return said.signed_by(one.holder.signer).note


@pytest.mark.proves("T4", "KEY-05", "OPEN-02")
def test_attack_T4_all_that_is_stored_and_too_few_custodian_keys_open_nothing(shared: tuple[World, bytes]) -> None:
    world, opening_id = shared
    gate = world.works.gate.keys.get(world.procedure)
    thieves = [(one.master.kid, one.master.kem) for one in world.custodians[:2]]
    head = read_head(bytes_reader(_inner(world, depositing.kept(world, _bid(world, ACME)))))
    stolen = {
        kid: open_slot(head.header, kid, kem, kind=EnvelopeKind.BID) for kid, kem in (*thieves, (gate.kid, gate.kem))
    }

    with pytest.raises(QuorumError) as short:
        recover_file_key(head, stolen)
    with refused(world, QuorumError):
        release(world, opening_id, notes(world, opening_id, by=2))

    assert (short.value.have, short.value.need) == (2, 3)


@pytest.mark.proves("T4", "KEY-01")
def test_attack_T4_two_of_three_needed_contributions_key_nothing(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    for one in world.custodians[:2]:
        world.contribute(opening_id, one)

    assert not world.advance(opening_id)

    assert set(states(world).values()) == {EnvelopeState.LISTED}
    open_and_check(world, opening_id, range(2, 3))


@pytest.mark.proves("T15")
def test_attack_T15_an_opening_key_swapped_on_the_way_is_refused_by_the_tool_and_by_the_gate(
    shared: tuple[World, bytes],
) -> None:
    world, opening_id = shared
    head = due.dossier(world.works, opening_id)
    own = KemKey(bytes(32))
    swapped = replace(Opening.of(head.opening), opening_key=own.public).statement
    dressed = (swapped.with_signatures(head.opening.signatures), swapped.signed_by(world.custodians[0].holder.signer))

    for statement in dressed:
        bundle = b"".join(write_bundle(replace(head, opening=statement), []))
        with refused(world, SignatureError):
            world.custodians[1].contribute(bundle)
        with refused(world, SignatureError):
            world.works.gate.sign_opening(replace(head, opening=statement))


@pytest.mark.proves("T16", "CONF-06")
def test_attack_T16_a_stolen_opening_key_opens_nothing_before_there_is_a_quorum(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    for one in world.custodians[:2]:
        world.contribute(opening_id, one)
    row = _row(world, opening_id)
    stolen = contributing.opening_key(world.works, due.check(world.works, opening_id), row.procedure_id)
    head = read_head(bytes_reader(_inner(world, depositing.kept(world, _bid(world, ACME)))))

    with pytest.raises(QuorumError):
        recover_file_key(head, _shares_given(world, opening_id, stolen))

    open_and_check(world, opening_id, range(2, 3))
    assert list(world.key_store.list("4/")) == []  # and once keyed, the key is gone


@pytest.mark.proves("T17")
def test_attack_T17_a_contribution_replayed_to_another_attempt_is_refused(offered: tuple[World, bytes]) -> None:
    world, first = offered
    alice = world.custodians[0]
    said = alice.contribute(world.bundle(first)).note
    offer.abandon(world.works, PLATFORM, first)
    second = world.offer(1)

    with refused(world, OpeningError, entry=EventKind.ACCESS_REFUSED):
        contribute(world, second, said, sender=alice)
    with refused(world, WrongState):
        contribute(world, first, said, sender=alice)

    open_and_check(world, second)


@pytest.mark.proves("T17")
def test_attack_T17_a_contribution_shown_as_a_release_is_refused(shared: tuple[World, bytes]) -> None:
    world, opening_id = shared
    alice = world.custodians[0]
    made = Contribution.of(alice.contribute(world.bundle(opening_id)))
    shown = made.statement(Kind.RELEASE).signed_by(alice.holder.signer)

    with refused(world, KindError, entry=EventKind.ACCESS_REFUSED):
        contribute(world, opening_id, shown.note, sender=alice)
    with refused(world, KindError):
        release(world, opening_id, [shown.note] * 3)


@pytest.mark.proves("T18")
def test_attack_T18_a_contribution_in_anothers_name_is_refused(shared: tuple[World, bytes]) -> None:
    world, opening_id = shared
    alice, bruno = world.custodians[:2]
    said = alice.contribute(world.bundle(opening_id))
    renamed = Statement(said.kind, said.payload).signed_by(bruno.holder.signer)

    with refused(world, PersonError, entry=EventKind.ACCESS_REFUSED):
        contribute(world, opening_id, said.note, sender=bruno)
    with refused(world, SignatureError, entry=EventKind.ACCESS_REFUSED):
        contribute(world, opening_id, renamed.note, sender=bruno)
    with refused(world, SignatureError):
        release(world, opening_id, [renamed.note, *notes(world, opening_id)])


@pytest.mark.proves("T19")
def test_attack_T19_one_person_twice_is_counted_once(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    alice, bruno = world.custodians[:2]
    first, second = (one.contribute(world.bundle(opening_id)).note for one in (alice, bruno))
    again = alice.contribute(world.bundle(opening_id)).note  # HPKE is random: other bytes, the same person

    contribute(world, opening_id, first, sender=alice)
    with refused(world, PersonError, entry=EventKind.ACCESS_REFUSED):
        contribute(world, opening_id, again, sender=alice)
    with refused(world, QuorumError):
        release(world, opening_id, [first, second, again])

    assert contribute(world, opening_id, second, sender=bruno).accepted == 2
    assert not world.advance(opening_id)


@pytest.mark.proves("T20")
def test_attack_T20_a_random_share_is_refused_its_custodian_named_and_the_others_open(
    offered: tuple[World, bytes],
) -> None:
    world, opening_id = offered
    mallory = world.custodians[0]
    contribute(world, opening_id, forged(world, opening_id, mallory, b"\x07" * 66), sender=mallory)

    open_and_check(world, opening_id, range(1, 4))

    told = {one.name: (one.state, one.reason) for one in showing.opening(world.works, opening_id).contributors}
    assert told[mallory.subject] == (ContributionState.REFUSED, ShareError.code)
    assert [one.data for one in convening.events(world, EventKind.CONTRIBUTION_REFUSED)] == [b"share"]
    assert set(states(world).values()) == {EnvelopeState.OPENED}


@pytest.mark.proves("T21")
def test_attack_T21_a_good_slot_declared_bad_counts_as_absent_and_the_word_is_kept(
    offered: tuple[World, bytes],
) -> None:
    world, opening_id = offered
    mallory = world.custodians[0]
    note = forged(world, opening_id, mallory, bytes(66), SlotFailure(0, SlotCode.HPKE), SlotFailure(1, SlotCode.HPKE))
    contribute(world, opening_id, note, sender=mallory)
    for one in world.custodians[1:3]:
        world.contribute(opening_id, one)

    assert not world.advance(opening_id)  # three contributed, two gave shares
    open_and_check(world, opening_id, range(3, 4))

    with world.works.open() as work:
        kept = [one.note for one in contributing.of_opening(work, opening_id)]
    assert note in kept
    assert set(states(world).values()) == {EnvelopeState.OPENED}


@pytest.mark.proves("T23")
def test_attack_T23_a_share_held_back_until_after_keyed_changes_nothing(offered: tuple[World, bytes]) -> None:
    world, opening_id = offered
    friend, late_friend = world.custodians[2:4]
    held_back = late_friend.contribute(world.bundle(opening_id)).note
    for one in world.custodians[:2]:
        world.contribute(opening_id, one)
    second = bytes(_shares_of(world, opening_id, friend)[1])
    spared = forged(world, opening_id, friend, bytes(33) + second, SlotFailure(0, SlotCode.HPKE))
    contribute(world, opening_id, spared, sender=friend)
    assert not world.advance(opening_id)  # the first bid is short of a share, so it waits
    keying.freeze(world.works, PLATFORM, opening_id)
    assert world.advance(opening_id)

    with pytest.raises(WrongState):  # the prices are known: the bid of the friends' choice does not open now
        contribute(world, opening_id, held_back, sender=late_friend)

    assert states(world) == {ACME: EnvelopeState.UNKEYED, ZENITH: EnvelopeState.OPENED}
    assert [one.outcome for one in _minutes(world, opening_id).envelopes] == [Outcome.UNKEYED, Outcome.OPENED]
    check_everything(world.works)


@pytest.mark.proves("T63", "OPEN-14", "OPEN-03", "CONF-10")
@pytest.mark.parametrize("how", ["rotten", "missing", "cut"])
def test_attack_T63_one_listed_envelope_missing_or_rotten_is_named_and_the_others_open(world: World, how: str) -> None:
    close_two(world)
    kept = depositing.kept(world, _bid(world, ACME))
    name = object_name(kept.facts.object_id.bytes)
    if how == "rotten":
        world.store.rot(name, at=200)
    elif how == "cut":
        world.store.versions[name] = [replace(one, data=one.data[:-20]) for one in world.store.versions[name]]
    else:
        del world.store.versions[name]

    opening_id = world.open_boxes(1)

    assert states(world) == {ACME: EnvelopeState.FAILED, ZENITH: EnvelopeState.OPENED}
    assert [one.outcome for one in _minutes(world, opening_id).envelopes] == [Outcome.FAILED, Outcome.OPENED]
    assert len(convening.events(world, EventKind.ENVELOPE_FAILED)) == 1
    assert [read["prix.txt"] for read in world.opened().values()] == [PRICE + ZENITH.encode()]


def _row(world: World, opening_id: bytes) -> OpeningRow:
    with world.works.open() as work:
        return due.row_of(work, opening_id)


def _bid(world: World, bidder: str) -> UUID:
    with world.works.open() as work:
        return work.session.exec(select(Envelope.id).where(Envelope.bidder == bidder)).one()


def _minutes(world: World, opening_id: bytes) -> Minutes:
    return Minutes.of(parse_note(showing.minutes(world.works, opening_id), Kind.MINUTES))


def _shares_of(world: World, opening_id: bytes, one: Custodian) -> list[bytearray]:
    """What a custodian's own key takes out of the listed headers."""
    headers = BundleReader(BytesIO(world.bundle(opening_id))).headers()
    key = one.master
    return [open_slot(decode_header(framed), key.kid, key.kem, kind=EnvelopeKind.BID) for framed in headers]


def _shares_given(world: World, opening_id: bytes, key: KemKey) -> dict[bytes, bytearray]:
    """The shares of the first bid that the opening key takes out of the contributions so far."""
    checked = due.check(world.works, opening_id)
    with world.works.open() as work:
        given = [parse_note(one.note, Kind.CONTRIBUTION) for one in contributing.of_opening(work, opening_id)]
    said = [require_contribution(one, checked) for one in given]
    return {one.card.kid: share for one in said if (share := open_contribution(one, key)[0]) is not None}
