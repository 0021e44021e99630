# SPDX-License-Identifier: EUPL-1.2
"""What the vault asks of the place where objects lie, and of the place where wrapped keys lie.

Rules
  1. An object is written once, under a name nobody else draws, and read only by its version.
  2. A put answers when the store says it has the bytes; what a database commit relies on also waits for `durable()`.
  3. Locks are COMPLIANCE, rounded up to a Monday, only ever extended; `vault.store.locks` judges every date.
  4. Nothing here deletes an object. Disposal will, in retention, through its own protocol.

Left to others: which attempt is the envelope (a row in the database decides), when a lock is renewed (retention).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

PART_SIZE = 8 * 1024 * 1024  # storage.md decision 5: 16 MiB parts go over the memory limit
UPLOADERS = 3  # parts in flight of one upload; one uploader reached 0.77 of three


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of one object that the store has acknowledged."""

    key: str
    version_id: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the store says of one version: its size and its lock."""

    key: str
    version_id: str
    size: int
    lock_until: datetime | None
    legal_hold: bool


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One line of a listing: a version, or a delete marker laid over one."""

    key: str
    version_id: str
    size: int
    stored_at: datetime
    is_latest: bool
    is_marker: bool


@dataclass(frozen=True, slots=True)
class UnfinishedUpload:
    """A multipart upload that was begun and neither completed nor aborted."""

    key: str
    upload_id: str
    begun_at: datetime


class Upload(Protocol):
    """One object on its way, in parts.

    Used by one thread; the parts travel in threads of its own, at most `UPLOADERS` at a time, so a call waits while
    that many are under way. As a context manager it aborts on leaving, unless it was completed. After any error the
    upload is dead: every later call raises the first error again, and `abort` is all that is left.
    """

    @property
    def key(self) -> str:
        """The name the object will have."""
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of any length, copied before it returns, and send them on in parts of `PART_SIZE`."""
        ...

    def put_part(self, part: bytes | bytearray) -> None:
        """Send one part as it is; it belongs to the upload from here on. Not to be mixed with `write`.

        All parts but the last must have at least 5 MiB, which every S3 store demands.
        """
        ...

    def complete(self) -> StoredObject:
        """Make the object of the parts sent, under the lock given at the beginning.

        Sent with If-None-Match. An answer that got lost is looked for: the object under this key, with this upload's
        mark and its length, is success. An upload without a byte makes an empty object.

        Raises:
            StoreConflict: another object has this key.
            StoreUnavailable: nobody can say; the object may be there. Begin anew under a new key.
        """
        ...

    def abort(self) -> None:
        """Give the parts back to the store. Never raises: what stays is found by `unfinished_uploads`."""
        ...

    def __enter__(self) -> Self:
        """Begin to watch over the upload."""
        ...

    def __exit__(self, *details: object) -> None:
        """Abort what was not completed."""
        ...


class ObjectStore(Protocol):
    """A bucket with versioning and Object Lock.

    Consistency: what a put, a complete or an extension acknowledged is seen by every later call.
    Durability: promised only after `durable()` has returned, which any number of threads may call at once.
    Retries: each call repeats itself on errors of the network; a caller repeats only as a new attempt, new key.
    Threads: every method may be called from any thread.
    Errors: StoreUnavailable (try again later), StoreConflict (the name is taken), ObjectMissing, StoreRefused (the
    store, or a rule about locks, says no), StoreFull (no room; reading goes on). Nothing else comes out.
    """

    def begin_upload(self, key: str, *, lock_until: datetime) -> Upload:
        """Begin an object whose length is not known yet; the lock holds from its completion."""
        ...

    def put(self, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True) -> StoredObject:
        """Write a small object at once. With `if_absent`, an existing one raises StoreConflict.

        Of several racing puts with `if_absent` exactly one wins. A repeat whose first answer was lost succeeds.
        """
        ...

    def get_range(self, key: str, version_id: str, *, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes from `offset`; fewer only where the object ends, none past its end."""
        ...

    def stream(self, key: str, version_id: str) -> Iterator[bytes]:
        """Read the whole version in pieces of about 1 MiB.

        Raises:
            StoreUnavailable: it broke off; a stream that ends without an error is whole.
        """
        ...

    def head(self, key: str, version_id: str) -> ObjectFacts:
        """Tell size and lock of one version, as the store sees them now."""
        ...

    def latest(self, key: str) -> ObjectFacts:
        """Tell the newest version under a name: for names that are found by listing, never for envelopes.

        A delete marker on top is ObjectMissing, though the versions below it are safe.
        """
        ...

    def extend_lock(self, key: str, version_id: str, *, lock_until: datetime) -> datetime:
        """Lock until the Monday at or after `lock_until` and return the lock read back from the store.

        A lock that already reaches further stays and is returned: that is success, on a replay too.
        """
        ...

    def list_versions(self, prefix: str) -> Iterator[StoredVersion]:
        """Every version and marker whose name begins with `prefix`, by name, newest first, exact."""
        ...

    def unfinished_uploads(self) -> Iterator[UnfinishedUpload]:
        """Every upload that was begun and neither completed nor aborted."""
        ...

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        """Give the parts of a dead upload back; one that is gone already is success."""
        ...

    def require_lock(self) -> None:
        """Raise StoreRefused unless the bucket has Object Lock: asked at start and by readiness."""
        ...

    def require_room(self, size: int) -> None:
        """Refuse with StoreFull what would not fit, before its first byte. An outside store is not asked."""
        ...

    def durable(self) -> None:
        """Return once everything acknowledged before this call survives a power cut.

        Raises:
            StoreUnavailable: the flush failed; what relies on it must not be committed.
        """
        ...


class KeyStore(Protocol):
    """Where wrapped keys lie: a bucket without versions or locks, apart from database and objects (protocol 3.10).

    Names are `<kind>/<id hex>` (`vault.store.names`). A deleted key is gone: no version, no marker, no undo.
    Errors, threads and durability as `ObjectStore`.
    """

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        """Write a key once. The same bytes again are success, other bytes raise StoreConflict."""
        ...

    def get(self, name: str) -> bytes:
        """Read a key.

        Raises:
            ObjectMissing: there is none, or none any more.
        """
        ...

    def delete(self, name: str) -> None:
        """Destroy a key; one that is not there is success."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Names that begin with `prefix`, in order: for the sweep."""
        ...

    def compact(self) -> None:
        """Return once what was deleted before this call lies in no file of the store any more.

        Raises:
            CannotCompact: this store cannot be compacted from here; the text says who can.
        """
        ...

    def durable(self) -> None:
        """As `ObjectStore.durable`."""
        ...
