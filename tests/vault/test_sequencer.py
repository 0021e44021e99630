# SPDX-License-Identifier: EUPL-1.2
"""The journal's log: places, tiles, signed heads, and what a rolled-back database or a killed run does."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from crypto.checkpoint import read_checkpoint
from crypto.events import BATCH, EventKind
from crypto.merkle import tree_hash
from deploy.embedded import Addresses
from tests.world.world import ACME, PLATFORM, World
from vault import journal, sequencer
from vault.errors import RolledBack, StoreUnavailable
from vault.models import CheckpointRow, JournalRow
from vault.store.locks import evidence_lock


def _leaves(world: World) -> list[bytes]:
    with world.works.open() as work:
        placed = select(JournalRow.leaf).where(col(JournalRow.position).is_not(None))
        return list(work.session.exec(placed.order_by(col(JournalRow.position))))


def _append(world: World, count: int) -> None:
    place = journal.Place(PLATFORM)
    with world.works.open() as work:
        for number in range(count):
            event = journal.event(EventKind.TOKEN_ISSUED, at=work.now, place=place, subject=bytes([number % 256]) * 32)
            journal.append(world.works, work, event, place=place)


@pytest.mark.proves("LOG-03")
def test_the_signed_head_is_the_tree_over_every_placed_leaf(world: World) -> None:
    _append(world, 3)

    head = sequencer.publish(world.works)

    assert head is not None
    checkpoint = read_checkpoint(head.note, journal=world.works.service_keys.journal.verifier)
    assert (checkpoint.size, checkpoint.root) == (BATCH, tree_hash(_leaves(world)))


@pytest.mark.parametrize("batches", [(1, 64), (63, 2, 200), (257, 300)])
@pytest.mark.proves("LOG-03", "LOG-04")
def test_growing_in_batches_gives_the_same_tree_and_every_leaf_a_proof(world: World, batches: tuple[int, ...]) -> None:
    heads = []
    for count in batches:
        _append(world, count)
        heads.append(sequencer.publish(world.works))
    head = heads[-1]
    assert head is not None

    leaves = _leaves(world)
    checkpoint = read_checkpoint(head.note, journal=world.works.service_keys.journal.verifier)
    assert checkpoint.root == tree_hash(leaves)
    for position in (0, len(leaves) // 2, len(leaves) - 1):
        proof = sequencer.prove(world.works, position, head=head)
        assert proof.verify(leaves[position], journal=world.works.service_keys.journal.verifier) == checkpoint


def test_publishing_without_news_signs_nothing_new(world: World) -> None:
    _append(world, 1)
    first = sequencer.publish(world.works)

    assert sequencer.publish(world.works) == first


@pytest.mark.parametrize("times", [0, 1, 2, 3])
@pytest.mark.proves("T41")
def test_a_run_killed_at_any_put_is_finished_by_the_next_with_the_same_leaves(world: World, times: int) -> None:
    _append(world, 300)
    world.store.fail("put", times=1)
    for _ in range(times):
        world.store.fail("put", is_persisted=True)
    for _ in range(times + 1):
        with pytest.raises(StoreUnavailable):
            sequencer.publish(world.works)
    before = _leaves(world)

    head = sequencer.publish(world.works)

    assert head is not None
    assert _leaves(world) == before
    checkpoint = read_checkpoint(head.note, journal=world.works.service_keys.journal.verifier)
    assert checkpoint.root == tree_hash(before)


@pytest.mark.proves("T52", "LOG-03")
def test_a_database_behind_its_signed_head_refuses_to_start(world: World) -> None:
    _append(world, 1)
    sequencer.publish(world.works)
    with world.works.open() as work:
        head = sequencer.latest(work)
        assert head is not None
    ahead = head.size + BATCH
    world.store.put(
        f"checkpoint/{ahead:020d}", b"a head that this database never signed", lock_until=evidence_lock(world.now)
    )

    with pytest.raises(RolledBack):
        sequencer.require_not_rolled_back(world.works)


def test_a_store_that_agrees_with_the_database_lets_it_start(world: World) -> None:
    _append(world, 1)
    sequencer.publish(world.works)

    sequencer.require_not_rolled_back(world.works)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM journal",
        "UPDATE journal SET leaf = '\\x00'::bytea",
        "TRUNCATE journal",
        "UPDATE journal SET position = 7",
    ],
)
@pytest.mark.proves("LOG-03")
def test_the_database_itself_refuses_to_change_the_journal(world: World, statement: str) -> None:
    _append(world, 1)
    sequencer.publish(world.works)

    with pytest.raises(DBAPIError), world.works.open() as work:
        work.session.execute(text(statement))


@pytest.mark.proves("LOG-04", "T47")
def test_heads_come_in_steps_of_64_so_that_a_size_tells_little(world: World) -> None:
    world.publish(world.draft(k=1, n=2))
    world.deposit(ACME)
    sequencer.publish(world.works)

    with world.works.open() as work:
        sizes = list(work.session.exec(select(CheckpointRow.size)))

    assert all(size % BATCH == 0 for size in sizes)


@pytest.mark.proves("LOG-03")
@pytest.mark.parametrize("count", [5, 300], ids=["a partial tile", "full tiles above"])
def test_no_head_is_signed_over_a_tile_that_rotted(world: World, count: int) -> None:
    _append(world, count)
    head = sequencer.publish(world.works)
    tile = max(name for name in world.store.versions if name.startswith("tile/0/"))
    world.store.rot(tile)
    _append(world, 1)

    with pytest.raises(RolledBack, match="tiles or entries"):
        sequencer.publish(world.works)

    with world.works.open() as work:
        assert sequencer.latest(work) == head
    world.store.rot(tile)  # restored
    grown = sequencer.publish(world.works)
    assert grown is not None
    assert grown.size > count


@pytest.mark.proves("LOG-03")
def test_no_head_is_signed_over_an_entry_that_its_owner_edited(world: World, fresh_addresses: Addresses) -> None:
    _append(world, 3)
    sequencer.publish(world.works)
    owner = create_engine(fresh_addresses.owner_database_url)
    with owner.begin() as session:
        session.execute(text("ALTER TABLE journal DISABLE TRIGGER USER"))
        session.execute(text("UPDATE journal SET leaf = decode(repeat('01', 33), 'hex') WHERE position = 1"))
    owner.dispose()
    _append(world, 1)

    with pytest.raises(RolledBack, match="tiles or entries"):
        sequencer.publish(world.works)
