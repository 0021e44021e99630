# SPDX-License-Identifier: EUPL-1.2
"""Stores in memory that keep the same contracts as the real ones (tests/contracts), and fail when told.

`store.fail("put")` makes the next put fail before anything is kept; `store.fail("put", is_persisted=True)` keeps it and
then loses the answer. Nothing is durable before `durable()`: `store.lose_power()` forgets what was not flushed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, Self
from uuid import uuid4

from vault.errors import ObjectMissing, StoreConflict, StoreFull, StoreRefused, StoreUnavailable
from vault.store import ObjectFacts, StoredObject, StoredVersion, UnfinishedUpload
from vault.store.locks import HORIZON, require_lock_date

PIECE = 1024 * 1024


@dataclass(frozen=True)
class _Kept:
    """One version."""

    version_id: str
    data: bytes
    lock_until: datetime
    stored_at: datetime


class Watch(Protocol):
    """Is told what a store is asked to do."""

    def __call__(self, what: str, *, is_done: bool) -> None: ...


@dataclass
class Faults:
    """Which operations are to fail, how often, and whether they take effect all the same.

    `watch` is told of every operation before and after it takes effect, as `put o/…`; what it raises goes through.
    """

    lost: Counter[str] = field(default_factory=Counter)
    persisted: Counter[str] = field(default_factory=Counter)
    watch: Watch | None = None

    def fail(self, operation: str, *, times: int = 1, is_persisted: bool = False) -> None:
        """Make the next calls of an operation fail."""
        (self.persisted if is_persisted else self.lost)[operation] += times

    def before(self, operation: str, name: str = "") -> None:
        """Fail where nothing happened yet."""
        self._strike(self.lost, operation)
        if self.watch is not None:
            self.watch(f"{operation} {name}", is_done=False)

    def after(self, operation: str, name: str = "") -> None:
        """Fail where everything happened already."""
        self._strike(self.persisted, operation)
        if self.watch is not None:
            self.watch(f"{operation} {name}", is_done=True)

    @staticmethod
    def _strike(faults: Counter[str], operation: str) -> None:
        if faults[operation] > 0:
            faults[operation] -= 1
            raise StoreUnavailable(f"told to fail: {operation}")


class MemoryObjectStore(Faults):
    """`ObjectStore` in a dict."""

    def __init__(self, *, clock: Callable[[], datetime], horizon: timedelta = HORIZON, room: int | None = None) -> None:
        super().__init__()
        self._clock, self._horizon, self.room = clock, horizon, room
        self.versions: dict[str, list[_Kept]] = {}
        self._flushed: dict[str, list[_Kept]] = {}
        self.uploads: dict[str, UnfinishedUpload] = {}

    def begin_upload(self, key: str, *, lock_until: datetime) -> "MemoryUpload":
        self._lock(lock_until)
        return MemoryUpload(self, key, lock_until)

    def put(self, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True) -> StoredObject:
        return self.keep("put", key, data, lock_until=lock_until, if_absent=if_absent)

    def keep(
        self, operation: str, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True
    ) -> StoredObject:
        """Add a version, failing as told."""
        lock = self._lock(lock_until)
        self.before(operation, key)
        if if_absent and self.versions.get(key):
            raise StoreConflict(f"{key} is there already")
        kept = _Kept(uuid4().hex, bytes(data), lock, self._clock())
        self.versions.setdefault(key, []).append(kept)
        self.after(operation, key)
        return StoredObject(key, kept.version_id, len(kept.data))

    def get_range(self, key: str, version_id: str, *, offset: int, size: int) -> bytes:
        self.before("get", key)
        return self._find(key, version_id).data[offset : offset + size]

    def stream(self, key: str, version_id: str) -> Iterator[bytes]:
        self.before("get", key)
        data = self._find(key, version_id).data
        for offset in range(0, len(data), PIECE):
            yield data[offset : offset + PIECE]

    def head(self, key: str, version_id: str) -> ObjectFacts:
        self.before("head")
        return _facts(key, self._find(key, version_id))

    def latest(self, key: str) -> ObjectFacts:
        self.before("head")
        if not self.versions.get(key):
            raise ObjectMissing(key)
        return _facts(key, self.versions[key][-1])

    def extend_lock(self, key: str, version_id: str, *, lock_until: datetime) -> datetime:
        wanted = self._lock(lock_until)
        self.before("extend", key)
        kept = self._find(key, version_id)
        longer = replace(kept, lock_until=max(wanted, kept.lock_until))
        self.versions[key][self.versions[key].index(kept)] = longer
        self.after("extend", key)
        return longer.lock_until

    def list_versions(self, prefix: str) -> Iterator[StoredVersion]:
        self.before("list")
        for key in sorted(self.versions):
            if key.startswith(prefix):
                for kept in reversed(self.versions[key]):
                    yield StoredVersion(
                        key=key,
                        version_id=kept.version_id,
                        size=len(kept.data),
                        stored_at=kept.stored_at,
                        is_latest=kept is self.versions[key][-1],
                        is_marker=False,
                    )

    def unfinished_uploads(self) -> Iterator[UnfinishedUpload]:
        yield from list(self.uploads.values())

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        self.uploads.pop(upload.upload_id, None)

    def require_lock(self) -> None:
        self.before("require_lock")

    def require_room(self, size: int) -> None:
        if self.room is not None and size > self.room:
            raise StoreFull("no room")

    def durable(self) -> None:
        self.before("durable")
        self._flushed = {key: list(kept) for key, kept in self.versions.items()}
        self.after("durable")

    def lose_power(self) -> None:
        """Forget what was acknowledged and not flushed, and every upload under way."""
        self.versions = {key: list(kept) for key, kept in self._flushed.items()}
        self.uploads.clear()

    def rot(self, key: str, *, at: int = 0) -> None:
        """Change one byte of the newest version, as a failing disk does."""
        kept = self.versions[key][-1]
        rotten = bytearray(kept.data)
        rotten[at] ^= 1
        self.versions[key][-1] = replace(kept, data=bytes(rotten))

    def begun_at(self) -> datetime:
        """The store's time, for uploads."""
        return self._clock()

    def _lock(self, lock_until: datetime) -> datetime:
        return require_lock_date(lock_until, now=self._clock(), horizon=self._horizon)

    def _find(self, key: str, version_id: str) -> _Kept:
        if not version_id:
            raise StoreRefused("an object is read by its version")
        for kept in self.versions.get(key, []):
            if kept.version_id == version_id:
                return kept
        raise ObjectMissing(f"{key} has no such version")


