# SPDX-License-Identifier: EUPL-1.2
"""Objects on an S3 bucket with versioning and Object Lock.

Rules
  1. `_locked_until` is the only place where a lock is written: COMPLIANCE, a date that `vault.store.locks` accepts.
  2. Every object carries a mark drawn for its write: by it a write whose answer was lost recognises itself, for our
     client's own repeat of a conditional write is answered 412 (storage.md 3.1 no. 3).
  3. Nothing is deleted.
"""

from __future__ import annotations

import secrets
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict

from vault.errors import ObjectMissing, StoreConflict, StoreRefused, StoreUnavailable
from vault.store import ObjectFacts, StoredObject, StoredVersion, UnfinishedUpload
from vault.store.locks import HORIZON, require_lock_date
from vault.store.s3 import PastTheEnd, S3Access, answers, connect, require_listing, require_version
from vault.store.s3_upload import S3Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from vault.store.barrier import Barrier

READ_SIZE = 1024 * 1024
READ_TRIES = 3  # botocore repeats a request, but not a body that breaks off
COMPLIANCE: Literal["COMPLIANCE"] = "COMPLIANCE"
CONTENT_TYPE = "application/octet-stream"


class _Lock(TypedDict):
    ObjectLockMode: Literal["COMPLIANCE"]
    ObjectLockRetainUntilDate: datetime


