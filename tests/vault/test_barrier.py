# SPDX-License-Identifier: EUPL-1.2
"""The flush: begun after the call, shared by who waits, and a failure refuses everybody from then on."""

import errno
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from vault.errors import StoreFull, StoreUnavailable
from vault.store.barrier import LOOK_EVERY, PROMISE_LIFE, DiskBarrier, OutsidePromise, Room


class Disk:
    """A flush that a test lets go on."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.flushes = 0

    def flush(self, _descriptor: int) -> None:
        self.flushes += 1
        self.begun.release()
        assert self.may_end.acquire(timeout=30)


@pytest.mark.proves("ACK-01")
def test_who_calls_during_a_flush_waits_for_the_next_one(tmp_path: Path) -> None:
    disk = Disk()
    barrier = DiskBarrier(tmp_path, flush=disk.flush)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(barrier.wait)
        assert disk.begun.acquire(timeout=30)
        later: list[Future[None]] = [pool.submit(barrier.wait) for _ in range(5)]

        disk.may_end.release()
        first.result(timeout=30)
        assert disk.begun.acquire(timeout=30)  # the second flush began, so nobody of the five was served by the first
        assert not any(call.done() for call in later)

        for _ in range(5):
            disk.may_end.release()
        for call in later:
            call.result(timeout=30)
    assert 2 <= disk.flushes <= 6
    barrier.close()


@pytest.mark.proves("ACK-01")
def test_a_failed_flush_refuses_now_and_ever_after(tmp_path: Path) -> None:
    outcomes = [OSError(errno.EIO, "lost"), None]

    def flush(_descriptor: int) -> None:
        if (outcome := outcomes.pop(0)) is not None:
            raise outcome

    barrier = DiskBarrier(tmp_path, flush=flush)

    with pytest.raises(StoreUnavailable, match="could not be flushed"):
        barrier.wait()
    with pytest.raises(StoreUnavailable):
        barrier.wait()
    assert len(outcomes) == 1  # a later flush would have succeeded, and proved nothing
    barrier.close()


def test_the_real_flush_returns(tmp_path: Path) -> None:
    barrier = DiskBarrier(tmp_path)
    barrier.wait()
    barrier.wait()
    barrier.close()


def test_what_would_fill_the_disk_is_refused_before_it_comes(tmp_path: Path) -> None:
    barrier = DiskBarrier(tmp_path, reserve=0)
    barrier.require_room(1)

    with pytest.raises(StoreFull):
        barrier.require_room(1 << 60)
    barrier.close()


def test_an_outside_store_is_believed() -> None:
    OutsidePromise().wait()
    OutsidePromise().require_room(1 << 60)


class TestRoom:
    def hold(self, folder: Path, size: int) -> None:
        (folder / "vault_1.dat").write_bytes(bytes(size))

    def test_what_would_pass_the_quota_is_refused(self, tmp_path: Path) -> None:
        self.hold(tmp_path, 600)
        room = Room(tmp_path, 1000)
        room.take(400)

        with pytest.raises(StoreFull, match="store_quota"):
            Room(tmp_path, 1000).take(401)

    def test_many_who_come_at_once_are_not_promised_the_same_room(self, tmp_path: Path) -> None:
        room = Room(tmp_path, 1000, timer=lambda: 0.0)
        room.take(600)

        with pytest.raises(StoreFull):
            room.take(600)

    def test_a_promise_that_never_came_is_forgotten(self, tmp_path: Path) -> None:
        times = iter([0.0, PROMISE_LIFE + 1])
        room = Room(tmp_path, 1000, timer=lambda: next(times))
        room.take(600)

        room.take(600)

    def test_what_arrived_and_was_freed_is_looked_at_again(self, tmp_path: Path) -> None:
        self.hold(tmp_path, 1000)
        times = iter([0.0, LOOK_EVERY])
        room = Room(tmp_path, 1000, timer=lambda: next(times))
        with pytest.raises(StoreFull):
            room.take(1)
        self.hold(tmp_path, 0)

        room.take(1)

    def test_the_barrier_asks_it(self, tmp_path: Path) -> None:
        barrier = DiskBarrier(tmp_path, reserve=0, quota=10)

        with pytest.raises(StoreFull):
            barrier.require_room(11)
        barrier.close()
