# SPDX-License-Identifier: EUPL-1.2
"""Checks 22 to 30 but 26: listings, ranges, the store's clock, strangers and readers, figures, side doors."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx2

from deploy.conformance.findings import Answer, kept_if, measured, not_needed, not_tried
from deploy.conformance.run import FORBIDDEN, OK, Run, answered, status, statuses
from deploy.embedded.doors import closed_doors
from vault.store.s3 import connect, is_loopback

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

MIB = 1024 * 1024
SMALLEST_PART = 5 * MIB
PAST_THE_END = 416
PARTIAL = 206
LINES, PAGE = 5, 2
CLOCK_TOLERANCE = timedelta(seconds=2)
RESOLUTION = timedelta(seconds=1)  # of a Date header
SMALL_SIZE = 10 * 1024
PERCENT = 100
PATIENCE = 30.0  # seconds


def listing_is_exact(run: Run) -> Answer:
    """Check 22: versions and markers, over several pages, none twice and none left out."""
    written = {run.put(f"list/{number}", body=b"%d" % number).version_id for number in range(LINES)}
    written.add(run.put("list/0", body=b"again").version_id)
    written.add(run.client.delete_object(Bucket=run.bucket, Key=f"{run.prefix}list/1").get("VersionId", ""))
    listed: list[str] = []
    pages = run.client.get_paginator("list_object_versions").paginate(
        Bucket=run.bucket, Prefix=f"{run.prefix}list/", PaginationConfig={"PageSize": PAGE}
    )
    count = 0
    for page in pages:
        listed += _ids(page)
        count += 1
    is_exact = len(listed) == len(written) and set(listed) == written
    return kept_if(is_exact, f"{len(listed)} of {len(written)} on {count} pages")


def _ids(page: ListObjectVersionsOutputTypeDef) -> list[str]:
    return [line["VersionId"] for line in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]


def ranges_are_exact(run: Run) -> Answer:
    """Check 23: across the border of two parts, and past the end."""
    upload = run.begin("range")
    first, second = bytes(SMALLEST_PART), b"\1" * 1024
    version = run.complete(upload, run.part(upload, 1, first), run.part(upload, 2, second)).get("VersionId", "")
    this = {"Bucket": run.bucket, "Key": upload[0], "VersionId": version}

    def get(wanted: str) -> bytes:
        return run.client.get_object(**this, Range=wanted)["Body"].read()  # type: ignore[arg-type]

    across = get(f"bytes={SMALLEST_PART - 8}-{SMALLEST_PART + 7}")
    past = status(lambda: get(f"bytes={SMALLEST_PART + 1024}-"))
    is_right = across == bytes(8) + b"\1" * 8
    return kept_if(is_right and past == PAST_THE_END, f"{'right' if is_right else 'wrong'} bytes; past the end {past}")


def direct_upload(_run: Run) -> Answer:
    """Check 24."""
    return not_needed("direct upload to the store is not offered, so no part is ever presigned")


def clock_is_right(run: Run) -> Answer:
    """Check 25: lock dates come from our clock, and the store judges by its own."""
    before = run.reference.now()
    answer = run.client.head_bucket(Bucket=run.bucket)
    after = run.reference.now()
    shown = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    distance = _distance(shown, before, after)
    return kept_if(distance <= CLOCK_TOLERANCE, f"{distance.total_seconds():.1f} s from {run.reference.says}")


def _distance(shown: datetime, before: datetime, after: datetime) -> timedelta:
    """How far a time shown in whole seconds lies outside the span in which it was asked for."""
    return max(before - (shown + RESOLUTION), shown - after, timedelta())


def strangers_are_refused(run: Run) -> Answer:
    """Check 27."""
    version = run.put("stranger")
    access = run.store.access
    bucket = f"{access.endpoint.rstrip('/')}/{run.bucket}"
    with httpx2.Client(trust_env=not is_loopback(access.endpoint), timeout=PATIENCE) as stranger:
        found = [
            stranger.get(f"{bucket}/{version.key}", params={"versionId": version.version_id}).status_code,
            stranger.put(f"{bucket}/{run.prefix}strange", content=b"strange").status_code,
            stranger.delete(f"{bucket}/{version.key}", params={"versionId": version.version_id}).status_code,
            stranger.get(bucket, params={"list-type": "2", "prefix": run.prefix}).status_code,
        ]
    return kept_if(set(found) <= FORBIDDEN, f"GET, PUT, DELETE, list {answered(found)}")


def readers_only_read(run: Run) -> Answer:
    """Check 28."""
    if run.store.reader is None:
        return not_tried("give an identity that may only read (--identities)")
    version = run.put("reader")
    client = connect(run.store.reader)
    found = statuses(
        lambda: client.put_object(Bucket=run.bucket, Key=f"{run.prefix}read-only", Body=b"x"),
        lambda: client.delete_object(Bucket=run.bucket, Key=version.key),
        lambda: client.delete_object(Bucket=run.bucket, Key=version.key, VersionId=version.version_id),
    )
    reads = status(lambda: client.get_object(Bucket=run.bucket, Key=version.key, VersionId=version.version_id))
    return kept_if(reads == OK and set(found) <= FORBIDDEN, f"put, two deletions {answered(found)}; read {reads}")


def speed(run: Run) -> Answer:
    """Check 29; the large upload is given up afterwards, so it leaves nothing."""
    return measured(f"{_large(run):.0f} MB/s in parts; {run.manner.small} × 10 KB: {_small(run)}")


def _large(run: Run) -> float:
    body = bytes(run.manner.part_size)
    upload = run.begin("speed")
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(run.manner.parts) as pool:
            list(pool.map(lambda number: run.part(upload, number, body), range(1, run.manner.parts + 1)))
        return run.manner.parts * run.manner.part_size / 1e6 / (time.monotonic() - began)
    finally:
        run.abort(upload)


def _small(run: Run) -> str:
    body, spans = bytes(SMALL_SIZE), []
    for number in range(run.manner.small):
        began = time.monotonic()
        run.put(f"small/{number}", body=body, lock=run.manner.short)
        spans.append(1000 * (time.monotonic() - began))
    cuts = statistics.quantiles(spans, n=PERCENT)
    return f"p50 {cuts[PERCENT // 2 - 1]:.0f} ms, p99 {cuts[PERCENT - 2]:.0f} ms"


def side_doors(run: Run) -> Answer:
    """Check 30."""
    if run.store.embedded is None:
        return not_needed("an outside store: its operator answers for other ways in")
    tried = closed_doors(run.store.embedded.parent, bucket=run.bucket)
    open_ones = [door.says for door in tried if not door.is_closed]
    return kept_if(not open_ones, f"{len(tried)} tried; " + ("; ".join(open_ones) or "all closed"))
