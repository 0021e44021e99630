# SPDX-License-Identifier: EUPL-1.2
"""Checks 31 to 33: the key store writes a key once, forgets it when it is destroyed, and is not the vault's."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from deploy.conformance.findings import Answer, kept_if, not_tried
from deploy.conformance.run import BODY, FORBIDDEN, OK, Run, answered, status
from vault.store.names import CHECKS
from vault.store.s3 import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OTHER = b"other"
PRECONDITION = {409, 412}
MISSING = 404
WHICH = "give the key store too (BIDVAULT_KEY_STORE__…)"


def a_key_is_written_once(run: Run) -> Answer:
    """Check 31."""
    if run.store.keys is None:
        return not_tried(WHICH)
    client, this = connect(run.store.keys), _name(run)
    client.put_object(**this, Body=BODY, IfNoneMatch="*")  # type: ignore[arg-type]
    try:
        again = status(lambda: client.put_object(**this, Body=OTHER, IfNoneMatch="*"))  # type: ignore[arg-type]
        stands = client.get_object(**this)["Body"].read() == BODY  # type: ignore[arg-type]
    finally:
        client.delete_object(**this)  # type: ignore[arg-type]
    return kept_if(again in PRECONDITION and stands, answered([again]))


def a_destroyed_key_is_gone(run: Run) -> Answer:
    """Check 32: no version of it is left, for a destroyed key must not come back."""
    if run.store.keys is None:
        return not_tried(WHICH)
    client, this = connect(run.store.keys), _name(run)
    client.put_object(**this, Body=BODY)  # type: ignore[arg-type]
    deleted = status(lambda: client.delete_object(**this))  # type: ignore[arg-type]
    after = status(lambda: client.get_object(**this))  # type: ignore[arg-type]
    left = _left(client, this)
    says = f"deletion answered {deleted}, reading {after}; {left} versions left"
    return kept_if(deleted == OK and after == MISSING and not left, says)


def keys_are_not_the_vaults(run: Run) -> Answer:
    """Check 33: whoever takes the vault's identity for objects has no keys yet."""
    if run.store.keys is None:
        return not_tried(WHICH)
    client, this = connect(run.store.keys), _name(run)
    client.put_object(**this, Body=BODY)  # type: ignore[arg-type]
    try:
        found = status(lambda: run.client.get_object(**this))  # type: ignore[arg-type]
    finally:
        client.delete_object(**this)  # type: ignore[arg-type]
    return kept_if(found in FORBIDDEN, answered([found]))


def _name(run: Run) -> dict[str, str]:
    assert run.store.keys is not None
    return {"Bucket": run.store.keys.bucket, "Key": f"{CHECKS}{secrets.token_hex(16)}"}


def _left(client: S3Client, this: dict[str, str]) -> int:
    """Versions and markers; a store that lists none because it knows no versions has none."""
    try:
        listed = client.list_object_versions(Bucket=this["Bucket"], Prefix=this["Key"])
    except ClientError:
        return 0
    return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))