class MemoryUpload:
    """`Upload` into a `MemoryObjectStore`."""

    def __init__(self, store: MemoryObjectStore, key: str, lock_until: datetime) -> None:
        self._store, self._key, self._lock_until = store, key, lock_until
        self._data = bytearray()
        self._id = uuid4().hex
        self._failure: StoreUnavailable | None = None
        self._is_done = False
        store.uploads[self._id] = UnfinishedUpload(key, self._id, store.begun_at())

    @property
    def key(self) -> str:
        return self._key

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._require_alive()
        try:
            self._store.before("part")
        except StoreUnavailable as failure:
            self._failure = failure
            raise
        self._data += data

    def put_part(self, part: bytes | bytearray) -> None:
        self.write(part)

    def complete(self) -> StoredObject:
        self._require_alive()
        stored = self._store.keep("complete", self._key, bytes(self._data), lock_until=self._lock_until)
        self._end()
        return stored

    def abort(self) -> None:
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        error = details[1]
        is_killed = error is not None and not isinstance(error, Exception)  # a killed process aborts nothing
        if not self._is_done and not is_killed:
            self.abort()

    def _require_alive(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._is_done:
            raise StoreUnavailable("this upload has ended")

    def _end(self) -> None:
        self._is_done = True
        self._store.uploads.pop(self._id, None)


class MemoryKeyStore(Faults):
    """`KeyStore` in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, bytes] = {}
        self._flushed: dict[str, bytes] = {}

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        self.before("put", name)
        if self.keys.setdefault(name, bytes(wrapped)) != wrapped:
            raise StoreConflict(f"{name} is there already")
        self.after("put", name)

    def get(self, name: str) -> bytes:
        self.before("get", name)
        if name not in self.keys:
            raise ObjectMissing(name)
        return self.keys[name]

    def delete(self, name: str) -> None:
        self.before("delete", name)
        self.keys.pop(name, None)
        self.after("delete", name)

    def list(self, prefix: str) -> Iterator[str]:
        self.before("list")
        yield from sorted(name for name in self.keys if name.startswith(prefix))

    def compact(self) -> None:
        self.before("compact")

    def durable(self) -> None:
        self.before("durable")
        self._flushed = dict(self.keys)
        self.after("durable")

    def lose_power(self) -> None:
        """Forget what was acknowledged and not flushed."""
        self.keys = dict(self._flushed)


def _facts(key: str, kept: _Kept) -> ObjectFacts:
    return ObjectFacts(
        key=key, version_id=kept.version_id, size=len(kept.data), lock_until=kept.lock_until, legal_hold=False
    )
