# SPDX-License-Identifier: EUPL-1.2
"""Checks 1 to 11, 26: versions, and locks that hold against everybody until they end."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from deploy.conformance.findings import Answer, kept_if, not_tried
from deploy.conformance.run import BODY, OK, REFUSED, Run, Version, answered, status, statuses, whole_seconds
from vault.store.s3 import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

NO_CONTENT = 204
LOOK_EVERY = 0.5  # seconds
EXPIRY_TRIES = 5
GONE = {404, 405}


def versions(run: Run) -> Answer:
    """Check 1."""
    found = run.client.get_bucket_versioning(Bucket=run.bucket).get("Status", "none")
    return kept_if(found == "Enabled", f"versioning {found}")


def lock(run: Run) -> Answer:
    """Check 2."""
    answer = run.client.get_object_lock_configuration(Bucket=run.bucket)
    found = answer["ObjectLockConfiguration"].get("ObjectLockEnabled", "none")
    return kept_if(found == "Enabled", f"Object Lock {found}")


def no_power_over_buckets(run: Run) -> Answer:
    """Check 3; never tried on the vault's own bucket what would destroy it, and put right where it took effect."""
    other = f"check-{secrets.token_hex(6)}"
    found = statuses(
        lambda: run.client.create_bucket(Bucket=other),
        lambda: run.client.delete_bucket(Bucket=other),
        lambda: run.client.put_bucket_versioning(Bucket=run.bucket, VersioningConfiguration={"Status": "Suspended"}),
    )
    if found[-1] not in REFUSED:
        run.client.put_bucket_versioning(Bucket=run.bucket, VersioningConfiguration={"Status": "Enabled"})
    return kept_if(set(found) <= REFUSED | {404}, answered(found))


def put_locked(run: Run) -> Answer:
    """Check 4."""
    version = run.put("put")
    is_named = bool(version.version_id) and version.version_id != "null"
    return kept_if(is_named, f"version {version.version_id or 'not named'}")


def lock_shown(run: Run) -> Answer:
    """Check 5."""
    version = run.put("shown")
    mode, until = run.lock_of(version)
    return kept_if(run.is_locked_until(version, version.lock_until), f"{mode} until {until:%H:%M:%S}")


def not_deleted(run: Run) -> Answer:
    """Check 6: alone, with bypass, in bulk, and as whoever may do everything else."""
    version = run.put("delete")
    found = _deletions(run, run.client, version)
    if run.store.provision is not None:
        found += _deletions(run, connect(run.store.provision), version)
    is_there = status(lambda: run.lock_of(version)) == OK and run.read(version) == BODY
    whom = "" if run.store.provision else "; not tried as the provisioning identity"
    return kept_if(set(found) <= REFUSED and is_there, answered(found) + whom)


def _deletions(run: Run, client: S3Client, version: Version) -> list[int]:
    this = {"Key": version.key, "VersionId": version.version_id}
    found = statuses(
        lambda: client.delete_object(Bucket=run.bucket, **this),  # type: ignore[arg-type]
        lambda: client.delete_object(Bucket=run.bucket, **this, BypassGovernanceRetention=True),  # type: ignore[arg-type]
    )
    bulk = client.delete_objects(
        Bucket=run.bucket,
        Delete={"Objects": [this]},  # type: ignore[list-item]
        BypassGovernanceRetention=True,
    )
    return [*found, 403 if bulk.get("Errors") else OK]


def not_weakened(run: Run) -> Answer:
    """Check 7."""
    version = run.put("weaken")
    ask = _retention(run, version)
    found = statuses(
        lambda: ask("COMPLIANCE", whole_seconds(run.manner.lock / 2), bypass=False),
        lambda: ask("COMPLIANCE", whole_seconds(run.manner.lock / 2), bypass=True),
        lambda: ask("GOVERNANCE", whole_seconds(run.manner.lock * 2), bypass=True),
    )
    stands = run.is_locked_until(version, version.lock_until)
    return kept_if(set(found) <= REFUSED and stands, answered(found))


