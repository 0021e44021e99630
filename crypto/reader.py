# SPDX-License-Identifier: EUPL-1.2
"""Reading a sealed envelope with its file key: manifest at once, documents by range (protocol 3.4, O7).

Rules
  1. A length is looked at before bytes of that number are asked for.
  2. Key, length and manifest are authentic before the first byte of a document leaves.
  3. A document counts once padding, every digest and the bidder have been checked (`check`).

Left to others: where the sealed bytes lie and their outer layer (vault.opening), the key (slots).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from crypto.errors import FormatError, ManifestError, TruncatedError
from crypto.header import PREFIX_SIZE, SealedHead, decode_header, parse_prefix
from crypto.manifest import LENGTH_SIZE, MAX_MANIFEST, MAX_SEALED, Document, Manifest, documents_tag, padded_length
from crypto.stream import HEAD_SIZE, BytesLike, CobRange, PassingDigest, Read, passing_crc32, passing_sha512


def read_head(read: Read) -> SealedHead:
    """Read header and the commitment of the body.

    Raises:
        FormatError: not a sealed envelope of this version, or its header is malformed.
        TruncatedError: nothing behind the header.
    """
    prefix = read(0, PREFIX_SIZE)
    size = parse_prefix(prefix)
    header = decode_header(prefix + read(PREFIX_SIZE, size))
    stream_head = read(PREFIX_SIZE + size, HEAD_SIZE)
    if len(stream_head) != HEAD_SIZE:
        raise TruncatedError("the envelope ends before its body")
    return SealedHead(header, stream_head)


def bytes_reader(data: bytes) -> Read:
    """Reads a sealed envelope that is in memory."""
    return lambda offset, size: data[offset : offset + size]


@dataclass(frozen=True)
class CheckedDocument:
    """A document whose bytes were read and found as the manifest lists them."""

    path: str = field(repr=False)
    size: int = field(repr=False)
    sha256: bytes = field(repr=False)
    sha512: bytes = field(repr=False)
    crc32: bytes = field(repr=False)


class EnvelopeReader:
    """Opens a sealed envelope with its file key: manifest at once, documents by range.

    Attributes:
        header: as read.
        manifest: as sealed; `check` says whether the documents are so.
    """

    def __init__(self, read: Read, length: int, key: BytesLike) -> None:
        """Read header, last chunk and manifest.

        Args:
            read: gives `size` sealed bytes from `offset`.
            length: of the sealed envelope.
            key: FK.

        Raises:
            FormatError, TruncatedError, CommitmentError, ChunkError: not what was sealed, or another key.
            ManifestError: the manifest does not fit the length.
        """
        if length > MAX_SEALED:
            raise FormatError("an envelope has at most 1 TiB")
        head = read_head(read)
        self.header = head.header
        offset = head.body_offset
        self._body = CobRange(key, self.header.body_context, lambda at, size: read(offset + at, size), length - offset)
        self.manifest = self._read_manifest()

    @property
    def documents_tag(self) -> bytes:
        """The tag over the listed documents, to be compared with the record's."""
        return documents_tag(self.manifest.tag_key, self.manifest.documents)

    def read(self, path: str, offset: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Bytes of one document, all of it or a range, in blocks.

        Raises:
            ManifestError: no document of that path.
            ValueError: the range lies outside the document.
        """
        begin = 0
        for document in self.manifest.documents:
            if document.path == path:
                wanted = document.size - offset if size is None else size
                if offset < 0 or wanted < 0 or offset + wanted > document.size:
                    raise ValueError("the range lies outside the document")
                return self._body.read(begin + offset, wanted)
            begin += document.size
        raise ManifestError("the envelope has no document of that path")

    def check(self, bidder: str) -> tuple[CheckedDocument, ...]:
        """Read everything once and check it all.

        Args:
            bidder: who deposited the envelope, by the record.

        Raises:
            ManifestError: another bidder, a digest that differs, padding that is not zero.
            ChunkError, TruncatedError: the sealed bytes are not what was sealed.
        """
        if self.manifest.bidder != bidder:
            raise ManifestError("the bidder in the envelope is not its depositor")
        passing = _Passing(self._body.read(0, self._body.plain_length - self._trailer_size))
        checked = tuple(_check_document(document, passing) for document in self.manifest.documents)
        for block in passing.take_rest():
            if bytes(block).count(0) != len(block):
                raise ManifestError("the padding is not zero")
        return checked

    def _read_manifest(self) -> Manifest:
        length = self._body.plain_length
        if length < LENGTH_SIZE:
            raise ManifestError("the envelope is too short for a manifest")
        size = int.from_bytes(self._body.read_exact(length - LENGTH_SIZE, LENGTH_SIZE), "big")
        self._trailer_size = size + LENGTH_SIZE
        if size > MAX_MANIFEST or self._trailer_size > length:
            raise ManifestError("the manifest is longer than it may be")
        manifest = Manifest.decode(self._body.read_exact(length - self._trailer_size, size))
        if padded_length(manifest.content_size, size) != length:
            raise ManifestError("the documents and the manifest do not give this length")
        return manifest


class _Passing:
    """Blocks that pass once, taken in pieces of other sizes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def take(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._rest:
                self._rest = memoryview(next(self._blocks))
            piece = self._rest[:size]
            self._rest = self._rest[size:]
            size -= len(piece)
            yield piece

    def take_rest(self) -> Iterator[memoryview]:
        yield self._rest
        for block in self._blocks:
            yield memoryview(block)


def _check_document(document: Document, passing: _Passing) -> CheckedDocument:
    digests = (PassingDigest(), passing_sha512(), passing_crc32())
    for piece in passing.take(document.size):
        for digest in digests:
            digest.update(piece)
    found = tuple(digest.digest() for digest in digests)
    if found[0] != document.sha256:
        raise ManifestError("a document's digest is not the listed one")
    return CheckedDocument(document.path, document.size, *found)
