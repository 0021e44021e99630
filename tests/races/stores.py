# SPDX-License-Identifier: EUPL-1.2
"""Stores in a directory, so that several processes share them: the contracts of the real ones, without their cost.

Rules
  1. A name is taken by one link, which the kernel gives to one of any number of processes.
  2. A version's file is whole before it has its name: 8 bytes of lock, then the data.

Left to others: faults and lost power (tests.world.store), what lies on a disk after a cut (tests.races.power).
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self
from urllib.parse import quote, unquote
from uuid import uuid4

from crypto.encoding import from_millis, to_millis, u64
from vault.errors import ObjectMissing, StoreConflict, StoreRefused, StoreUnavailable
from vault.store import ObjectFacts, StoredObject, StoredVersion, UnfinishedUpload
from vault.store.locks import HORIZON, require_lock_date

LOCK_BYTES = 8
PIECE = 1024 * 1024
FIRST = "1"


class FileObjectStore:
    """`ObjectStore` in a directory."""

    def __init__(self, directory: Path, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._objects, self._new, self._uploads = (directory / name for name in ("objects", "new", "uploads"))
        for folder in (self._objects, self._new, self._uploads):
            folder.mkdir(parents=True, exist_ok=True)

    def begin_upload(self, key: str, *, lock_until: datetime) -> "FileUpload":
        self._lock(lock_until)
        marker = self._uploads / f"{quote(key, safe='')}~{uuid4().hex}"
        marker.touch()
        return FileUpload(self, key, lock_until=lock_until, marker=marker)

    def put(self, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True) -> StoredObject:
        lock = self._lock(lock_until)
        whole = self._new / uuid4().hex
        whole.write_bytes(u64(to_millis(lock)) + data)
        try:
            return StoredObject(key, self._name(key, whole, if_absent=if_absent), len(data))
        finally:
            whole.unlink()

    def get_range(self, key: str, version_id: str, *, offset: int, size: int) -> bytes:
        with self._find(key, version_id).open("rb") as file:
            file.seek(LOCK_BYTES + offset)
            return file.read(size)

    def stream(self, key: str, version_id: str) -> Iterator[bytes]:
        with self._find(key, version_id).open("rb") as file:
            file.seek(LOCK_BYTES)
            while piece := file.read(PIECE):
                yield piece

    def head(self, key: str, version_id: str) -> ObjectFacts:
        path = self._find(key, version_id)
        with path.open("rb") as file:
            lock = from_millis(int.from_bytes(file.read(LOCK_BYTES), "big"))
        return ObjectFacts(key, version_id, path.stat().st_size - LOCK_BYTES, lock_until=lock, legal_hold=False)

    def latest(self, key: str) -> ObjectFacts:
        versions = self._versions(key)
        if not versions:
            raise ObjectMissing(key)
        return self.head(key, versions[-1])

    def extend_lock(self, key: str, version_id: str, *, lock_until: datetime) -> datetime:
        wanted = self._lock(lock_until)
        known = self.head(key, version_id).lock_until
        assert known is not None
        with self._find(key, version_id).open("r+b") as file:
            file.write(u64(to_millis(max(known, wanted))))
        return max(known, wanted)

    def list_versions(self, prefix: str) -> Iterator[StoredVersion]:
        names = (unquote(folder.name) for folder in self._objects.iterdir())
        for key in sorted(name for name in names if name.startswith(prefix)):
            versions = self._versions(key)
            for version_id in reversed(versions):
                facts = self.head(key, version_id)
                yield StoredVersion(
                    key=key,
                    version_id=version_id,
                    size=facts.size,
                    stored_at=datetime.fromtimestamp(self._find(key, version_id).stat().st_mtime, UTC),
                    is_latest=version_id == versions[-1],
                    is_marker=False,
                )

    def unfinished_uploads(self) -> Iterator[UnfinishedUpload]:
        for marker in sorted(self._uploads.iterdir()):
            key, _, upload_id = marker.name.rpartition("~")
            yield UnfinishedUpload(unquote(key), upload_id, self._clock())

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        (self._uploads / f"{quote(upload.key, safe='')}~{upload.upload_id}").unlink(missing_ok=True)

    def require_lock(self) -> None:
        """It has."""

    def require_room(self, size: int) -> None:
        """There is."""

    def durable(self) -> None:
        """Nothing here survives the test that made it."""

    def _name(self, key: str, whole: Path, *, if_absent: bool) -> str:
        """Give a whole file the next version of a name."""
        folder = self._objects / quote(key, safe="")
        folder.mkdir(exist_ok=True)
        while True:
            version_id = FIRST if if_absent else str(int((self._versions(key) or ["0"])[-1]) + 1)
            try:
                os.link(whole, folder / version_id)
            except FileExistsError as error:
                if if_absent:
                    raise StoreConflict(f"{key} is there already") from error
                continue
            return version_id

    def _versions(self, key: str) -> list[str]:
        folder = self._objects / quote(key, safe="")
        return sorted((one.name for one in folder.iterdir()), key=int) if folder.is_dir() else []

    def _find(self, key: str, version_id: str) -> Path:
        if not version_id:
            raise StoreRefused("an object is read by its version")
        path = self._objects / quote(key, safe="") / version_id
        if not path.is_file():
            raise ObjectMissing(f"{key} has no such version")
        return path

    def _lock(self, lock_until: datetime) -> datetime:
        return require_lock_date(lock_until, now=self._clock(), horizon=HORIZON)


class FileUpload:
    """`Upload` into a `FileObjectStore`."""

    def __init__(self, store: FileObjectStore, key: str, *, lock_until: datetime, marker: Path) -> None:
        self._store, self._key, self._lock_until, self._marker = store, key, lock_until, marker
        self._data = bytearray()

    @property
    def key(self) -> str:
        return self._key

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._require_alive()
        self._data += data

    def put_part(self, part: bytes | bytearray) -> None:
        self.write(part)

    def complete(self) -> StoredObject:
        self._require_alive()
        stored = self._store.put(self._key, bytes(self._data), lock_until=self._lock_until)
        self.abort()
        return stored

    def abort(self) -> None:
        self._marker.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.abort()

    def _require_alive(self) -> None:
        if not self._marker.exists():
            raise StoreUnavailable("this upload has ended")


class FileKeyStore:
    """`KeyStore` in a directory."""

    def __init__(self, directory: Path) -> None:
        self._keys, self._new = directory / "keys", directory / "new"
        for folder in (self._keys, self._new):
            folder.mkdir(parents=True, exist_ok=True)

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        whole = self._new / uuid4().hex
        whole.write_bytes(wrapped)
        try:
            os.link(whole, self._path(name))
        except FileExistsError as error:
            if self._path(name).read_bytes() != wrapped:
                raise StoreConflict(f"{name} is there already") from error
        finally:
            whole.unlink()

    def get(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError as error:
            raise ObjectMissing(name) from error

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[str]:
        names = (unquote(path.name) for path in self._keys.iterdir())
        yield from sorted(name for name in names if name.startswith(prefix))

    def compact(self) -> None:
        """A file that was unlinked is gone."""

    def durable(self) -> None:
        """Nothing here survives the test that made it."""

    def _path(self, name: str) -> Path:
        return self._keys / quote(name, safe="")
