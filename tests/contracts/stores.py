# SPDX-License-Identifier: EUPL-1.2
"""What every object store and every key store must do, whoever made it: suites that each implementation runs."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from vault.errors import ObjectMissing, StoreConflict, StoreRefused, StoreUnavailable
from vault.store import PART_SIZE, KeyStore, ObjectStore, StoredObject
from vault.store.locks import to_monday
from vault.store.names import key_name, object_name

RACERS = 8


def now() -> datetime:
    """The stores judge locks by the machine's clock, so these tests do too."""
    return datetime.now(UTC)


def soon() -> datetime:
    return now() + timedelta(days=1)


def new_name() -> str:
    return object_name(uuid4().bytes)


class ObjectStoreContract:
    """Run by a subclass with a fixture `store`."""

    def test_what_was_put_is_read_by_its_version(self, store: ObjectStore) -> None:
        stored = store.put(new_name(), b"sealed", lock_until=soon())

        assert stored.size == 6
        assert store.get_range(stored.key, stored.version_id, offset=0, size=6) == b"sealed"
        assert b"".join(store.stream(stored.key, stored.version_id)) == b"sealed"

    def test_a_name_is_taken_once(self, store: ObjectStore) -> None:
        first = store.put(new_name(), b"first", lock_until=soon())

        with pytest.raises(StoreConflict):
            store.put(first.key, b"second", lock_until=soon())
        assert store.latest(first.key).version_id == first.version_id

    def test_another_version_hides_nothing(self, store: ObjectStore) -> None:
        first = store.put(new_name(), b"first", lock_until=soon())
        second = store.put(first.key, b"second", lock_until=soon(), if_absent=False)

        assert store.get_range(first.key, first.version_id, offset=0, size=9) == b"first"
        assert [line.version_id for line in store.list_versions(first.key)] == [second.version_id, first.version_id]

    def test_of_racing_puts_one_wins(self, store: ObjectStore) -> None:
        name = new_name()

        won = race(lambda: store.put(name, os.urandom(8), lock_until=soon()))

        assert len(won) == 1
        assert len(list(store.list_versions(name))) == 1

    @pytest.mark.parametrize("size", [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 3 * PART_SIZE + 7])
    def test_an_upload_of_any_size_is_the_bytes_that_were_written(self, store: ObjectStore, size: int) -> None:
        data = os.urandom(size)

        with store.begin_upload(new_name(), lock_until=soon()) as upload:
            for offset in range(0, size, 3_000_001):
                upload.write(data[offset : offset + 3_000_001])
            stored = upload.complete()

        assert stored.size == store.head(stored.key, stored.version_id).size == size
        assert b"".join(store.stream(stored.key, stored.version_id)) == data

    def test_parts_arrive_in_the_order_they_were_given(self, store: ObjectStore) -> None:
        parts = [os.urandom(PART_SIZE), os.urandom(PART_SIZE), os.urandom(PART_SIZE), b"last"]

        with store.begin_upload(new_name(), lock_until=soon()) as upload:
            for part in parts:
                upload.put_part(part)
            stored = upload.complete()

        border = store.get_range(stored.key, stored.version_id, offset=PART_SIZE - 5, size=10)
        assert border == parts[0][-5:] + parts[1][:5]
        assert b"".join(store.stream(stored.key, stored.version_id)) == b"".join(parts)

    @pytest.mark.parametrize("size", [10, PART_SIZE + 10])
    def test_an_upload_under_a_taken_name_is_refused(self, store: ObjectStore, size: int) -> None:
        first = store.put(new_name(), b"first", lock_until=soon())

        with store.begin_upload(first.key, lock_until=soon()) as upload:
            upload.write(bytes(size))
            with pytest.raises(StoreConflict):
                upload.complete()
        assert store.latest(first.key).version_id == first.version_id

    def test_an_upload_left_early_leaves_nothing(self, store: ObjectStore) -> None:
        name = new_name()

        with store.begin_upload(name, lock_until=soon()) as upload:
            upload.write(bytes(PART_SIZE + 1))

        with pytest.raises(ObjectMissing):
            store.latest(name)
        assert name not in {line.key for line in store.unfinished_uploads()}

    def test_an_upload_that_ended_takes_no_more(self, store: ObjectStore) -> None:
        upload = store.begin_upload(new_name(), lock_until=soon())
        upload.complete()

        with pytest.raises(StoreUnavailable):
            upload.write(b"more")

    def test_a_dead_upload_is_listed_and_aborted_once_or_twice(self, store: ObjectStore) -> None:
        upload = store.begin_upload(new_name(), lock_until=soon())
        upload.write(bytes(PART_SIZE + 1))
        [dead] = [line for line in store.unfinished_uploads() if line.key == upload.key]

        store.abort_unfinished(dead)
        store.abort_unfinished(dead)

        assert upload.key not in {line.key for line in store.unfinished_uploads()}
        upload.abort()

    def test_a_range_ends_where_the_object_ends(self, store: ObjectStore) -> None:
        stored = store.put(new_name(), b"0123456789", lock_until=soon())

        read = [store.get_range(stored.key, stored.version_id, offset=at, size=4) for at in (0, 8, 10, 99)]

        assert read == [b"0123", b"89", b"", b""]
        assert store.get_range(stored.key, stored.version_id, offset=3, size=0) == b""

    def test_what_is_not_there_is_missing(self, store: ObjectStore) -> None:
        stored = store.put(new_name(), b"x", lock_until=soon())
        absent = new_name()

        for ask in (
            lambda: store.latest(absent),
            lambda: store.head(absent, stored.version_id),
            lambda: store.get_range(absent, stored.version_id, offset=0, size=1),
            lambda: list(store.stream(absent, stored.version_id)),
        ):
            with pytest.raises(ObjectMissing):
                ask()

    def test_nothing_is_read_without_a_version(self, store: ObjectStore) -> None:
        stored = store.put(new_name(), b"x", lock_until=soon())

        with pytest.raises(StoreRefused):
            store.head(stored.key, "")
        with pytest.raises(StoreRefused):
            store.extend_lock(stored.key, "", lock_until=soon())

    @pytest.mark.proves("T48")
    def test_every_lock_ends_on_a_monday(self, store: ObjectStore) -> None:
        wanted = soon()
        put = store.put(new_name(), b"x", lock_until=wanted)
        upload = store.begin_upload(new_name(), lock_until=wanted)
        upload.write(bytes(PART_SIZE + 1))
        uploaded = upload.complete()

        locks = {store.head(stored.key, stored.version_id).lock_until for stored in (put, uploaded)}

        assert locks == {to_monday(wanted)}

    def test_a_lock_is_extended_and_never_shortened(self, store: ObjectStore) -> None:
        stored = store.put(new_name(), b"x", lock_until=soon())
        later = now() + timedelta(days=90)

        assert store.extend_lock(stored.key, stored.version_id, lock_until=later) == to_monday(later)
        assert store.extend_lock(stored.key, stored.version_id, lock_until=soon()) == to_monday(later)
        assert store.head(stored.key, stored.version_id).lock_until == to_monday(later)

    @pytest.mark.parametrize("days", [-1, 0, 500])
    def test_a_lock_in_the_past_or_too_far_is_refused(self, store: ObjectStore, days: int) -> None:
        stored = store.put(new_name(), b"x", lock_until=soon())
        date = now() + timedelta(days=days)

        for act in (
            lambda: store.put(new_name(), b"x", lock_until=date),
            lambda: store.begin_upload(new_name(), lock_until=date),
            lambda: store.extend_lock(stored.key, stored.version_id, lock_until=date),
        ):
            with pytest.raises(StoreRefused):
                act()

    def test_listings_are_exact_and_by_prefix(self, store: ObjectStore) -> None:
        prefix = f"check/{uuid4().hex}/"
        names = [f"{prefix}{number}" for number in (1, 10, 11, 2)]
        for name in names:
            store.put(name, b"x", lock_until=soon())

        assert [line.key for line in store.list_versions(prefix)] == sorted(names)
        assert {line.key for line in store.list_versions(f"{prefix}1")} == {names[0], names[1], names[2]}

    def test_the_bucket_has_a_lock_and_room(self, store: ObjectStore) -> None:
        store.require_lock()
        store.require_room(1)
        store.durable()


