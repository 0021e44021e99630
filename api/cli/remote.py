# SPDX-License-Identifier: EUPL-1.2
"""The vault as commands reach it over HTTP, with one person's token.

Rules
  1. A refusal is told in the server's words, as one sentence.
  2. What may be long is streamed; nothing is held that the caller does not ask for.

Left to others: what is believed of it (api.cli.custodian.acts), deposits (api.client).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, ClassVar

import httpx2

TIMEOUT = httpx2.Timeout(30, read=300)
BLOCK = 1024 * 1024
FACTS = ("state", "needs", "missing", "reason")  # members of a problem that help whoever reads it
STATEMENT = {"Content-Type": "text/plain; charset=utf-8"}


class VaultRefused(Exception):
    """The vault refused, or did not answer; the text is what to tell the person."""

    code: ClassVar[str] = "vault-refused"


@dataclass(frozen=True)
class Vault:
    """One vault, and a token for it."""

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

    def post_json(self, path: str, body: Mapping[str, object]) -> bytes:
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

    def download(self, path: str, out: Path, *, progress: Callable[[int, int], None] = lambda _, __: None) -> None:
        """Write what lies at an address to a file, whole or not at all; told bytes so far and in all (0: unknown)."""
        partial = out.with_name(f".{out.name}.partial")
        with self._client() as client, client.stream("GET", path) as answer, partial.open("wb") as file:
            if answer.is_error:
                answer.read()
            whole = int(_answer(answer).headers.get("content-length", 0))
            for block in answer.iter_bytes(BLOCK):
                file.write(block)
                progress(file.tell(), whole)
        partial.replace(out)

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
        facts = "; ".join(f"{name}: {problem[name]}" for name in FACTS if problem.get(name))
        words = f"{problem['title']} {problem.get('detail', '')} {facts}".strip()
    except (ValueError, KeyError, TypeError):
        words = f"the vault answered {answer.status_code}"
    raise VaultRefused(words)
