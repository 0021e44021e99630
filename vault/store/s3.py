# SPDX-License-Identifier: EUPL-1.2
"""The connection to an S3 store: the only module that knows boto3 and what its exceptions mean.

Rules
  1. Every call goes through `answers()`: nothing of botocore leaves this module, only the errors of `vault.errors`.
  2. A client is made once per process and identity, and may be used by any number of threads.
  3. Every body carries a checksum that the store compares: CRC32, or MD5 for stores that know nothing newer.

Left to others: what is asked (vault.store.s3_objects, vault.store.s3_keys), making buckets (deploy.provision).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from vault.errors import ObjectMissing, StoreConflict, StoreFull, StoreRefused, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"  # what stores without regions expect
CONNECTIONS = 64  # at least uploaders × uploads
CONNECT_PATIENCE = 5
READ_PATIENCE = 60
TRIES = 4
MD5 = "md5"

MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "MethodNotAllowed", "405"}
CONFLICT = {"412", "PreconditionFailed", "ConditionalRequestConflict"}
FULL = {"507", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "EntityTooLarge"}
PAST_THE_END = {"416", "InvalidRange"}
SERVER_FAULT = 500
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class S3Access:
    """One bucket, and the identity that may use it."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = REGION
    checksum: str = "when_supported"  # or when_required, or md5 for old stores (storage.md 3.2)
    patience: float = READ_PATIENCE  # seconds that an answer may take, its body piece by piece
    tries: int = TRIES


class PastTheEnd(Exception):
    """A range begins after the last byte. Stays inside `vault.store`."""


def connect(access: S3Access) -> S3Client:
    """A client for one identity."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=access.endpoint,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        region_name=access.region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": not is_loopback(access.endpoint)},
            retries={"mode": "standard", "max_attempts": access.tries},
            max_pool_connections=CONNECTIONS,
            connect_timeout=CONNECT_PATIENCE,
            read_timeout=access.patience,
            proxies={} if is_loopback(access.endpoint) else None,
            request_checksum_calculation=_checksum_mode(access.checksum),
            response_checksum_validation=_checksum_mode(access.checksum),
        ),
    )
    if access.checksum == MD5:
        for operation in ("CreateMultipartUpload", "PutObject", "UploadPart"):
            client.meta.events.register(f"before-parameter-build.s3.{operation}", _use_md5)
    return client


@contextmanager
def answers() -> Iterator[None]:
    """Translate what went wrong in a call, its body included, into the vault's words."""
    try:
        yield
    except ClientError as error:
        raise _meaning(error) from error
    except (BotoCoreError, HTTPClientError, OSError) as error:
        raise StoreUnavailable(f"the store does not answer: {error}") from error


def require_version(version_id: str) -> str:
    """A version id that names one version.

    Without one a store would answer for whatever lies on top, a marker too (preservation.md 2.2).
    """
    if not version_id or version_id == "null":
        raise StoreRefused("an object has no version: the bucket must keep versions")
    return version_id


def require_listing(named: str | None, bucket: str) -> None:
    """Refuse a listing that names another bucket or none, StoreUnavailable.

    A page of something else that answers 200 in the store's place reads like an empty listing, and the sweep destroys
    keys that have no object.
    """
    if named != bucket:
        raise StoreUnavailable("what answers in the store's place is not the store: a listing without its bucket")


def require_receipt(etag: str | None) -> None:
    """Refuse an answer to a write that has no ETag, StoreUnavailable: not the store has said that it keeps it."""
    if not etag:
        raise StoreUnavailable("what answers in the store's place is not the store: a write without an ETag")


def _meaning(error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"the store answered {code} to {error.operation_name}"
    if code in PAST_THE_END:
        return PastTheEnd(message)
    by_code: Mapping[type[Exception], set[str]] = {ObjectMissing: MISSING, StoreConflict: CONFLICT, StoreFull: FULL}
    for kind, codes in by_code.items():
        if code in codes:
            return kind(message)
    if status >= SERVER_FAULT or status == TOO_MANY:
        return StoreUnavailable(message)
    return StoreRefused(message)


def _use_md5(params: dict[str, object], **_: object) -> None:
    """What old stores ask of a locked object instead of the newer checksums."""
    params.pop("ChecksumAlgorithm", None)
    if isinstance(body := params.get("Body"), bytes | bytearray):
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        params.setdefault("ContentMD5", base64.b64encode(digest).decode())


def _checksum_mode(checksum: str) -> Literal["when_supported", "when_required"]:
    return "when_supported" if checksum == "when_supported" else "when_required"


def is_loopback(endpoint: str) -> bool:
    """There, signing the body over plain http would only be a third SHA-256 pass; the CRC32 stays."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
