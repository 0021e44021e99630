# SPDX-License-Identifier: EUPL-1.2
"""One upload in parts: what was written arrives whole, through a handful of buffers however long it is."""

import os
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from vault.errors import StoreUnavailable
from vault.store import PART_SIZE, UPLOADERS, StoredObject
from vault.store.s3_upload import S3Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PARTS = 9


class Parts:
    """The three calls of a store that an upload makes; it keeps digests, and which buffers it was given."""

    def __init__(self, *, broken: int = 0) -> None:
        self.digests: dict[int, bytes] = {}
        self.buffers: set[int] = set()
        self._broken = broken
        self._lock = Lock()

    def upload_part(self, *, PartNumber: int, Body: bytearray, **_: object) -> dict[str, str]:  # noqa: N803 - boto3's
        if PartNumber == self._broken:
            raise EndpointConnectionError(endpoint_url="http://store")
        with self._lock:
            self.digests[PartNumber] = sha256(Body).digest()
            self.buffers.add(id(Body))
        return {"ETag": f'"{PartNumber}"'}

    def complete_multipart_upload(self, **_: object) -> dict[str, str]:
        return {"VersionId": "v1"}

    def abort_multipart_upload(self, **_: object) -> dict[str, str]:
        return {}


def upload_to(store: Parts, whole: list[bytes] | None = None) -> S3Upload:
    def put_whole(data: bytes) -> StoredObject:
        assert whole is not None
        whole.append(data)
        return StoredObject("o/1", "v1", len(data))

    return S3Upload(
        cast("S3Client", store),
        "objects",
        key="o/1",
        begin=lambda: "upload",
        put_whole=put_whole,
        find=lambda _size: None,
    )


def write_parts(upload: S3Upload) -> None:
    for _ in range(PARTS):
        upload.write(bytes(PART_SIZE))
    upload.complete()


def test_a_part_that_fails_ends_the_upload() -> None:
    with upload_to(Parts(broken=2)) as upload, pytest.raises(StoreUnavailable):
        write_parts(upload)


def test_each_part_arrives_as_it_was_written_and_buffers_are_used_again() -> None:
    store = Parts()
    sent = os.urandom(PARTS * PART_SIZE + 12345)
    with upload_to(store) as upload:
        for begin in range(0, len(sent), 1_000_003):  # pieces that fit no part
            upload.write(sent[begin : begin + 1_000_003])
        stored = upload.complete()

    assert stored.size == len(sent)
    assert [store.digests[number] for number in range(1, PARTS + 2)] == [
        sha256(sent[begin : begin + PART_SIZE]).digest() for begin in range(0, len(sent), PART_SIZE)
    ]
    assert len(store.buffers) <= UPLOADERS + 1


def test_what_ends_with_a_whole_part_has_no_empty_one_behind_it() -> None:
    store = Parts()
    with upload_to(store) as upload:
        upload.write(bytes(2 * PART_SIZE))
        assert upload.complete().size == 2 * PART_SIZE
    assert sorted(store.digests) == [1, 2]


def test_what_fits_in_one_part_is_put_at_once() -> None:
    store, whole = Parts(), list[bytes]()
    with upload_to(store, whole) as upload:
        upload.write(b"small")
        upload.write(b" envelope")
        upload.complete()
    assert whole == [b"small envelope"]
    assert store.digests == {}
