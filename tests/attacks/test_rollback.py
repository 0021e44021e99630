# SPDX-License-Identifier: EUPL-1.2
"""Data rolled back: what refuses, and how everything that was acknowledged is found again (T52, T64, OPS-04).

A box goes its whole way once; each test puts back a database and a key store of two different moments, beside the store
as it is at a third, and goes on from there to the minutes. After each recovery everything stored is derived again.
"""

from collections.abc import Iterator
from itertools import product

import pytest
from sqlmodel import select

from crypto.checkpoint import read_checkpoint
from crypto.errors import QuorumError, StateError
from crypto.events import EventKind, leaf_data
from crypto.merkle import root_from_tiles
from deploy.embedded import Addresses
from tests.checks import check_everything
from tests.vault.gating import notes, release
from tests.vault.recovering import ORDER, Stage, Story, price_of
from vault import journal, sequencer
from vault.errors import RolledBack
from vault.gate import told
from vault.models import JournalRow
from vault.opening import keying
from vault.recovery import Done, Lost, Shown, read_claim, require_nothing_lost
from vault.store.names import CHECKPOINTS

NOW_DATABASE_KEYS = [  # a day of each: the store's, the database's, the key store's
    (Stage.DEPOSITED, Stage.PUBLISHED, Stage.DEPOSITED),
    (Stage.RECEIVED, Stage.DEPOSITED, Stage.RECEIVED),
    (Stage.LISTED, Stage.RECEIVED, Stage.RECEIVED),
    (Stage.ACCEPTED, Stage.PUBLISHED, Stage.ACCEPTED),
    (Stage.CLOSED, Stage.LISTED, Stage.RECEIVED),
    (Stage.OFFERED, Stage.CLOSED, Stage.OFFERED),
    (Stage.CONTRIBUTED, Stage.CONTRIBUTED, Stage.CLOSED),
    (Stage.RELEASED, Stage.RECEIVED, Stage.RELEASED),
    (Stage.KEYED, Stage.DEPOSITED, Stage.OFFERED),
    (Stage.OPENED, Stage.KEYED, Stage.CLOSED),
    (Stage.OPENED, Stage.OPENED, Stage.RELEASED),
    (Stage.OPENED, Stage.CLOSED, Stage.DEPOSITED),
]
WITHOUT_OBJECT_KEY = (
    "object-without-key",
    "object-rotten",
    "file-key-does-not-fit",
    "opened-cannot-be-read",
    "keyed-without-a-key",
)
WITHOUT_FILE_KEY = ("file-key-does-not-fit", "opened-cannot-be-read")  # until the new attempt restores it
EVERY_DAY = [
    (now, database, keys)
    for now, database, keys in product(ORDER[1:], ORDER, ORDER)
    if ORDER.index(database) <= ORDER.index(now) >= ORDER.index(keys)
    and (now is Stage.OPENED or now in {database, keys} or database is keys)
]


@pytest.fixture(scope="module")
def story(module_addresses: Addresses) -> Iterator[Story]:
    """A box that was opened; each test puts back what it needs of it."""
    story = Story(module_addresses)
    story.play()
    yield story
    story.world.close()


@pytest.mark.parametrize(("now", "database", "keys"), NOW_DATABASE_KEYS)
@pytest.mark.proves("T64", "OPS-04")
def test_attack_T64_rolled_back_to_any_two_days_every_deposit_and_box_is_found_again(
    story: Story, now: Stage, database: Stage, keys: Stage
) -> None:
    _recover_and_finish(story, now, database, keys)


@pytest.mark.long
@pytest.mark.parametrize(("now", "database", "keys"), EVERY_DAY)
@pytest.mark.proves("T64", "OPS-04")
def test_attack_T64_rolled_back_to_every_pair_of_days_every_deposit_and_box_is_found_again(
    story: Story, now: Stage, database: Stage, keys: Stage
) -> None:
    _recover_and_finish(story, now, database, keys)


def _recover_and_finish(story: Story, now: Stage, database: Stage, keys: Stage) -> None:
    """What is there is opened; what has no key any more is named, and nothing else is."""
    story.be_at(now, database=database, keys=keys)
    there = story.there(now)
    readable = {bidder for bidder in there if story.has_key(bidder, keys)}

    found = story.recover()

    assert {(one.kind, one.subject) for one in found.lost} == {
        (Lost.OBJECT_KEY, str(story.ids[bidder])) for bidder in there - readable
    }
    unreadable = WITHOUT_OBJECT_KEY if readable != there else ()
    check_everything(story.world.works, but=(*unreadable, *(WITHOUT_FILE_KEY if Done.REPEATED in found.done else ())))
    story.finish()
    check_everything(story.world.works, but=unreadable)
    assert story.opened() == {bidder: price_of(bidder) for bidder in readable}


@pytest.mark.proves("T52")
def test_attack_T52_a_database_of_the_day_before_lets_nothing_start_or_be_written(story: Story) -> None:
    story.be_at(Stage.CLOSED, database=Stage.DEPOSITED, keys=Stage.CLOSED)

    with pytest.raises(RolledBack):
        require_nothing_lost(story.world.works)
    with pytest.raises(RolledBack):
        _write_an_entry(story)