class S3ObjectStore:
    """`ObjectStore` on one bucket, with the vault's identity."""

    def __init__(
        self, access: S3Access, *, clock: Callable[[], datetime], barrier: Barrier, horizon: timedelta = HORIZON
    ) -> None:
        """Connect; nothing is asked yet. `clock` tells the time that lock dates are judged by."""
        self._client = connect(access)
        self._bucket = access.bucket
        self._clock = clock
        self._barrier = barrier
        self._horizon = horizon

    def begin_upload(self, key: str, *, lock_until: datetime) -> S3Upload:
        """Begin an object in parts."""
        lock = self._locked_until(lock_until)
        mark = secrets.token_hex(16)

        def begin() -> str:
            with answers():
                return self._client.create_multipart_upload(
                    Bucket=self._bucket,
                    Key=key,
                    ChecksumAlgorithm="CRC32",
                    ContentType=CONTENT_TYPE,
                    Metadata={"mark": mark},
                    **lock,
                )["UploadId"]

        def put_whole(data: bytes) -> StoredObject:
            return self._put(key, data, lock=lock, mark=mark)

        def find(size: int) -> StoredObject | None:
            return self._find_own(key, size=size, mark=mark)

        return S3Upload(self._client, self._bucket, key=key, begin=begin, put_whole=put_whole, find=find)

    def put(self, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True) -> StoredObject:
        """Write at once."""
        lock = self._locked_until(lock_until)
        return self._put(key, data, lock=lock, mark=secrets.token_hex(16), if_absent=if_absent)

    def _put(self, key: str, data: bytes, *, lock: _Lock, mark: str, if_absent: bool = True) -> StoredObject:
        put = partial(
            self._client.put_object,
            Bucket=self._bucket,
            Key=key,
            Body=data,
            ContentType=CONTENT_TYPE,
            Metadata={"mark": mark},
            **lock,
        )
        try:
            with answers():
                answer = put(IfNoneMatch="*") if if_absent else put()
        except (StoreConflict, StoreUnavailable):
            if (own := self._find_own(key, size=len(data), mark=mark)) is None:
                raise
            return own
        return StoredObject(key, require_version(answer.get("VersionId", "")), len(data))

    def get_range(self, key: str, version_id: str, *, offset: int, size: int) -> bytes:
        """Read some bytes; a body that breaks off is asked for again."""
        if size <= 0:
            return b""
        wanted = f"bytes={offset}-{offset + size - 1}"
        for attempt in range(1, READ_TRIES + 1):
            try:
                with answers():
                    return self._client.get_object(
                        Bucket=self._bucket, Key=key, VersionId=require_version(version_id), Range=wanted
                    )["Body"].read()
            except PastTheEnd:
                return b""
            except StoreUnavailable:
                if attempt == READ_TRIES:
                    raise
        raise AssertionError("unreachable")

    def stream(self, key: str, version_id: str) -> Iterator[bytes]:
        """Read everything, in pieces."""
        with answers():
            answer = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=require_version(version_id))
            left = answer["ContentLength"]
            for piece in answer["Body"].iter_chunks(READ_SIZE):
                left -= len(piece)
                yield piece
        if left:
            raise StoreUnavailable(f"{left} bytes of {key} did not come")

    def head(self, key: str, version_id: str) -> ObjectFacts:
        """Tell size and lock of one version."""
        with answers():
            answer = self._client.head_object(Bucket=self._bucket, Key=key, VersionId=require_version(version_id))
        return _facts(key, answer)

    def latest(self, key: str) -> ObjectFacts:
        """Tell the newest version of a name."""
        with answers():
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        return _facts(key, answer)

    def extend_lock(self, key: str, version_id: str, *, lock_until: datetime) -> datetime:
        """Lock further, and read back."""
        lock = self._locked_until(lock_until)
        wanted = lock["ObjectLockRetainUntilDate"]
        if (known := self._lock_of(key, version_id)) is not None and known >= wanted:
            return known
        try:
            with answers():
                self._client.put_object_retention(
                    Bucket=self._bucket,
                    Key=key,
                    VersionId=require_version(version_id),
                    Retention={"Mode": COMPLIANCE, "RetainUntilDate": wanted},
                )
        except StoreRefused:
            # On a replay the lock is further already, which is success.
            if (known := self._lock_of(key, version_id)) is None or known < wanted:
                raise
        if (known := self._lock_of(key, version_id)) is None or known < wanted:
            raise StoreRefused(f"the store took a lock until {wanted:%Y-%m-%d} and shows {known}")
        return known

    def list_versions(self, prefix: str) -> Iterator[StoredVersion]:
        """Every version and marker by name, newest first."""
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        with answers():
            for page in pages:
                require_listing(page.get("Name"), self._bucket)
                lines = [
                    StoredVersion(
                        key=line["Key"],
                        version_id=line["VersionId"],
                        size=line.get("Size", 0),
                        stored_at=line["LastModified"].astimezone(UTC),
                        is_latest=line["IsLatest"],
                        is_marker=False,
                    )
                    for line in page.get("Versions", [])
                ]
                lines += [
                    StoredVersion(
                        key=line["Key"],
                        version_id=line["VersionId"],
                        size=0,
                        stored_at=line["LastModified"].astimezone(UTC),
                        is_latest=line["IsLatest"],
                        is_marker=True,
                    )
                    for line in page.get("DeleteMarkers", [])
                ]
                yield from sorted(lines, key=lambda line: (line.key, not line.is_latest, -line.stored_at.timestamp()))

    def unfinished_uploads(self) -> Iterator[UnfinishedUpload]:
        """Every upload still open."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket)
        with answers():
            for page in pages:
                require_listing(page.get("Bucket"), self._bucket)
                for line in page.get("Uploads", []):
                    yield UnfinishedUpload(line["Key"], line["UploadId"], line["Initiated"].astimezone(UTC))

    def abort_unfinished(self, upload: UnfinishedUpload) -> None:
        """Give its parts back."""
        try:
            with answers():
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload.key, UploadId=upload.upload_id)
        except ObjectMissing:
            return

    def require_lock(self) -> None:
        """Ask the bucket for its lock configuration."""
        with answers():
            lock = self._client.get_object_lock_configuration(Bucket=self._bucket)["ObjectLockConfiguration"]
        if lock.get("ObjectLockEnabled") != "Enabled":
            raise StoreRefused("the bucket of objects has no Object Lock")

    def require_room(self, size: int) -> None:
        """Ask the disk, where it is ours."""
        self._barrier.require_room(size)

    def durable(self) -> None:
        """Wait for the flush."""
        self._barrier.wait()

    def _locked_until(self, moment: datetime) -> _Lock:
        """The one function that makes a lock."""
        date = require_lock_date(moment, now=self._clock(), horizon=self._horizon)
        return {"ObjectLockMode": COMPLIANCE, "ObjectLockRetainUntilDate": date}

    def _lock_of(self, key: str, version_id: str) -> datetime | None:
        return self.head(key, version_id).lock_until

    def _find_own(self, key: str, *, size: int, mark: str) -> StoredObject | None:
        """The object of a write whose answer was lost, if it is there."""
        try:
            with answers():
                answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ObjectMissing:
            return None
        if answer["Metadata"].get("mark") != mark or answer["ContentLength"] != size:
            return None
        return StoredObject(key, require_version(answer.get("VersionId", "")), size)


def _facts(key: str, answer: HeadObjectOutputTypeDef) -> ObjectFacts:
    until: datetime | None = answer.get("ObjectLockRetainUntilDate")  # absent without a lock, whatever the stubs say
    mode = answer.get("ObjectLockMode", COMPLIANCE)
    if mode != COMPLIANCE:
        raise StoreRefused(f"{key} is locked by {mode}: only COMPLIANCE holds")
    return ObjectFacts(
        key=key,
        version_id=require_version(answer.get("VersionId", "")),
        size=answer["ContentLength"],
        lock_until=until.astimezone(UTC) if until else None,
        legal_hold=answer.get("ObjectLockLegalHoldStatus") == "ON",
    )
