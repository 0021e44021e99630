# SPDX-License-Identifier: EUPL-1.2
"""The flush that the embedded store lacks: one `syncfs` for everybody who waits (storage.md 2.1).

Rules
  1. `wait()` returns only after a flush that *began* after it was called has ended well.
  2. A flush that fails refuses everyone who waited for it: what relies on it is not committed.
  3. An outside store's durability is its own promise; there the barrier does nothing.
"""

import ctypes
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vault.errors import StoreFull, StoreUnavailable

_LIBC = ctypes.CDLL(None, use_errno=True)

LOOK_EVERY = 5.0  # seconds between two looks at what a store holds
PROMISE_LIFE = 60.0  # seconds that an upload is counted beside what has arrived of it
RESERVE = 512 * 1024 * 1024  # room left to the database and the journal


def _syncfs(descriptor: int) -> None:
    """Write the filesystem of a descriptor to its device, or raise OSError."""
    if _LIBC.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _size(path: Path) -> int:
    """Bytes of a file, none when the store has just put another in its place."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class Barrier(Protocol):
    """What stands between a store's acknowledgement and a database commit."""

    def wait(self) -> None:
        """Return once everything acknowledged before the call is on the disk; StoreUnavailable if it is not."""
        ...

    def require_room(self, size: int) -> None:
        """Raise StoreFull where `size` more bytes would not fit."""
        ...


class OutsidePromise:
    """The barrier of a store that is not ours: durability and room are its promise."""

    def wait(self) -> None:
        """Nothing to wait for."""

    def require_room(self, size: int) -> None:
        """Nobody to ask."""


class Room:
    """What a directory may still take of its quota.

    Files are looked at now and then, not for each deposit: what was promised since is counted by its promise, so that
    many who come at once are not all promised the same room.
    """

    def __init__(self, directory: Path, quota: int, *, timer: Callable[[], float] = time.monotonic) -> None:
        """Name the directory and its bytes."""
        self._directory = directory
        self._quota = quota
        self._timer = timer
        self._lock = threading.Lock()
        self._looked_at = -LOOK_EVERY
        self._held = 0
        self._promised: deque[tuple[float, int]] = deque()
        self._total = 0  # of what is promised

    def take(self, size: int) -> None:
        """Promise room for `size` bytes, or raise StoreFull."""
        with self._lock:
            now = self._timer()
            self._look(now)
            if self._held + self._total + size > self._quota:
                raise StoreFull("the store's quota has no room for this; its operator may raise store_quota")
            self._promised.append((now, size))
            self._total += size

    def _look(self, now: float) -> None:
        """Forget old promises, and look at the files now and then. Called with the lock held."""
        while self._promised and now - self._promised[0][0] >= PROMISE_LIFE:
            self._total -= self._promised.popleft()[1]
        if now - self._looked_at >= LOOK_EVERY:
            self._held = sum(map(_size, self._directory.rglob("*.dat")))
            self._looked_at = now


class DiskBarrier:
    """Group commit over the filesystem that holds the embedded store."""

    def __init__(
        self,
        directory: Path,
        *,
        reserve: int = RESERVE,
        quota: int | None = None,
        flush: Callable[[int], None] = _syncfs,
    ) -> None:
        """Watch over the filesystem of `directory`, keeping `reserve` bytes free, and the directory within `quota`."""
        self._directory = directory
        self._reserve = reserve
        self._room = Room(directory, quota) if quota is not None else None
        self._flush = flush
        # One descriptor for as long as we live: the kernel reports a lost write once to each that was open before it.
        self._descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._turn = threading.Condition()
        self._begun = 0
        self._ended = 0
        self._is_flushing = False
        self._broken: OSError | None = None

    def wait(self) -> None:
        """Sleep until a flush that began after this call has ended; the first who finds none under way does it."""
        with self._turn:
            mine = self._begun + 1
            while self._ended < mine and self._broken is None:
                if self._is_flushing:
                    self._turn.wait()
                else:
                    self._flush_once()
            if self._broken is not None:
                raise StoreUnavailable(f"the store's disk could not be flushed: {self._broken}")

    def _flush_once(self) -> None:
        """Flush with the lock let go, so that others queue up for the next one. Called and left with the lock held."""
        self._begun += 1
        self._is_flushing = True
        self._turn.release()
        error: OSError | None = None
        try:
            self._flush(self._descriptor)
        except OSError as failure:
            error = failure
        finally:
            self._turn.acquire()
            self._is_flushing = False
            self._ended = self._begun
            # Once lost, always lost: a later flush may succeed because the kernel has dropped the pages.
            self._broken = self._broken or error
            self._turn.notify_all()

    def require_room(self, size: int) -> None:
        """Refuse what would leave less than the reserve, or pass the quota."""
        if shutil.disk_usage(self._directory).free < size + self._reserve:
            raise StoreFull("the store's disk has no room for this")
        if self._room is not None:
            self._room.take(size)

    def close(self) -> None:
        """Let go of the filesystem."""
        os.close(self._descriptor)
