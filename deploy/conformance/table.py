# SPDX-License-Identifier: EUPL-1.2
"""The list of checks, in the order in which operators read them, and what runs them.

Rules
  1. The first twelve, and two of the key store, are tried at every start, without waiting; one that is not kept is a
     reason not to start.
  2. A check that fails in an unforeseen way is not kept.
  3. The page docs/reference/store-check.md is written from this list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy.conformance import keeping_keys, locking, surroundings, writing
from deploy.conformance.findings import Check, Finding, Outcome, Weight
from deploy.conformance.run import AT_START, Run, Store
from deploy.errors import StoreUnfit

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from vault.store.s3 import S3Access

MUST, SHOULD, FIGURE = Weight.MUST, Weight.SHOULD, Weight.FIGURE
TRIED_AT_START: Final = frozenset({*range(1, 13), 31, 32})
EXPIRY: Final = 26

CHECKS: Final = (
    Check(1, "the bucket keeps versions", "versioning Enabled", MUST, locking.versions),
    Check(2, "the bucket has Object Lock", "Object Lock Enabled", MUST, locking.lock),
    Check(
        3,
        "the vault's identity can neither make nor delete buckets, nor suspend versioning",
        "403 or 409 each",
        MUST,
        locking.no_power_over_buckets,
    ),
    Check(4, "a put with a COMPLIANCE lock gives a version", "200 and a version id", MUST, locking.put_locked),
    Check(5, "the lock is shown as it was set", "mode, and end within 1 s", MUST, locking.lock_shown),
    Check(
        6,
        "a locked version cannot be deleted: alone, in bulk, with bypass, as the provisioning identity",
        "403 each, and it is still there",
        MUST,
        locking.not_deleted,
    ),
    Check(7, "a lock can be neither shortened nor weakened", "403 each, and it stands", MUST, locking.not_weakened),
    Check(8, "a lock can be extended", "the new end, read back", MUST, locking.extended),
    Check(9, "a legal hold holds, also without a lock", "shown, and 403", MUST, locking.held),
    Check(
        10,
        "a version stays readable under a delete marker",
        "a marker, and the old bytes by their version",
        MUST,
        locking.readable_under_a_marker,
    ),
    Check(
        11,
        "a lock given when an upload begins holds when it is complete",
        "the lock on the whole object",
        MUST,
        locking.upload_locked,
    ),
    Check(12, "bytes that do not match their checksum are refused", "400 each", MUST, writing.wrong_sums_refused),
    Check(13, "so are parts", "400 each", MUST, writing.wrong_sums_of_parts_refused),
    Check(14, "a name that is taken stays as it is (If-None-Match)", "412, or 409", MUST, writing.name_taken),
    Check(15, "of 16 racing conditional puts one wins", "1 winner, 1 version", MUST, writing.one_winner),
    Check(16, "a completion does not take a name that is taken", "412, or 409", SHOULD, writing.completed_name_taken),
    Check(17, "of 8 racing conditional completions one wins", "1 winner, 1 version", SHOULD, writing.one_completion),
    Check(18, "a completion may be repeated", "200 or 404, and 1 version", MUST, writing.completed_twice),
    Check(19, "of a part sent twice the last bytes count", "the last bytes", MUST, writing.last_part_counts),
    Check(
        20,
        "parts that were not sent, or not like that, complete nothing",
        "InvalidPart each",
        MUST,
        writing.parts_are_checked,
    ),
    Check(
        21, "an abandoned upload is listed until it is aborted", "listed; then gone", MUST, writing.uploads_are_listed
    ),
    Check(22, "versions are listed page by page, exactly", "each once", MUST, surroundings.listing_is_exact),
    Check(
        23,
        "a range across two parts is exact, one past the end is refused",
        "the bytes; 416",
        MUST,
        surroundings.ranges_are_exact,
    ),
    Check(24, "a presigned part binds number, time and digest", "403, 403, 400", MUST, surroundings.direct_upload),
    Check(25, "the store's clock is right", "within 2 s", MUST, surroundings.clock_is_right),
    Check(
        EXPIRY,
        "a lock holds until it ends, and no longer",
        "deletion refused before, allowed after",
        MUST,
        locking.ended,
    ),
    Check(27, "a stranger can do nothing", "403 each", MUST, surroundings.strangers_are_refused),
    Check(28, "a reader can neither write nor delete", "403 each", MUST, surroundings.readers_only_read),
    Check(29, "how fast it is", "printed", FIGURE, surroundings.speed),
    Check(
        30,
        "the embedded store: side doors shut, flush works, directory held",
        "each closed",
        MUST,
        surroundings.side_doors,
    ),
    Check(31, "the key store: a key is written once", "412, or 409", MUST, keeping_keys.a_key_is_written_once),
    Check(
        32,
        "the key store: a destroyed key is gone, and no version of it is left",
        "404, none",
        MUST,
        keeping_keys.a_destroyed_key_is_gone,
    ),
    Check(
        33,
        "the key store: the identity for objects may not read it",
        "403",
        SHOULD,
        keeping_keys.keys_are_not_the_vaults,
    ),
)


def check(run: Run, *, only: Container[int] = range(1, len(CHECKS) + 1)) -> Iterator[Finding]:
    """Run checks, one after the other, by their numbers."""
    if EXPIRY in only:
        try:
            locking.begin_expiry(run)
        except (ClientError, BotoCoreError):
            run.expiring = None  # the checks themselves say what is wrong
    for one in CHECKS:
        if one.number in only:
            yield _tried(one, run)


def require_conformance(access: S3Access, keys: S3Access | None = None) -> None:
    """Refuse a store that cannot keep the vault's promises: the checks that wait for nothing.

    Raises:
        StoreUnfit: the store does not answer, or the first thing that it does not do, and what it answered.
    """
    run = Run(Store(access, keys=keys), AT_START)
    require_answer(run)
    run.tidy()
    for finding in check(run, only=TRIED_AT_START):
        if finding.is_fatal:
            raise StoreUnfit(
                f"the store at {access.endpoint} does not keep a promise that sealed bids rely on, check "
                f"{finding.check.number}: {finding.check.says} (expected: {finding.check.expected}; "
                f"found: {finding.answer}). Take another store or mend this one; "
                "`bidvault store check` tries all of it and says what it finds"
            )


def require_answer(run: Run) -> None:
    """Make sure that there is something to try.

    Raises:
        StoreUnfit: no store, no such bucket, or not for these credentials.
    """
    access = run.store.access
    try:
        run.client.head_bucket(Bucket=access.bucket)
    except ClientError as error:
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        reason = {404: "there is no such bucket", 403: "these credentials may not use it"}.get(
            status, f"it answered {status}"
        )
        raise StoreUnfit(
            f"bucket {access.bucket} at {access.endpoint}: {reason}; "
            "see BIDVAULT_OBJECTS__…, or --bucket and --identities"
        ) from error
    except BotoCoreError as error:
        raise StoreUnfit(
            f"the store at {access.endpoint} does not answer ({error}): "
            "is it running, and is BIDVAULT_S3_ENDPOINT (or --endpoint) its address?"
        ) from error


def _tried(one: Check, run: Run) -> Finding:
    try:
        outcome, answer = one.attempt(run)
    except Exception as error:  # noqa: BLE001 whatever a store makes of a question, it is not the answer
        outcome, answer = Outcome.NOT_KEPT, f"{type(error).__name__}: {error}"
    if outcome is Outcome.NOT_KEPT and one.weight is FIGURE:
        outcome = Outcome.NOT_TRIED
    return Finding(one, outcome, answer)