def extended(run: Run) -> Answer:
    """Check 8."""
    version = run.put("extend")
    wanted = whole_seconds(run.manner.lock + timedelta(seconds=30))
    _retention(run, version)("COMPLIANCE", wanted, bypass=False)
    _, until = run.lock_of(version)
    return kept_if(run.is_locked_until(version, wanted), f"until {until:%H:%M:%S}")


def _retention(run: Run, version: Version) -> Callable[..., object]:
    def ask(mode: Literal["COMPLIANCE", "GOVERNANCE"], until: datetime, *, bypass: bool) -> object:
        return run.client.put_object_retention(
            Bucket=run.bucket,
            Key=version.key,
            VersionId=version.version_id,
            Retention={"Mode": mode, "RetainUntilDate": until},
            BypassGovernanceRetention=bypass,
        )

    return ask


def held(run: Run) -> Answer:
    """Check 9. That it is the hold that holds shows only after the lock: at start nobody waits for that."""
    version = run.put("hold", lock=run.manner.brief if run.manner.is_whole else None)
    _hold(run, version, "ON")
    try:
        shown = run.client.get_object_legal_hold(Bucket=run.bucket, Key=version.key, VersionId=version.version_id)
        if run.manner.is_whole:
            _sleep_until(run, version.lock_until + timedelta(seconds=1))
        refused = run.delete(version)
    finally:
        _hold(run, version, "OFF")
    off = run.client.get_object_legal_hold(Bucket=run.bucket, Key=version.key, VersionId=version.version_id)
    words = shown["LegalHold"].get("Status"), off["LegalHold"].get("Status")
    when = "after the lock had ended" if run.manner.is_whole else "while the lock holds too"
    return kept_if(words == ("ON", "OFF") and refused in REFUSED, f"shown {words[0]}, answered {refused} {when}")


def _hold(run: Run, version: Version, wanted: Literal["ON", "OFF"]) -> None:
    run.client.put_object_legal_hold(
        Bucket=run.bucket, Key=version.key, VersionId=version.version_id, LegalHold={"Status": wanted}
    )


def readable_under_a_marker(run: Run) -> Answer:
    """Check 10."""
    version = run.put("marker")
    answer = run.client.delete_object(Bucket=run.bucket, Key=version.key)
    is_hidden = status(lambda: run.client.get_object(Bucket=run.bucket, Key=version.key)) in GONE
    is_marked = answer.get("DeleteMarker", False) and is_hidden
    return kept_if(is_marked and run.read(version) == BODY, f"marker {answer.get('VersionId', 'none')}")


def upload_locked(run: Run) -> Answer:
    """Check 11."""
    wanted = whole_seconds(run.manner.lock)
    upload = run.begin("upload")
    answer = run.complete(upload, run.part(upload, 1, BODY))
    version = Version(upload[0], answer.get("VersionId", ""), wanted)
    mode, until = run.lock_of(version)
    return kept_if(run.is_locked_until(version, wanted), f"{mode} until {until:%H:%M:%S}")


def begin_expiry(run: Run) -> None:
    """Put what check 26 will delete: first of all, so that its lock ends while the others are tried."""
    for _ in range(EXPIRY_TRIES):
        version = run.put("expiry", lock=run.manner.short)
        run.expiring = version, run.delete(version)
        if datetime.now(UTC) < version.lock_until:
            return  # else the answer came too late to tell anything of the lock


def ended(run: Run) -> Answer:
    """Check 26: deletion is refused before the lock ends, and allowed soon after."""
    if run.expiring is None:
        return not_tried("nothing was put for it")
    version, before = run.expiring
    _sleep_until(run, version.lock_until)
    after, give_up = run.delete(version), version.lock_until + run.manner.patience
    while after in REFUSED and datetime.now(UTC) < give_up:
        run.wait(LOOK_EVERY)
        after = run.delete(version)
    is_gone = status(lambda: run.read(version)) in GONE
    return kept_if(before in REFUSED and after == OK and is_gone, f"answered {before} before, {after} after its end")


def _sleep_until(run: Run, moment: datetime) -> None:
    left = (moment - datetime.now(UTC)).total_seconds()
    if left > 0:
        run.wait(left)
