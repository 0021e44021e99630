# SPDX-License-Identifier: EUPL-1.2
"""What an object store must really do, tried on it: `bidvault store check`, and at every start.

Rules
  1. Everything is put under `check/<run>/` and locked for minutes; it is left to expire.
  2. A check tries what `vault.store.s3_objects` would never send, so this module talks to the store itself.
  3. Each check says what the store answered; one that must pass and does not is a reason not to start.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from deploy.errors import StoreUnfit
from vault.store.names import CHECKS
from vault.store.s3 import S3Access, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from vault.settings import Settings

LOCK = timedelta(seconds=90)
REFUSED = {400, 403, 405, 409}
TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True)
class Finding:
    """One check and what came of it."""

    number: int
    says: str
    is_kept: bool
    answer: str


@dataclass(frozen=True)
class _Run:
    """One run over one bucket."""

    client: S3Client
    bucket: str
    prefix: str

    def put(self, name: str) -> tuple[str, str]:
        """A small locked object: key and version."""
        key = self.prefix + name
        answer = self.client.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=b"check",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=_until(LOCK),
        )
        return key, answer["VersionId"]

    def lock_of(self, key: str, version_id: str) -> tuple[str, datetime]:
        """Mode and end of a version's lock."""
        answer = self.client.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        return answer["ObjectLockMode"], answer["ObjectLockRetainUntilDate"]

    def retain(
        self, key: str, version_id: str, *, mode: Literal["COMPLIANCE", "GOVERNANCE"], until: datetime
    ) -> object:
        """Ask for another lock."""
        return self.client.put_object_retention(
            Bucket=self.bucket,
            Key=key,
            VersionId=version_id,
            Retention={"Mode": mode, "RetainUntilDate": until},
        )


def objects_of(settings: Settings) -> S3Access:
    """The bucket of objects, as the vault enters it."""
    objects = settings.objects
    return S3Access(
        settings.s3_endpoint,
        objects.bucket,
        objects.access_key,
        objects.secret_key.get_secret_value(),
        checksum=settings.store_checksum,
    )


def check(access: S3Access) -> Iterator[Finding]:
    """Run every check, one after the other; a check that fails in an unforeseen way is not kept."""
    run = _Run(connect(access), access.bucket, f"{CHECKS}{secrets.token_hex(8)}/")
    for number, (says, attempt) in enumerate(_CHECKS.items(), start=1):
        try:
            yield Finding(number, says, *attempt(run))
        except (ClientError, BotoCoreError, KeyError) as error:
            yield Finding(number, says, is_kept=False, answer=str(error))


def require_conformance(access: S3Access) -> None:
    """Refuse a store that cannot keep the vault's promises.

    Raises:
        StoreUnfit: the first thing that it does not do, and what it answered.
    """
    for finding in check(access):
        if not finding.is_kept:
            raise StoreUnfit(f"the store does not keep a promise: {finding.says} ({finding.answer})")


def _versions(run: _Run) -> tuple[bool, str]:
    status = run.client.get_bucket_versioning(Bucket=run.bucket).get("Status", "none")
    return status == "Enabled", status


def _lock(run: _Run) -> tuple[bool, str]:
    answer = run.client.get_object_lock_configuration(Bucket=run.bucket)
    enabled = answer["ObjectLockConfiguration"].get("ObjectLockEnabled", "none")
    return enabled == "Enabled", enabled


def _no_power_over_buckets(run: _Run) -> tuple[bool, str]:
    other = f"check-{secrets.token_hex(6)}"  # never the vault's own: whoever has the power would delete it here
    return _all_refused(
        lambda: run.client.create_bucket(Bucket=other),
        lambda: run.client.delete_bucket(Bucket=other),
        lambda: run.client.put_bucket_versioning(Bucket=run.bucket, VersioningConfiguration={"Status": "Suspended"}),
    )


def _put_locked(run: _Run) -> tuple[bool, str]:
    _, version_id = run.put("put")
    return bool(version_id) and version_id != "null", f"version {version_id}"


def _lock_shown(run: _Run) -> tuple[bool, str]:
    wanted = _until(LOCK)
    mode, until = run.lock_of(*run.put("shown"))
    return mode == "COMPLIANCE" and abs(until - wanted) <= TOLERANCE, f"{mode} until {until:%H:%M:%S}"


