# SPDX-License-Identifier: EUPL-1.2
"""The key store on an S3 bucket that keeps neither versions nor locks (protocol 3.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.errors import StoreConflict
from vault.store.compaction import cannot_compact
from vault.store.s3 import S3Access, answers, connect, require_listing, require_receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.store.barrier import Barrier


class S3KeyStore:
    """`KeyStore` on a bucket of its own, with an identity of its own."""

    def __init__(self, access: S3Access, *, barrier: Barrier, compaction: Callable[[], None] = cannot_compact) -> None:
        """Connect; nothing is asked yet."""
        self._client = connect(access)
        self._bucket = access.bucket
        self._barrier = barrier
        self._compaction = compaction

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        """Write once; a conflict with the same bytes is our own earlier answer that got lost."""
        try:
            with answers():
                answer = self._client.put_object(Bucket=self._bucket, Key=name, Body=wrapped, IfNoneMatch="*")
                require_receipt(answer.get("ETag"))
        except StoreConflict:
            if self.get(name) != wrapped:
                raise

    def get(self, name: str) -> bytes:
        """Read a key, or raise ObjectMissing."""
        with answers():
            return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()

    def delete(self, name: str) -> None:
        """Destroy a key."""
        with answers():
            self._client.delete_object(Bucket=self._bucket, Key=name)

    def list(self, prefix: str) -> Iterator[str]:
        """Names by prefix, in order."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        with answers():
            for page in pages:
                require_listing(page.get("Name"), self._bucket)
                yield from (entry["Key"] for entry in page.get("Contents", []))

    def compact(self) -> None:
        """Have it compacted by whoever can."""
        self._compaction()

    def durable(self) -> None:
        """Wait for the flush."""
        self._barrier.wait()
