# SPDX-License-Identifier: EUPL-1.2
"""One object on its way to an S3 store, in parts, several at a time.

Rules
  1. The upload is completed with the ETag and checksum of the answer recorded last for each part, never with a
     listing of parts (storage.md 3.1 no. 2).
  2. What fits in one part goes as one conditional put: one request, not three, and atomic where completing is not.
  3. A lost answer is looked for under the upload's mark before anything is called a failure.
  4. Parts of one upload share `UPLOADERS` + 1 buffers, used again and again: made anew for each part they would leave
     holes in the heap, and memory would grow with what has passed.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, cast

from vault.errors import ObjectMissing, StoreConflict, StoreUnavailable, VaultError
from vault.store import PART_SIZE, UPLOADERS, StoredObject
from vault.store.s3 import answers, require_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

SMALLEST_PART = 5 * 1024 * 1024  # of all parts but the last, in every S3 store


class S3Upload:
    """`Upload` on S3."""

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        *,
        key: str,
        begin: Callable[[], str],
        put_whole: Callable[[bytes], StoredObject],
        find: Callable[[int], StoredObject | None],
    ) -> None:
        """Prepare; the store is asked only once there is a part."""
        self._client, self._bucket, self._key = client, bucket, key
        self._begin, self._put_whole, self._find = begin, put_whole, find
        self._upload_id: str | None = None
        self._buffer = bytearray()  # of `write`, and the last part of `put_part`; the first one grows with what comes
        self._filled = 0
        self._made = 1
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        self._size = 0
        self._number = 0
        self._parts: dict[int, CompletedPartTypeDef] = {}
        self._slots = threading.BoundedSemaphore(UPLOADERS)
        self._threads = ThreadPoolExecutor(UPLOADERS, thread_name_prefix="part")
        self._failure: VaultError | None = None
        self._is_done = False

    @property
    def key(self) -> str:
        """The name the object will have."""
        return self._key

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer, and send what makes whole parts."""
        self._require_alive()
        view = memoryview(data)
        while view.nbytes:
            taken = view[: PART_SIZE - self._filled]
            self._keep(taken)
            view = view[len(taken) :]
            if self._filled == PART_SIZE:
                self._send(self._buffer, give_back=self._free)
                self._buffer, self._filled = self._next_buffer(), 0

    def put_part(self, part: bytes | bytearray) -> None:
        """Send one part; a short one is kept, for it must be the last."""
        self._require_alive()
        if self._filled:
            raise ValueError("a part shorter than 5 MiB must be the last")
        if len(part) < SMALLEST_PART:
            self._keep(memoryview(part))
        else:
            self._send(part)

    def complete(self) -> StoredObject:
        """Send the rest, wait for all parts, and make the object of them."""
        self._require_alive()
        del self._buffer[self._filled :]
        if self._upload_id is None:
            stored = self._put_whole(bytes(self._buffer))
        else:
            if self._buffer:
                self._send(self._buffer)
            self._threads.shutdown(wait=True)
            self._require_alive()
            stored = self._complete_parts(self._upload_id)
        self._end()
        return stored

    def abort(self) -> None:
        """Give the parts back; what cannot be given back is found by `unfinished_uploads`."""
        self._end()
        if self._upload_id is None:
            return
        try:
            with answers():
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)
        except VaultError:
            return

    def __enter__(self) -> Self:
        """Watch over it."""
        return self

    def __exit__(self, *details: object) -> None:
        """Abort what was not completed."""
        if not self._is_done:
            self.abort()

    def _keep(self, data: memoryview) -> None:
        if len(self._buffer) < PART_SIZE:
            self._buffer += data
        else:
            with memoryview(self._buffer) as room:
                room[self._filled : self._filled + len(data)] = data
        self._filled += len(data)

    def _next_buffer(self) -> bytearray:
        """One that has been sent, or one of the first; never waits, since at most `UPLOADERS` are under way."""
        if self._made <= UPLOADERS and self._free.empty():
            self._made += 1
            return bytearray(PART_SIZE)
        return self._free.get()

    def _send(self, part: bytes | bytearray, *, give_back: SimpleQueue[bytearray] | None = None) -> None:
        """Hand a part to a free thread, waiting for one."""
        if self._upload_id is None:
            self._upload_id = self._begin()
        self._slots.acquire()
        self._require_alive()
        self._number += 1
        self._size += len(part)
        self._threads.submit(self._send_and_free, self._number, part, give_back)

    def _send_and_free(self, number: int, part: bytes | bytearray, give_back: SimpleQueue[bytearray] | None) -> None:
        try:
            self._send_part(cast("str", self._upload_id), number, part)
        finally:
            if give_back is not None and isinstance(part, bytearray):
                give_back.put(part)
            self._slots.release()

    def _send_part(self, upload_id: str, number: int, part: bytes | bytearray) -> None:
        try:
            with answers():
                answer = self._client.upload_part(
                    Bucket=self._bucket,
                    Key=self._key,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=cast("bytes", part),  # a bytearray will do, but the stubs do not know
                    ChecksumAlgorithm="CRC32",
                )
        except VaultError as failure:
            self._failure = self._failure or failure
        else:
            self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"]}
            if checksum := answer.get("ChecksumCRC32"):
                self._parts[number]["ChecksumCRC32"] = checksum

    def _complete_parts(self, upload_id: str) -> StoredObject:
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            with answers():
                answer = self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._key,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": parts},
                    IfNoneMatch="*",
                )
        except (StoreConflict, ObjectMissing, StoreUnavailable) as failure:
            if (own := self._find(self._size)) is None:
                raise self._final(failure) from failure
            return own
        return StoredObject(self._key, require_version(answer.get("VersionId", "")), self._size)

    @staticmethod
    def _final(failure: VaultError) -> VaultError:
        if isinstance(failure, ObjectMissing):
            return StoreUnavailable("the upload is gone from the store; begin anew")
        return failure

    def _require_alive(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._is_done:
            raise StoreUnavailable("this upload has ended")

    def _end(self) -> None:
        self._is_done = True
        self._threads.shutdown(wait=True, cancel_futures=True)