@pytest.mark.proves("T52")
def test_attack_T52_a_gate_of_the_day_before_releases_nothing(story: Story) -> None:
    story.be_at(Stage.CONTRIBUTED, database=Stage.CONTRIBUTED, keys=Stage.CONTRIBUTED)
    story.moments[Stage.CLOSED].database.put_back(story.addresses, schemas=("gate",))

    with pytest.raises(RolledBack):
        told.require_remembered(story.world.works)
    with pytest.raises(StateError):
        keying.key(story.world.works, story.opening_id)


@pytest.mark.parametrize("gate", [Stage.PUBLISHED, Stage.LISTED, Stage.OFFERED])
@pytest.mark.proves("T52", "T64")
def test_attack_T64_a_gate_alone_rolled_back_takes_back_what_it_signed_and_accepted(story: Story, gate: Stage) -> None:
    story.be_at(Stage.RELEASED, database=Stage.RELEASED, keys=Stage.RELEASED)
    story.moments[gate].database.put_back(story.addresses, schemas=("gate",))

    found = story.recover()

    assert found.lost == []
    assert found.done[Done.GATE] >= 1
    story.finish()
    check_everything(story.world.works)


@pytest.mark.parametrize("gate", [Stage.ACCEPTED, Stage.OFFERED])
@pytest.mark.proves("T64")
def test_attack_T64_what_the_gate_alone_remembers_is_taken_from_it_byte_for_byte(story: Story, gate: Stage) -> None:
    story.be_at(Stage.JUDGED, database=Stage.DEPOSITED, keys=gate)
    story.moments[gate].database.put_back(story.addresses, schemas=("gate",))
    story.world.time.clock.now = story.moments[gate].at

    found = story.recover()

    assert found.lost == []
    assert found.done[Done.CLOSINGS] == 1
    assert story.closing_note() == story.moments[gate].closing
    story.finish()
    check_everything(story.world.works)
    assert set(story.opened()) == set(story.ids)


@pytest.mark.proves("T64")
def test_attack_T64_a_rehearsed_recovery_finds_the_same_and_changes_nothing(story: Story) -> None:
    story.be_at(Stage.KEYED, database=Stage.RECEIVED, keys=Stage.OFFERED)
    before = story.now()

    rehearsed = story.recover(is_rehearsal=True)

    assert story.now() == before
    assert rehearsed == story.recover()


@pytest.mark.proves("T64")
def test_attack_T64_a_second_recovery_finds_nothing_to_do(story: Story) -> None:
    story.be_at(Stage.KEYED, database=Stage.RECEIVED, keys=Stage.OFFERED)
    story.recover()

    found = story.recover()

    assert (found.done, found.lost) == ({}, [])


@pytest.mark.proves("T64", "LOG-03")
def test_attack_T64_no_head_that_was_signed_before_is_contradicted_afterwards(story: Story) -> None:
    story.be_at(Stage.OPENED, database=Stage.DEPOSITED, keys=Stage.OPENED)
    heads = {name: kept for name, kept in story.world.store.versions.items() if name.startswith(CHECKPOINTS)}
    story.recover()
    story.finish()

    sequencer.publish(story.world.works)

    verifier = story.world.works.service_keys.journal.verifier
    signed = [read_checkpoint(kept[-1].data, journal=verifier) for kept in heads.values()]
    assert all(root_from_tiles(sequencer.stored_tiles(story.world.works), one.size) == one.root for one in signed)
    for bidder, note in story.notes.items():
        assert _proves(story, note), bidder


@pytest.mark.proves("T64", "OPS-04", "KEY-05")
def test_attack_T64_after_a_recovery_too_few_custodians_still_open_nothing(story: Story) -> None:
    story.be_at(Stage.OFFERED, database=Stage.DEPOSITED, keys=Stage.OFFERED)
    assert story.recover().lost == []

    story.world.contribute(story.opening_id, story.world.custodians[0])

    assert not keying.key(story.world.works, story.opening_id)
    with pytest.raises(QuorumError):
        release(story.world, story.opening_id, notes(story.world, story.opening_id, by=1))
    assert story.opened() == {}


def _write_an_entry(story: Story) -> None:
    place = journal.Place("default")
    with story.world.works.open() as work:
        event = journal.event(EventKind.TOKEN_ISSUED, at=work.now, place=place, subject=bytes(32))
        journal.append(story.world.works, work, event, place=place)
    sequencer.publish(story.world.works)


def _proves(story: Story, note: bytes) -> bool:
    """Whether the entry that a holder's statement tells stands in the log under the newest head."""
    event, salt = read_claim(story.world.works, Shown("note", note)).entry
    leaf = leaf_data(event, salt)
    with story.world.works.open() as work:
        head = sequencer.latest(work)
        position = work.session.exec(select(JournalRow.position).where(JournalRow.leaf == leaf)).one()
    assert head is not None
    assert position is not None
    proof = sequencer.prove(story.world.works, position, head=head)
    return proof.verify(leaf, journal=story.world.works.service_keys.journal.verifier).size == head.size
