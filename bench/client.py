# SPDX-License-Identifier: EUPL-1.2
"""A platform's client with nothing in it but a connection: what is measured shall be the vault.

Rules
  1. The body is that of `api.client`, digests announced; they are made before the clock starts, as a platform has them.
  2. An answer that is no receipt ends the bench.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from api.client import MultipartBody, Source, envelope_path
from bench.stage import LOT, Stage

PATIENCE = 300.0  # seconds


class BenchFailed(Exception):
    """Something did not work, so nothing was measured."""


class Depositor:
    """One kept connection."""

    def __init__(self, stage: Stage, url: str = "") -> None:
        self._stage = stage
        address = urlsplit(url or stage.vault.url)
        self._connection = HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)

    def deposit(self, source: Source, *, bidder: str, part: str = "technical") -> bytes:
        """Send one envelope of one document and give its receipt."""
        body = MultipartBody([source])
        headers = {
            "Authorization": f"Bearer {self._stage.platform}",
            "Bidder": bidder,
            "Deposit-Secret": base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode(),
            "Content-Type": body.content_type,
            "Content-Length": str(body.size),
        }
        path = f"{envelope_path(self._stage.procedure, LOT, uuid4())}?part={part}"
        self._connection.request("PUT", path, iter(body), headers)
        answer = self._connection.getresponse()
        receipt = answer.read()
        if answer.status != HTTPStatus.CREATED:
            raise BenchFailed(f"the vault answered {answer.status}: {receipt[:500].decode(errors='replace')}")
        return receipt

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def depositor(stage: Stage, url: str = "") -> Iterator[Depositor]:
    """A connection, to the vault's API or to another of its processes, for as long as the block runs."""
    one = Depositor(stage, url)
    try:
        yield one
    finally:
        one.close()


def write_document(path: Path, size: int) -> Source:
    """A document of random bytes, which nothing can compress."""
    with path.open("wb") as file:
        while size:
            block = os.urandom(min(size, 1 << 20))
            file.write(block)
            size -= len(block)
    return Source.read(path, path.name)