class KeyStoreContract:
    """Run by a subclass with a fixture `keys`."""

    def test_a_key_is_written_once(self, keys: KeyStore) -> None:
        name = key_name(2, uuid4().bytes)
        keys.put_if_absent(name, b"w" * 60)

        keys.put_if_absent(name, b"w" * 60)  # our own answer may have got lost
        with pytest.raises(StoreConflict):
            keys.put_if_absent(name, b"v" * 60)
        assert keys.get(name) == b"w" * 60

    def test_a_deleted_key_is_gone_and_may_be_written_anew(self, keys: KeyStore) -> None:
        name = key_name(2, uuid4().bytes)
        keys.put_if_absent(name, b"w" * 60)

        keys.delete(name)
        keys.delete(name)

        with pytest.raises(ObjectMissing):
            keys.get(name)
        assert name not in list(keys.list("2/"))
        keys.put_if_absent(name, b"v" * 60)

    def test_of_racing_puts_one_wins(self, keys: KeyStore) -> None:
        name = key_name(4, uuid4().bytes)

        won = race(lambda: keys.put_if_absent(name, os.urandom(60)))

        assert len(won) == 1

    def test_a_kind_is_listed_apart_from_others(self, keys: KeyStore) -> None:
        one, eleven = key_name(1, uuid4().bytes), key_name(11, uuid4().bytes)
        keys.put_if_absent(one, b"1" * 60)
        keys.put_if_absent(eleven, b"2" * 60)

        listed = list(keys.list("1/"))

        assert one in listed
        assert eleven not in listed
        assert listed == sorted(listed)

    def test_keys_are_flushed(self, keys: KeyStore) -> None:
        keys.durable()


def race(act: Callable[[], StoredObject | None]) -> list[StoredObject | None]:
    """What those achieved who were not refused; any other error fails the test."""

    def attempt(_: int) -> tuple[bool, StoredObject | None]:
        try:
            return True, act()
        except StoreConflict:
            return False, None

    with ThreadPoolExecutor(RACERS) as pool:
        return [result for has_won, result in pool.map(attempt, range(RACERS)) if has_won]
