# SPDX-License-Identifier: EUPL-1.2
"""The list of an envelope's documents, its padding and its tag (protocol 3.4, 3.5).

    plaintext = documents ‖ zeros ‖ manifest ‖ u32 len(manifest)

Rules
  1. The manifest comes last, because one pass learns digests last; offsets are running sums.
  2. A path is relative, its parts plain; no two documents share one, also not after NFC and case folding.
  3. The whole has exactly the padded length: the size of a bid tells little.
  4. The tag recognises the same documents again without keeping a digest that could be searched.

Left to others: sealing and checking the bytes themselves (sealing), limits of the policy (vault.deposit).
"""

import hmac
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256 as sha256_hash

from crypto.algorithms import HASH_SIZE, ID_SIZE, SECRET_SIZE
from crypto.encoding import MAX_ITEMS, Cbor, Fields, encode, label, require_text, sha256, u32
from crypto.errors import FormatError, ManifestError

MAX_MANIFEST = 16 << 20  # protocol 3.4
MAX_DOCUMENTS = 65_535  # protocol 3.4
_ITEM_BYTES = 9  # a document is an array of three, of 38 bytes at least
MAX_PATH = 1024  # protocol 3.4, bytes
MAX_PATH_PART = 255  # protocol 3.4, bytes
MIN_PLAIN = 1024  # protocol 3.4
MAX_SEALED = 1 << 40  # protocol 3.4: 1 TiB
LENGTH_SIZE = 4  # the u32 at the end


@dataclass(frozen=True)
class Document:
    """One document: where it lies, how long it is, its digest. Content of a bid, so it does not print."""

    path: str = field(repr=False)
    size: int = field(repr=False)
    sha256: bytes = field(repr=False)

    def to_cbor(self) -> Cbor:
        """`[path, size, sha256]`."""
        return (self.path, self.size, self.sha256)

    @classmethod
    def from_cbor(cls, value: Cbor) -> "Document":
        """Read `[path, size, sha256]`; FormatError or ManifestError."""
        row = Fields.row(value, size=3)
        path = require_path(row.text(0, most=MAX_PATH, nfc=False))
        return cls(path, row.uint(1, most=MAX_SEALED), row.bstr(2, size=HASH_SIZE))


@dataclass(frozen=True)
class Manifest:
    """Whose envelope it is, the key of its tag, and its documents in order."""

    bidder: str = field(repr=False)
    tag_key: bytes = field(repr=False)
    documents: tuple[Document, ...] = field(repr=False)

    @property
    def content_size(self) -> int:
        """Bytes of all documents together."""
        return sum(document.size for document in self.documents)

    def encode(self) -> bytes:
        """Canonical bytes.

        Raises:
            ManifestError: too many documents, or too long altogether.
        """
        require_documents(document.path for document in self.documents)
        rows = [document.to_cbor() for document in self.documents]
        data = encode({1: self.bidder, 2: self.tag_key, 3: rows})
        if len(data) > MAX_MANIFEST:
            raise ManifestError("the list of documents is too long")
        return data

    @classmethod
    def decode(cls, data: bytes) -> "Manifest":
        """Read strictly.

        Raises:
            ManifestError: malformed, a path that is none, two documents with one path.
        """
        try:
            fields = Fields.decode(data, limit=MAX_MANIFEST, mandatory=(1, 2, 3), items=manifest_items(data))
            rows = fields.array(3, least=1, most=MAX_DOCUMENTS)
            documents = tuple(Document.from_cbor(row) for row in rows)
            manifest = cls(fields.text(1), fields.bstr(2, size=SECRET_SIZE), documents)
        except FormatError as error:
            raise ManifestError(f"not a manifest: {error}") from error
        require_documents(document.path for document in documents)
        return manifest


def manifest_items(data: bytes) -> int:
    """How many values a list of documents of that many bytes may hold (crypto.encoding, rule 4)."""
    return MAX_ITEMS + len(data) // _ITEM_BYTES


def require_path(path: str) -> str:
    """The path, if a document may have it.

    Raises:
        ManifestError: absolute, too long, or with parts that are empty, `.`, `..`, or hold a backslash.
    """
    try:
        require_text(path, most=MAX_PATH, nfc=False)
    except FormatError as error:
        raise ManifestError(f"a document's path: {error}") from error
    if "\\" in path:
        raise ManifestError("a document's path holds a backslash")
    for part in path.split("/"):
        if part in ("", ".", "..") or len(part.encode()) > MAX_PATH_PART:
            raise ManifestError("a part of a document's path is empty, a dot, two dots, or too long")
    return path


def require_documents(paths: Iterable[str]) -> None:
    """Check the paths of one envelope together; ManifestError."""
    seen: set[str] = set()
    for path in paths:
        require_path(path)
        folded = path_key(path)
        if folded in seen:
            raise ManifestError("two documents have the same path")
        seen.add(folded)
    if not 1 <= len(seen) <= MAX_DOCUMENTS:
        raise ManifestError(f"an envelope has 1 to {MAX_DOCUMENTS} documents")


def path_key(path: str) -> str:
    """What must be unique: the path as a file system without case or with its own normal form sees it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def padme(length: int) -> int:
    """Round up so that only the leading bits of a length show (at most 12 % more)."""
    exponent = length.bit_length() - 1
    granularity = max(exponent - exponent.bit_length(), 0)
    mask = (1 << granularity) - 1
    return length + mask & ~mask


def padded_length(content: int, manifest: int) -> int:
    """Length of the whole plaintext of that many bytes of documents and of manifest.

    Raises:
        ManifestError: longer than an envelope may be.
    """
    length = max(MIN_PLAIN, padme(content + manifest + LENGTH_SIZE))
    if length > MAX_SEALED:
        raise ManifestError("an envelope has at most 1 TiB")
    return length


def trailer(manifest: bytes) -> bytes:
    """What stands at the end of the plaintext."""
    return manifest + u32(len(manifest))


def tag_key(deposit_secret: bytes | bytearray, envelope_id: bytes) -> bytes:
    """The envelope's own key, so that a deposit secret used twice is not given away by the first opening."""
    if len(deposit_secret) != SECRET_SIZE or len(envelope_id) != ID_SIZE:
        raise ValueError(f"a deposit secret has {SECRET_SIZE} bytes and an envelope id {ID_SIZE}")
    return hmac.digest(deposit_secret, label("tag-key") + envelope_id, sha256_hash)


def documents_tag(key: bytes, documents: Sequence[Document]) -> bytes:
    """Recognises the same documents in the same order again, for who holds the key."""
    return hmac.digest(key, label("documents") + _rows(documents), sha256_hash)


def documents_digest(documents: Sequence[Document]) -> bytes:
    """H(CBOR[[path, size, sha256]…]), which the minutes name (protocol 3.8)."""
    return sha256(_rows(documents))


def _rows(documents: Sequence[Document]) -> bytes:
    return encode([document.to_cbor() for document in documents])
