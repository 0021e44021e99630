# SPDX-License-Identifier: EUPL-1.2
"""Checks 12 to 21: sums that are compared, names that are won once, uploads that are what was sent."""

from __future__ import annotations

import base64
import hashlib
from functools import partial

from deploy.conformance.findings import Answer, kept_if
from deploy.conformance.run import BODY, OK, REFUSED, Run, answered, at_once, error_code, status, statuses
from vault.store.s3 import MD5

OTHER = b"other"
WRONG_CRC32 = "AAAAAA=="
PRECONDITION = {409, 412}
BAD_REQUEST = 400
RACERS, COMPLETERS = 16, 8
INVALID_PART = {"InvalidPart"}
DONE_BEFORE = {OK, 404}


def wrong_sums_refused(run: Run) -> Answer:
    """Check 12; where the vault is told to send MD5, only that is relied on."""
    put = partial(run.client.put_object, Bucket=run.bucket, Key=run.prefix + "sums", Body=BODY)
    md5 = status(lambda: put(ContentMD5=_b64(hashlib.md5(OTHER, usedforsecurity=False).digest())))
    if run.store.access.checksum == MD5:
        return kept_if(md5 == BAD_REQUEST, f"MD5 {answered([md5])}")
    others = statuses(lambda: put(ChecksumSHA256=_sha256(OTHER)), lambda: put(ChecksumCRC32=WRONG_CRC32))
    found = [*others, md5]
    return kept_if(set(found) == {BAD_REQUEST}, f"SHA-256, CRC32, MD5 {answered(found)}")


def wrong_sums_of_parts_refused(run: Run) -> Answer:
    """Check 13."""
    upload = run.begin("part-sums")
    send = partial(
        run.client.upload_part, Bucket=run.bucket, Key=upload[0], UploadId=upload[1], PartNumber=1, Body=BODY
    )
    try:
        md5 = status(lambda: send(ContentMD5=_b64(hashlib.md5(OTHER, usedforsecurity=False).digest())))
        if run.store.access.checksum == MD5:
            return kept_if(md5 == BAD_REQUEST, f"MD5 {answered([md5])}")
        crc32 = status(lambda: send(ChecksumCRC32=WRONG_CRC32))
        return kept_if(crc32 == md5 == BAD_REQUEST, f"CRC32, MD5 {answered([crc32, md5])}")
    finally:
        run.abort(upload)


def name_taken(run: Run) -> Answer:
    """Check 14."""
    first = run.put("taken")
    found = status(lambda: run.put_new("taken", body=OTHER))
    stands = run.versions("taken") == [first.version_id]
    return kept_if(found in PRECONDITION and stands, answered([found]))


def one_winner(run: Run) -> Answer:
    """Check 15: of racing conditional puts."""
    found = at_once([partial(run.put_new, "race", body=b"%d" % number) for number in range(RACERS)])
    return _one_won(found, len(run.versions("race")))


def completed_name_taken(run: Run) -> Answer:
    """Check 16."""
    first = run.put("completed")
    upload = run.begin("completed")
    part = run.part(upload, 1, OTHER)
    found = status(lambda: run.complete_new(upload, part))
    run.abort(upload)
    return kept_if(found in PRECONDITION and run.versions("completed") == [first.version_id], answered([found]))


def one_completion(run: Run) -> Answer:
    """Check 17: of racing conditional completions."""
    uploads = [run.begin("finish") for _ in range(COMPLETERS)]
    parts = [run.part(upload, 1, b"%d" % number) for number, upload in enumerate(uploads)]
    found = at_once([partial(run.complete_new, upload, part) for upload, part in zip(uploads, parts, strict=True)])
    for upload in uploads:
        run.abort(upload)
    return _one_won(found, len(run.versions("finish")))


def _one_won(found: list[int], versions: int) -> Answer:
    winners = found.count(OK)
    is_fair = set(found) <= {OK, *PRECONDITION}
    return kept_if(winners == versions == 1 and is_fair, f"{winners} of {len(found)} won, {versions} versions")


def completed_twice(run: Run) -> Answer:
    """Check 18: the repeat of a lost answer does no harm."""
    upload = run.begin("twice")
    part = run.part(upload, 1, BODY)
    first, again = status(lambda: run.complete(upload, part)), status(lambda: run.complete(upload, part))
    count = len(run.versions("twice"))
    return kept_if(first == OK and again in DONE_BEFORE and count == 1, f"answered {first}, {again}; {count} version")


def last_part_counts(run: Run) -> Answer:
    """Check 19."""
    upload = run.begin("resent")
    run.part(upload, 1, OTHER)
    answer = run.complete(upload, run.part(upload, 1, BODY))
    key, version_id = upload[0], answer.get("VersionId", "")
    found = run.client.get_object(Bucket=run.bucket, Key=key, VersionId=version_id)["Body"].read()
    return kept_if(found == BODY, f"holds the bytes sent {'last' if found == BODY else 'first'}")


def parts_are_checked(run: Run) -> Answer:
    """Check 20."""
    upload = run.begin("parts")
    part = run.part(upload, 1, BODY)
    wrong = hashlib.md5(OTHER, usedforsecurity=False).hexdigest()
    found = [
        error_code(lambda: run.complete(upload, {"PartNumber": 1, "ETag": f'"{wrong}"'})),
        error_code(lambda: run.complete(upload, {"PartNumber": 2, "ETag": part["ETag"]})),
    ]
    run.abort(upload)
    return kept_if(set(found) <= INVALID_PART, "answered " + ", ".join(found))


def uploads_are_listed(run: Run) -> Answer:
    """Check 21."""
    upload = run.begin("abandoned")
    run.part(upload, 1, BODY)
    before = _is_listed(run, upload)
    aborted = run.abort(upload)
    after = _is_listed(run, upload)
    says = f"listed {'yes' if before else 'no'}, abort answered {aborted}, then listed {'yes' if after else 'no'}"
    return kept_if(before and aborted not in REFUSED and not after, says)


def _is_listed(run: Run, upload: tuple[str, str]) -> bool:
    pages = run.client.get_paginator("list_multipart_uploads").paginate(Bucket=run.bucket, Prefix=run.prefix)
    return any(line["UploadId"] == upload[1] for page in pages for line in page.get("Uploads", []))


def _sha256(data: bytes) -> str:
    return _b64(hashlib.sha256(data).digest())


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
