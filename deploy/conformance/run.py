# SPDX-License-Identifier: EUPL-1.2
"""One run over one bucket: who asks, under which names, and the small acts that all checks are made of.

Rules
  1. Everything lies under `check/<run>/`, locked for a minute or two.
  2. What earlier runs left and no lock holds any more is deleted; nothing outside `check/` ever is.
"""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from vault.store.names import CHECKS
from vault.store.s3 import S3Access, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CompleteMultipartUploadOutputTypeDef

REFUSED = {400, 403, 405, 409}
FORBIDDEN = {401, 403}
BODY = b"check"
OK = 200
TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True)
class Store:
    """A store to be tried, and whom it may be tried as.

    Attributes:
        access: the vault's own identity.
        provision: whoever may make buckets: locks must bind it too.
        reader: whoever may only read.
        keys: the key store, as the vault enters it.
        embedded: the embedded store's directory, where it is ours.
    """

    access: S3Access
    provision: S3Access | None = None
    reader: S3Access | None = None
    keys: S3Access | None = None
    embedded: Path | None = None


@dataclass(frozen=True)
class Reference:
    """The time that the store's is compared with.

    Attributes:
        now: our clock, put right.
        says: how it is known to be right.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    says: str = "this machine's clock, which nobody checked"


@dataclass(frozen=True)
class Manner:
    """How long and how much: what an operator waits for, and a test does not.

    Attributes:
        lock: of what is only to be left alone.
        short: lock of what is deleted when it has ended.
        brief: lock of what must outlast it by a legal hold.
        patience: how long after its lock a version may still refuse to go.
        left_behind: age from which what lies there is no running check's.
        parts, part_size, small: of the figures.
        is_whole: whether checks may wait; at start they do not.
    """

    lock: timedelta = timedelta(seconds=90)
    short: timedelta = timedelta(seconds=60)
    brief: timedelta = timedelta(seconds=10)
    patience: timedelta = timedelta(seconds=5)
    left_behind: timedelta = timedelta(minutes=10)
    parts: int = 8
    part_size: int = 8 * 1024 * 1024
    small: int = 100
    is_whole: bool = True


AT_START = Manner(is_whole=False)


@dataclass(frozen=True)
class Version:
    """One version that a check has written."""

    key: str
    version_id: str
    lock_until: datetime


@dataclass
class Run:
    """One run."""

    store: Store
    manner: Manner = field(default_factory=Manner)
    reference: Reference = field(default_factory=Reference)
    wait: Callable[[float], None] = time.sleep
    prefix: str = field(default_factory=lambda: f"{CHECKS}{secrets.token_hex(8)}/")
    client: S3Client = field(init=False)
    expiring: tuple[Version, int] | None = None  # what check 26 put first of all, and what a deletion was answered

    def __post_init__(self) -> None:
        """Connect; nothing is asked yet."""
        self.client = connect(self.store.access)

    @property
    def bucket(self) -> str:
        """The bucket."""
        return self.store.access.bucket

    def put(self, name: str, *, body: bytes = BODY, lock: timedelta | None = None) -> Version:
        """Put a small locked object."""
        key, until = self.prefix + name, whole_seconds(lock or self.manner.lock)
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
        )
        return Version(key, answer.get("VersionId", ""), until)

    def put_new(self, name: str, *, body: bytes = BODY) -> Version:
        """The same, where nothing may lie under the name yet."""
        key, until = self.prefix + name, whole_seconds(self.manner.lock)
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=body,
            IfNoneMatch="*",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
        )
        return Version(key, answer.get("VersionId", ""), until)

    def lock_of(self, version: Version) -> tuple[str, datetime]:
        """Mode and end of a version's lock."""
        answer = self.client.head_object(Bucket=self.bucket, Key=version.key, VersionId=version.version_id)
        return answer["ObjectLockMode"], answer["ObjectLockRetainUntilDate"]

    def is_locked_until(self, version: Version, until: datetime) -> bool:
        """Whether the store shows COMPLIANCE until then."""
        mode, shown = self.lock_of(version)
        return mode == "COMPLIANCE" and abs(shown - until) <= TOLERANCE

    def delete(self, version: Version) -> int:
        """Try to delete one version, and tell the status."""
        return status(
            lambda: self.client.delete_object(Bucket=self.bucket, Key=version.key, VersionId=version.version_id)
        )

    def read(self, version: Version) -> bytes:
        """The bytes of one version."""
        return self.client.get_object(Bucket=self.bucket, Key=version.key, VersionId=version.version_id)["Body"].read()

    def begin(self, name: str) -> tuple[str, str]:
        """Begin an upload under a lock: its key and id."""
        key = self.prefix + name
        answer = self.client.create_multipart_upload(
            Bucket=self.bucket,
            Key=key,
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=whole_seconds(self.manner.lock),
        )
        return key, answer["UploadId"]

    def part(self, upload: tuple[str, str], number: int, body: bytes) -> CompletedPartTypeDef:
        """Send one part, and tell what completes it."""
        answer = self.client.upload_part(
            Bucket=self.bucket, Key=upload[0], UploadId=upload[1], PartNumber=number, Body=body
        )
        sums: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            sums["ChecksumCRC32"] = answer["ChecksumCRC32"]
        return sums

    def complete(self, upload: tuple[str, str], *parts: CompletedPartTypeDef) -> CompleteMultipartUploadOutputTypeDef:
        """Make the object of its parts."""
        return self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=upload[0], UploadId=upload[1], MultipartUpload={"Parts": parts}
        )

    def complete_new(
        self, upload: tuple[str, str], *parts: CompletedPartTypeDef
    ) -> CompleteMultipartUploadOutputTypeDef:
        """The same, where nothing may lie under the name yet."""
        return self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=upload[0], UploadId=upload[1], MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )

    def abort(self, upload: tuple[str, str]) -> int:
        """Give an upload up."""
        return status(lambda: self.client.abort_multipart_upload(Bucket=self.bucket, Key=upload[0], UploadId=upload[1]))

    def versions(self, name: str) -> list[str]:
        """Version ids under one name, markers left out."""
        key = self.prefix + name
        listed = self.client.list_object_versions(Bucket=self.bucket, Prefix=key)
        return [line["VersionId"] for line in listed.get("Versions", []) if line["Key"] == key]

    def tidy(self) -> None:
        """Delete what earlier runs left and no lock holds any more; a store that refuses keeps it."""
        with suppress(ClientError, BotoCoreError):
            self._tidy(datetime.now(UTC) - self.manner.left_behind)

    def _tidy(self, old: datetime) -> None:
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=CHECKS):
            for line in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if line["LastModified"] < old:
                    self.delete(Version(line["Key"], line["VersionId"], old))


def status(act: Callable[[], object]) -> int:
    """The HTTP status that an act is answered."""
    try:
        act()
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return OK


def error_code(act: Callable[[], object]) -> str:
    """The S3 error that an act is answered, or `none`."""
    try:
        act()
    except ClientError as error:
        return str(error.response.get("Error", {}).get("Code", "unnamed"))
    return "none"


def statuses(*acts: Callable[[], object]) -> list[int]:
    """The answers to acts, one after the other."""
    return [status(act) for act in acts]


def at_once(acts: Sequence[Callable[[], object]]) -> list[int]:
    """The answers to acts that race."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(status, acts))


def answered(found: Sequence[int]) -> str:
    """The answers, for people."""
    return "answered " + ", ".join(map(str, found))


def whole_seconds(span: timedelta) -> datetime:
    """That long from now; stores cut the rest off."""
    return (datetime.now(UTC) + span).replace(microsecond=0)
