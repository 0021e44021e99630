# SPDX-License-Identifier: EUPL-1.2
"""For each check of `bidvault store check`, a store that breaks just that promise."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from tests.deploy.lying_store import Ask, Lie, Question, Reply

XML: Final = {"content-type": "application/xml"}
NO_CONTENT: Final = Reply(204)
PROVISION: Final = "bidvault-provision"
READER: Final = "bidvault-reader"
KEYS: Final = "bidvault-keys"
VAULT: Final = "bidvault-vault"
Fits = Callable[[Question], bool]


def instead(fits: Fits, reply: Reply) -> Lie:
    """Answer a question without doing anything."""
    return lambda question, ask: reply if fits(question) else ask(question)


def without(fits: Fits, *headers: str) -> Lie:
    """Do it as if something had not been asked for."""

    def lie(question: Question, ask: Ask) -> Reply:
        if not fits(question):
            return ask(question)
        kept = {name: value for name, value in question.headers.items() if not name.startswith(headers)}
        return ask(replace(question, headers=kept))

    return lie


def saying(fits: Fits, change: Callable[[Reply], Reply]) -> Lie:
    """Do it, and tell something else."""
    return lambda question, ask: change(ask(question)) if fits(question) else ask(question)


def _is(method: str, *queries: str, name: str = "") -> Fits:
    def fits(question: Question) -> bool:
        asked = set(question.query)
        return (
            question.method == method
            and (set(queries) <= asked if queries else not asked & {"uploads", "uploadId", "retention", "legal-hold"})
            and (not name or question.is_about(name))
        )

    return fits


def _body(old: bytes, new: bytes) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=reply.body.replace(old, new))


def _header(name: str, value: str | None) -> Callable[[Reply], Reply]:
    def change(reply: Reply) -> Reply:
        headers = {key: kept for key, kept in reply.headers.items() if key != name}
        return replace(reply, headers=headers if value is None else {**headers, name: value})

    return change


def _later(reply: Reply) -> Reply:
    right = parsedate_to_datetime(reply.headers["date"])
    return _header("date", format_datetime(right + timedelta(seconds=10), usegmt=True))(reply)


def _one_page_only(reply: Reply) -> Reply:
    return replace(reply, body=reply.body.replace(b"<IsTruncated>true<", b"<IsTruncated>false<"))


def _with_a_version(reply: Reply) -> Reply:
    """What a bucket that keeps versions lists."""
    left = b"<Version><Key>k</Key><VersionId>v</VersionId></Version></ListVersionsResult>"
    return replace(reply, body=reply.body.replace(b"</ListVersionsResult>", left))


def _shifted(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[1:] + reply.body[:1]) if reply.status == 206 else reply


def _forgets_holds() -> Lie:
    """Takes a hold for set, shows it, and does not keep it."""
    shown = b"OFF"

    def lie(question: Question, ask: Ask) -> Reply:
        nonlocal shown
        if "legal-hold" not in question.query:
            return ask(question)
        if question.method == "PUT":
            shown = b"ON" if b">ON<" in question.body else b"OFF"
            return Reply()
        return Reply(headers=XML, body=b"<LegalHold><Status>" + shown + b"</Status></LegalHold>")

    return lie


def _bulk_deleted(question: Question, ask: Ask) -> Reply:
    if question.method == "POST" and "delete" in question.query:
        key, version = (re.search(rf"<{tag}>(.*?)</{tag}>".encode(), question.body) for tag in ("Key", "VersionId"))
        assert key is not None
        assert version is not None
        told = b"<Key>%b</Key><VersionId>%b</VersionId>" % (key[1], version[1])
        return Reply(headers=XML, body=b"<DeleteResult><Deleted>%b</Deleted></DeleteResult>" % told)
    return ask(question)


def _completed(question: Question, ask: Ask) -> Reply:
    """Whatever is to be completed, it says that it is."""
    if question.method == "POST" and "uploadId" in question.query:
        return Reply(
            headers=XML, body=b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
        )
    return ask(question)


def second_time(fits: Fits, reply: Reply) -> Lie:
    """Answer the first time as it should be."""
    seen: list[str] = []

    def lie(question: Question, ask: Ask) -> Reply:
        if not fits(question):
            return ask(question)
        seen.append(question.target)
        return reply if len(seen) > 1 else ask(question)

    return lie


def first_time(fits: Fits, reply: Reply) -> Lie:
    """Answer from the second time on as it should be."""
    seen: list[str] = []

    def lie(question: Question, ask: Ask) -> Reply:
        if not fits(question):
            return ask(question)
        seen.append(question.target)
        return ask(question) if len(seen) > 1 else reply

    return lie


def _by(access_key: str, method: str) -> Fits:
    return lambda question: question.method == method and question.is_by(access_key)


def _is_vault_in_keys(question: Question) -> bool:
    return question.is_by(VAULT) and question.path.startswith("/keys-")


def _is_bucket(method: str) -> Fits:
    return lambda question: question.method == method and question.path.count("/") == 1 and not question.query


LIES: Final[Mapping[str, tuple[int, Callable[[], Lie]]]] = {
    "versions are suspended": (1, lambda: saying(_is("GET", "versioning"), _body(b"Enabled", b"Suspended"))),
    "the bucket has no lock": (2, lambda: saying(_is("GET", "object-lock"), _body(b"Enabled", b"Disabled"))),
    "anybody makes buckets": (3, lambda: instead(_is_bucket("PUT"), Reply())),
    "anybody deletes buckets": (3, lambda: instead(_is_bucket("DELETE"), NO_CONTENT)),
    "anybody suspends versions": (3, lambda: instead(_is("PUT", "versioning"), Reply())),
    "a put names no version": (4, lambda: saying(_is("PUT", name="put"), _header("x-amz-version-id", None))),
    "a put gives the null version": (4, lambda: saying(_is("PUT", name="put"), _header("x-amz-version-id", "null"))),
    "the lock is shown as another kind": (
        5,
        lambda: saying(_is("HEAD", "versionId", name="shown"), _header("x-amz-object-lock-mode", "GOVERNANCE")),
    ),
    "the lock asked for is not the one set": (5, lambda: without(_is("PUT", name="shown"), "x-amz-object-lock")),
    "a locked version is deleted": (6, lambda: instead(_is("DELETE", "versionId", name="delete"), NO_CONTENT)),
    "a locked version is deleted in bulk": (6, lambda: _bulk_deleted),
    "whoever provisions deletes": (6, lambda: instead(_by(PROVISION, "DELETE"), NO_CONTENT)),
    "a lock is shortened": (7, lambda: instead(_is("PUT", "retention", name="weaken"), Reply())),
    "a lock is refused and changed all the same": (
        7,
        lambda: saying(_is("HEAD", "versionId", name="weaken"), _header("x-amz-object-lock-mode", "GOVERNANCE")),
    ),
    "an extension is taken and forgotten": (8, lambda: instead(_is("PUT", "retention", name="extend"), Reply())),
    "a hold is not kept": (9, _forgets_holds),
    "a hold is not shown": (9, lambda: saying(_is("GET", "legal-hold"), _body(b"ON", b"OFF"))),
    "a deletion leaves no marker": (10, lambda: instead(_is("DELETE", name="marker"), NO_CONTENT)),
    "under a marker nothing is readable": (
        10,
        lambda: instead(_is("GET", "versionId", name="marker"), Reply(404)),
    ),
    "an upload forgets its lock": (11, lambda: without(_is("POST", "uploads"), "x-amz-object-lock")),
    "sums are not compared": (12, lambda: without(_is("PUT", name="sums"), "x-amz-checksum", "content-md5")),
    "sums of parts are not compared": (
        13,
        lambda: without(_is("PUT", "uploadId", name="part-sums"), "x-amz-checksum", "content-md5"),
    ),
    "conditions are not read": (14, lambda: without(_is("PUT", name="taken"), "if-none-match")),
    "of racers all win": (15, lambda: without(_is("PUT", name="race"), "if-none-match")),
    "a completion takes any name": (16, lambda: without(_is("POST", "uploadId"), "if-none-match")),
    "of racing completions all win": (17, lambda: without(_is("POST", "uploadId"), "if-none-match")),
    "a repeated completion is an error": (18, lambda: second_time(_is("POST", "uploadId"), Reply(500))),
    "the first of two parts counts": (19, lambda: saying(_is("GET", name="resent"), _body(b"check", b"other"))),
    "parts are not compared": (20, lambda: _completed),
    "uploads are not listed": (
        21,
        lambda: saying(_is("GET", "uploads"), lambda reply: replace(reply, body=_no_uploads(reply.body))),
    ),
    "an abort is taken and forgotten": (21, lambda: instead(_is("DELETE", "uploadId"), NO_CONTENT)),
    "a listing ends too early": (22, lambda: saying(_is("GET", "versions"), _one_page_only)),
    "a range is shifted": (23, lambda: saying(_is("GET", name="range"), _shifted)),
    "a range past the end is answered": (
        23,
        lambda: saying(_is("GET", name="range"), lambda reply: Reply() if reply.status == 416 else reply),
    ),
    "the store's clock is ahead": (25, lambda: saying(_is_bucket("HEAD"), _later)),
    "a lock does not hold": (26, lambda: first_time(_is("DELETE", "versionId", name="expiry"), NO_CONTENT)),
    "a lock never ends": (26, lambda: instead(_is("DELETE", "versionId", name="expiry"), Reply(403))),
    "a stranger reads": (27, lambda: instead(_by("", "GET"), Reply(body=b"check"))),
    "a stranger writes": (27, lambda: instead(_by("", "PUT"), Reply())),
    "a stranger deletes": (27, lambda: instead(_by("", "DELETE"), NO_CONTENT)),
    "a reader writes": (28, lambda: instead(_by(READER, "PUT"), Reply())),
    "a key is written over": (31, lambda: without(_by(KEYS, "PUT"), "if-none-match")),
    "a destroyed key stays": (32, lambda: instead(_by(KEYS, "DELETE"), NO_CONTENT)),
    "of a destroyed key a version is left": (32, lambda: saying(_by(KEYS, "GET"), _with_a_version)),
    "whoever has objects has keys": (
        33,
        lambda: instead(lambda asked: asked.is_by(VAULT) and "/keys-" in asked.path, Reply()),
    ),
    "a reader deletes": (28, lambda: instead(_by(READER, "DELETE"), NO_CONTENT)),
}


def _no_uploads(body: bytes) -> bytes:
    return re.sub(rb"<Upload>.*?</Upload>", b"", body, flags=re.DOTALL)
