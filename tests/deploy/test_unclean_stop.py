# SPDX-License-Identifier: EUPL-1.2
"""After a power cut the store is looked at before anybody reads: what is torn is mended, what cannot be is named."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deploy.embedded.directory import DataDirectory
from deploy.embedded.weed import PORTS, EmbeddedStore
from deploy.embedded.weed_files import BucketPair, access_key
from deploy.errors import PartFailed
from deploy.provision import StoreAdmin, provision
from tests.contracts.stores import new_name, now, soon
from tests.deploy.test_embedded import children_of
from vault.errors import StoreUnavailable
from vault.store import StoredObject
from vault.store.barrier import OutsidePromise
from vault.store.s3 import S3Access
from vault.store.s3_objects import S3ObjectStore

PAIR = BucketPair(objects="vault", keys="keys")
CONTENT = b"sealed" * 1000
READS = 10  # each is tried again by the client itself, ever later
HEAD = 8  # bytes that say what a volume is


@contextmanager
def running(data: Path, *, quota: int | None = None) -> Iterator[EmbeddedStore]:
    """The store alone on a directory."""
    directory = DataDirectory(data)
    directory.acquire()
    store = EmbeddedStore(directory, directory.ports("store", PORTS), pairs=(PAIR,), quota=quota)
    try:
        store.start()
        admin = StoreAdmin(store.endpoint, access_key("provision"), store.secrets["provision"])
        provision(admin, objects=PAIR.objects, keys=PAIR.keys)
        yield store
    finally:
        store.stop()
        directory.release()


def objects(store: EmbeddedStore) -> S3ObjectStore:
    access = S3Access(store.endpoint, PAIR.objects, access_key("vault"), store.secrets["vault"])
    return S3ObjectStore(access, clock=now, barrier=OutsidePromise())


@pytest.fixture
def stored(data: Path) -> StoredObject:
    """An object that a store kept, which has ended."""
    with running(data) as store:
        return objects(store).put(new_name(), CONTENT, lock_until=soon())


def read(store: EmbeddedStore, one: StoredObject) -> bytes:
    """An object's bytes; a store that was just killed may say for a moment that its volumes are not known yet."""
    for _ in range(READS):
        with suppress(StoreUnavailable):
            return b"".join(objects(store).stream(one.key, one.version_id))
    raise AssertionError("the object is not read any more")


def volumes(data: Path, ending: str) -> list[Path]:
    found = [path for path in data.glob(f"store/vault_*.{ending}") if path.stat().st_size]
    assert found
    return found


def cut(path: Path) -> None:
    """A flush that never came took the last bytes."""
    os.truncate(path, path.stat().st_size - 5)


@pytest.mark.proves("T41", "OPS-03")
@pytest.mark.parametrize("tear", [cut, Path.unlink], ids=["the index is cut", "the index is not there"])
def test_a_torn_volume_is_mended_before_anybody_reads(
    data: Path, stored: StoredObject, tear: Callable[[Path], None]
) -> None:
    for path in volumes(data, "idx"):
        tear(path)

    with running(data) as store:
        assert b"".join(objects(store).stream(stored.key, stored.version_id)) == CONTENT


@pytest.mark.usefixtures("stored")
def test_a_volume_beyond_mending_stops_the_start_and_is_named(data: Path) -> None:
    for path in volumes(data, "dat"):
        with path.open("r+b") as volume:
            volume.write(b"\xff" * HEAD)

    with pytest.raises(PartFailed, match=r"of vault (could not be mended|.*cannot be read)"), running(data):
        pytest.fail("it started")


@pytest.mark.proves("T41", "OPS-03")
def test_a_store_that_was_killed_is_told_and_loses_nothing(data: Path, stored: StoredObject) -> None:
    with running(data) as store:
        (weed,) = (one for one in children_of(data) if one.name() == "weed")
        later = objects(store).put(new_name(), CONTENT, lock_until=soon())

        weed.send_signal(signal.SIGKILL)

        os.waitid(os.P_PID, weed.pid, os.WEXITED | os.WNOWAIT)  # looks at how it ended, and leaves that to the store
        with pytest.raises(PartFailed, match="the object store ended with -9"):
            store.require_running()
    with running(data) as store:
        assert [read(store, one) for one in (stored, later)] == [CONTENT, CONTENT]


def test_a_quota_is_a_ceiling_of_volumes_above_what_the_vault_lets_in(data: Path) -> None:
    with running(data, quota=20 * 1024**3) as store:
        (weed,) = (one for one in children_of(data) if one.name() == "weed")

        assert store.room == 20 * 1024**3
        assert "-volume.max=24" in weed.cmdline()
