# SPDX-License-Identifier: EUPL-1.2
"""The vault as a custodian's tool reaches it: bytes down, signed bytes up.

Rules
  1. Nothing that comes down is believed: `acts` checks it.
  2. A refusal is told in the server's words.

Left to others: everything that is signed (acts).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from tempfile import TemporaryFile
from typing import BinaryIO, ClassVar

import httpx2

TIMEOUT = httpx2.Timeout(30, read=300)
STATEMENT = {"Content-Type": "text/plain; charset=utf-8"}


class VaultRefused(Exception):
    """The vault refused, or did not answer; the text is what to tell the person."""

    code: ClassVar[str] = "vault-refused"


@dataclass(frozen=True)
class Vault:
    """One vault and this person's token for it."""

    url: str
    token: str = field(repr=False)

    def get(self, path: str) -> bytes:
        """What lies at an address."""
        with self._client() as client:
            return _answer(client.get(path)).content

    def post(self, path: str, body: bytes) -> dict[str, object]:
        """Hand in signed bytes; the answer's fields."""
        with self._client() as client:
            answer = _answer(client.post(path, content=body, headers=STATEMENT))
        return dict(json.loads(answer.content)) if answer.content else {}

    def post_json(self, path: str, body: dict[str, object]) -> bytes:
        """Send fields; the answer's bytes."""
        with self._client() as client:
            return _answer(client.post(path, json=body)).content

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """What lies at an address, however long, as a file that vanishes afterwards; nothing of a bid is in it."""
        with self._client() as client, client.stream("GET", path) as answer, TemporaryFile() as file:
            if answer.is_error:
                answer.read()
            for block in _answer(answer).iter_bytes():
                file.write(block)
            file.seek(0)
            yield file

    def policies(self, procedure: str, *, last: int) -> list[bytes]:
        """The signed policies from epoch 0."""
        return [self.get(f"/v1/procedures/{procedure}/policies/{epoch}") for epoch in range(last + 1)]

    @contextmanager
    def _client(self) -> Iterator[httpx2.Client]:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            with httpx2.Client(base_url=self.url, headers=headers, timeout=TIMEOUT) as client:
                yield client
        except httpx2.TransportError as error:
            raise VaultRefused(f"the vault at {self.url} does not answer: {error}") from error


def _answer(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_success:
        return answer
    try:
        problem = json.load(BytesIO(answer.content))
        words = f"{problem['title']} {problem.get('detail', '')}".strip()
    except (ValueError, KeyError, TypeError):
        words = f"the vault answered {answer.status_code}"
    raise VaultRefused(words)
