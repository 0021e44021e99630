# SPDX-License-Identifier: EUPL-1.2
"""The mirror: every row that matters is copied before its entry is published, and nothing readable leaves."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel, col, select

from crypto.wraps import WrapKind
from deploy.embedded import Addresses
from tests.world.backup import Backup
from tests.world.world import ACME, PLATFORM, World
from vault import mirror, sequencer
from vault.errors import RolledBack, StoreUnavailable
from vault.models import CheckpointRow, JournalRow, MirrorRow, Unmirrored
from vault.store.names import CHECKPOINTS, MIRRORS

DERIVED = {"checkpoint", "mirror", "unmirrored"}  # heads lie in the store; the others are the mirror's own


def _copies(world: World) -> list[str]:
    return sorted(name for name in world.store.versions if name.startswith(MIRRORS))


def _rows(world: World) -> list[mirror.MirroredRow]:
    return [row for number in mirror.numbers(world.works) for row in mirror.read(world.works, number)]


def test_every_table_of_the_vault_is_mirrored_or_derived(world: World) -> None:
    triggers = text("SELECT event_object_table FROM information_schema.triggers WHERE trigger_name = 'unmirrored'")
    owned = text("SELECT relname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE tgname = 'unmirrored'")
    with world.works.open() as work:
        watched = {name for (name,) in [*work.session.execute(triggers), *work.session.execute(owned)]}

    assert set(SQLModel.metadata.tables) == watched | DERIVED
    assert set(mirror.NAMES) == watched


@pytest.mark.proves("T1", "CONF-02")
def test_a_copy_shows_nothing_and_carries_no_key(open_world: World) -> None:
    open_world.deposit(ACME)
    sequencer.publish(open_world.works)

    copies = b"".join(open_world.store.versions[name][-1].data for name in _copies(open_world))
    rows = "".join(row.row for row in _rows(open_world))

    assert copies
    for planted in (ACME.encode(), PLATFORM.encode(), b"envelope", b"Rennes", open_world.procedure.bytes):
        assert planted not in copies
    for wrapped in open_world.key_store.keys.values():
        assert wrapped not in copies
        assert wrapped.hex() not in rows
    assert {int(name.partition("/")[0]) for name in open_world.key_store.keys} >= {WrapKind.PROCEDURE, WrapKind.OBJECT}


def test_what_is_written_is_copied_once_as_it_is_then(open_world: World) -> None:
    sequencer.publish(open_world.works)
    before = len(_copies(open_world))
    deposited = open_world.deposit(ACME)
    open_world.withdraw(deposited.id)

    sequencer.publish(open_world.works)
    sequencer.publish(open_world.works)

    newest = mirror.read(open_world.works, mirror.numbers(open_world.works)[-1])
    assert len(_copies(open_world)) == before + 1
    assert next(row.row for row in newest if row.name == "envelope").count("withdrawn") == 1
    assert sum(row.name == "envelope" for row in newest) == 1


def test_a_head_is_signed_only_over_entries_that_are_copied(open_world: World) -> None:
    sequencer.publish(open_world.works)
    open_world.deposit(ACME)
    heads = _heads(open_world)
    open_world.store.fail("put")

    with pytest.raises(StoreUnavailable):
        sequencer.publish(open_world.works)

    assert _heads(open_world) == heads
    sequencer.publish(open_world.works)
    copied = {row.row for row in _rows(open_world) if row.name == "journal"}
    with open_world.works.open() as work:
        placed = select(JournalRow.seq).where(col(JournalRow.position).is_not(None), JournalRow.bucket != b"")
        assert all(any(f'"seq": {seq},' in row for row in copied) for seq in work.session.exec(placed))


@pytest.mark.parametrize("is_persisted", [False, True])
@pytest.mark.proves("T41")
def test_a_copy_that_failed_is_made_again_whether_it_was_kept_or_not(open_world: World, *, is_persisted: bool) -> None:
    open_world.deposit(ACME)
    open_world.store.fail("put", is_persisted=is_persisted)
    with pytest.raises(StoreUnavailable):
        sequencer.publish(open_world.works)

    sequencer.publish(open_world.works)

    with open_world.works.open() as work:
        assert work.session.exec(select(Unmirrored)).first() is None
        state = work.session.get_one(MirrorRow, 1)
    assert state.begun == state.done == mirror.numbers(open_world.works)[-1]
    sequencer.require_not_rolled_back(open_world.works)


@pytest.mark.proves("T41")
def test_a_head_never_survives_a_power_cut_that_its_copy_does_not(open_world: World) -> None:
    open_world.deposit(ACME)
    open_world.store.fail("durable", is_persisted=False)
    with pytest.raises(StoreUnavailable):
        sequencer.publish(open_world.works)

    open_world.store.lose_power()

    assert _heads(open_world) <= {f"{CHECKPOINTS}{size:020d}" for size in _sizes(open_world)}


@pytest.mark.proves("T52")
def test_a_copy_that_the_database_has_not_begun_means_that_it_was_rolled_back(
    open_world: World, fresh_addresses: Addresses
) -> None:
    sequencer.publish(open_world.works)
    backup = Backup.of(fresh_addresses)
    open_world.deposit(ACME)
    sequencer.publish(open_world.works)
    for name in [name for name in open_world.store.versions if name.startswith(CHECKPOINTS)]:
        if name > f"{CHECKPOINTS}{max(_sizes(open_world)) - 1:020d}":
            del open_world.store.versions[name]

    backup.put_back(fresh_addresses)

    with pytest.raises(RolledBack):
        sequencer.require_not_rolled_back(open_world.works)


def test_a_copy_is_locked_for_longer_than_any_backup_lives(open_world: World) -> None:
    sequencer.publish(open_world.works)

    locks = [open_world.store.latest(name).lock_until for name in _copies(open_world)]

    assert all(lock is not None and lock - open_world.now >= timedelta(days=90) for lock in locks)


def _heads(world: World) -> set[str]:
    return {name for name in world.store.versions if name.startswith(CHECKPOINTS)}


def _sizes(world: World) -> list[int]:
    with world.works.open() as work:
        return list(work.session.exec(select(CheckpointRow.size)))
