# SPDX-License-Identifier: EUPL-1.2
"""What a depositor hands in: documents on disk, the order for one envelope, and the body that carries them.

Rules
  1. Id and deposit secret are drawn once, before the first try: a repeat can never make a second envelope.
  2. Documents are read twice from disk (digest, then body) and never held; what is sent is what was announced.

Left to others: sending it and checking what comes back (api.client).
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote
from uuid import UUID, uuid4

from crypto.errors import ManifestError
from crypto.manifest import Document, require_documents
from crypto.policy import Part

BLOCK = 1024 * 1024
SECRET_SIZE = 32  # protocol 3.5

Progress = Callable[[int], None]  # told the bytes sent since the last call; negative when a try begins anew


class ClientError(Exception):
    """The root of what can go wrong on the depositor's side."""

    code: ClassVar[str] = "client"


class BadDocument(ClientError):
    """A document cannot be deposited as it is."""

    code: ClassVar[str] = "bad-document"


@dataclass(frozen=True)
class Source:
    """A file on disk and the path under which it is announced, with its size and digest."""

    file: Path
    document: Document

    @classmethod
    def read(cls, file: Path, path: str, *, progress: Progress | None = None) -> Self:
        """Digest a file.

        Raises:
            BadDocument: it cannot be read, or is empty.
        """
        digest, size = sha256(), 0
        try:
            with file.open("rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    size += len(block)
                    if progress:
                        progress(len(block))
        except OSError as error:
            raise BadDocument(f"{file}: {error.strerror or error}") from error
        if not size:
            raise BadDocument(f"{file}: is empty; an empty document cannot be deposited")
        return cls(file, Document(path, size, digest.digest()))

    def blocks(self) -> Iterator[bytes]:
        """Its bytes."""
        with self.file.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block


@dataclass(frozen=True)
class Order:
    """One envelope to be deposited: where, for whom, under which id and secret, with which documents."""

    procedure: UUID
    lot: str
    part: Part
    bidder: str
    sources: tuple[Source, ...] = field(repr=False)
    envelope_id: UUID = field(default_factory=uuid4)
    secret: bytes = field(default_factory=lambda: os.urandom(SECRET_SIZE), repr=False)

    @property
    def path(self) -> str:
        """The envelope's address."""
        return envelope_path(self.procedure, self.lot, self.envelope_id)

    @property
    def documents(self) -> tuple[Document, ...]:
        """What is announced."""
        return tuple(source.document for source in self.sources)

    @property
    def size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)


class MultipartBody:
    """The body of a deposit: the announcement, then each document; the same bytes for every try."""

    def __init__(self, sources: Sequence[Source], progress: Progress | None = None) -> None:
        try:
            require_documents(source.document.path for source in sources)
        except ManifestError as error:
            raise BadDocument(str(error)) from error
        self._sources = tuple(sources)
        self._progress = progress or (lambda _count: None)
        self._boundary = f"bidvault-{os.urandom(16).hex()}"
        self._sent = 0

    @property
    def content_type(self) -> str:
        """The Content-Type that names the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def size(self) -> int:
        """Bytes of the whole body."""
        heads = sum(len(self._head(source)) + len(b"\r\n") for source in self._sources)
        documents = sum(source.document.size for source in self._sources)
        return len(self._announcement()) + heads + documents + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """The body once more from its beginning.

        Raises:
            BadDocument: a file is not any more what was announced.
        """
        self._progress(-self._sent)
        self._sent = 0
        yield self._announcement()
        for source in self._sources:
            yield self._head(source)
            yield from self._document(source)
            yield b"\r\n"
        yield self._end()

    def _document(self, source: Source) -> Iterator[bytes]:
        left = source.document.size
        for block in source.blocks():
            left -= len(block)
            if left < 0:
                break
            yield block
            self._sent += len(block)
            self._progress(len(block))
        if left:
            raise BadDocument(f"{source.file}: changed while it was sent")

    def _announcement(self) -> bytes:
        entries = [
            {"path": one.path, "size": one.size, "sha256": one.sha256.hex()}
            for one in (source.document for source in self._sources)
        ]
        return (
            f"--{self._boundary}\r\n"
            'Content-Disposition: form-data; name="announcement"\r\n'
            "Content-Type: application/json\r\n\r\n"
            f"{json.dumps(entries, ensure_ascii=False)}\r\n"
        ).encode()

    def _head(self, _source: Source) -> bytes:
        return (
            f"--{self._boundary}\r\n"
            'Content-Disposition: form-data; name="document"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()


def envelope_path(procedure: UUID, lot: str, envelope_id: UUID) -> str:
    """The address of an envelope."""
    return f"/v1/procedures/{procedure}/lots/{quote(lot, safe='')}/envelopes/{envelope_id}"