def _not_deleted(run: _Run) -> tuple[bool, str]:
    key, version_id = run.put("delete")
    kept, answer = _all_refused(
        lambda: run.client.delete_object(Bucket=run.bucket, Key=key, VersionId=version_id),
        lambda: run.client.delete_object(
            Bucket=run.bucket, Key=key, VersionId=version_id, BypassGovernanceRetention=True
        ),
    )
    one: list[dict[str, str]] = [{"Key": key, "VersionId": version_id}]
    many = run.client.delete_objects(Bucket=run.bucket, Delete={"Objects": one})  # type: ignore[typeddict-item]
    run.lock_of(key, version_id)
    return kept and bool(many.get("Errors")), answer


def _not_weakened(run: _Run) -> tuple[bool, str]:
    key, version_id = run.put("weaken")
    return _all_refused(
        lambda: run.retain(key, version_id, mode="COMPLIANCE", until=_until(LOCK / 2)),
        lambda: run.retain(key, version_id, mode="GOVERNANCE", until=_until(LOCK * 2)),
    )


def _extended(run: _Run) -> tuple[bool, str]:
    key, version_id = run.put("extend")
    wanted = _until(LOCK + timedelta(seconds=30))
    run.retain(key, version_id, mode="COMPLIANCE", until=wanted)
    _, until = run.lock_of(key, version_id)
    return abs(until - wanted) <= TOLERANCE, f"until {until:%H:%M:%S}"


def _held(run: _Run) -> tuple[bool, str]:
    key, version_id = run.put("hold")
    this = {"Bucket": run.bucket, "Key": key, "VersionId": version_id}
    run.client.put_object_legal_hold(**this, LegalHold={"Status": "ON"})  # type: ignore[arg-type]
    try:
        return _all_refused(lambda: run.client.delete_object(Bucket=run.bucket, Key=key, VersionId=version_id))
    finally:
        run.client.put_object_legal_hold(**this, LegalHold={"Status": "OFF"})  # type: ignore[arg-type]


def _readable_under_a_marker(run: _Run) -> tuple[bool, str]:
    key, version_id = run.put("marker")
    answer = run.client.delete_object(Bucket=run.bucket, Key=key)
    body = run.client.get_object(Bucket=run.bucket, Key=key, VersionId=version_id)["Body"].read()
    return answer.get("DeleteMarker", False) and body == b"check", f"marker {answer.get('VersionId', 'none')}"


def _upload_locked(run: _Run) -> tuple[bool, str]:
    key = run.prefix + "upload"
    upload_id = run.client.create_multipart_upload(
        Bucket=run.bucket,
        Key=key,
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=_until(LOCK),
    )["UploadId"]
    part = run.client.upload_part(Bucket=run.bucket, Key=key, UploadId=upload_id, PartNumber=1, Body=b"check")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    answer = run.client.complete_multipart_upload(
        Bucket=run.bucket,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )
    mode, until = run.lock_of(key, answer["VersionId"])
    return mode == "COMPLIANCE", f"{mode} until {until:%H:%M:%S}"


def _wrong_sums_refused(run: _Run) -> tuple[bool, str]:
    other = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    md5 = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    key = run.prefix + "sums"
    return _all_refused(
        lambda: run.client.put_object(Bucket=run.bucket, Key=key, Body=b"check", ChecksumSHA256=other),
        lambda: run.client.put_object(Bucket=run.bucket, Key=key, Body=b"check", ChecksumCRC32="AAAAAA=="),
        lambda: run.client.put_object(Bucket=run.bucket, Key=key, Body=b"check", ContentMD5=md5),
    )


_CHECKS: dict[str, Callable[[_Run], tuple[bool, str]]] = {
    "the bucket keeps versions": _versions,
    "the bucket has Object Lock": _lock,
    "the vault's identity has no power over buckets": _no_power_over_buckets,
    "a put with a COMPLIANCE lock gives a version": _put_locked,
    "the lock is shown as it was set": _lock_shown,
    "a locked version cannot be deleted": _not_deleted,
    "a lock can be neither shortened nor weakened": _not_weakened,
    "a lock can be extended": _extended,
    "a legal hold holds": _held,
    "a version stays readable under a delete marker": _readable_under_a_marker,
    "a lock given to an upload holds when it is complete": _upload_locked,
    "bytes that do not match their checksum are refused": _wrong_sums_refused,
}


def _all_refused(*attempts: Callable[[], object]) -> tuple[bool, str]:
    answers = []
    for attempt in attempts:
        try:
            attempt()
        except ClientError as error:
            answers.append(int(error.response["ResponseMetadata"]["HTTPStatusCode"]))
        else:
            answers.append(200)
    return set(answers) <= REFUSED, "answered " + ", ".join(map(str, answers))


def _until(span: timedelta) -> datetime:
    """Whole seconds: stores cut the rest off."""
    return (datetime.now(UTC) + span).replace(microsecond=0)
