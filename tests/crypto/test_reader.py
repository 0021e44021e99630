# SPDX-License-Identifier: EUPL-1.2
"""Reading with the file key: false manifests, changed bytes, then documents by range (protocol 3.4)."""

import hashlib
import os
import zlib
from dataclasses import replace

import pytest

from crypto.encoding import encode, sha256, u32
from crypto.errors import (
    ChunkError,
    CommitmentError,
    CryptoError,
    FormatError,
    HoldersError,
    ManifestError,
    TruncatedError,
)
from crypto.header import Core, EnvelopeKind, Header
from crypto.manifest import MAX_MANIFEST, MAX_SEALED, Document, Manifest, padded_length, padme
from crypto.reader import EnvelopeReader, bytes_reader, read_head
from crypto.sealing import BodySealer, seal_whole
from crypto.stream import BLOCK_CHUNKS, CHUNK, HEAD_SIZE, SEALED_CHUNK, CobEncryptor
from tests.crypto.holders import BIDDER, DOCUMENTS, Holders, head_of, make_holders

HOLDERS: Holders = make_holders(1, 1)
HEADER: Header = head_of(HOLDERS.seal()).header
KEY = bytes(range(32))
PRICE = b"42\n"


def sealed(documents: tuple[tuple[str, bytes], ...] = DOCUMENTS) -> bytes:
    """An envelope under a known file key."""
    return seal_whole(BodySealer(HEADER, KEY, bidder=BIDDER, envelope_tag_key=bytes(32)), documents)


def of_plaintext(plain: bytes) -> bytes:
    """An envelope of any plaintext, as a lying sealer would make it."""
    stream = CobEncryptor(KEY, HEADER.body_context)
    return bytes(HEADER.framed + stream.head + stream.update(plain) + stream.finish())


def of_manifest(
    manifest: bytes, content: bytes = PRICE, *, padding: bytes | None = None, said: int | None = None
) -> bytes:
    """An envelope of any manifest behind content and padding."""
    end = manifest + u32(len(manifest) if said is None else said)
    length = padded_length(len(content), len(manifest))
    zeros = bytes(length - len(content) - len(end)) if padding is None else padding
    return of_plaintext(content + zeros + end)


def listing(*documents: Document, bidder: str = BIDDER) -> bytes:
    """A manifest, not checked."""
    return encode({1: bidder, 2: bytes(32), 3: [document.to_cbor() for document in documents]})


def reading(data: bytes, *, key: bytes = KEY) -> EnvelopeReader:
    """A reader of an envelope in memory."""
    return EnvelopeReader(bytes_reader(data), len(data), key)


PRICE_DOCUMENT = Document("prix.txt", 3, sha256(PRICE))

FALSE_MANIFESTS = {
    "a size past the end": listing(replace(PRICE_DOCUMENT, size=5000)),
    "a size in the next step of padding": listing(replace(PRICE_DOCUMENT, size=1500)),
    "a path that climbs": listing(replace(PRICE_DOCUMENT, path="../prix.txt")),
    "one path twice": listing(PRICE_DOCUMENT, replace(PRICE_DOCUMENT, size=0)),
    "no document": listing(),
    "not a manifest": b"\x00",
    "nothing": b"",
}


@pytest.mark.proves("T35")
@pytest.mark.parametrize("manifest", FALSE_MANIFESTS.values(), ids=FALSE_MANIFESTS.keys())
def test_a_false_manifest_is_refused_before_any_document(manifest: bytes) -> None:
    with pytest.raises(ManifestError):
        reading(of_manifest(manifest))


@pytest.mark.proves("T35")
@pytest.mark.parametrize("said", [1025, MAX_MANIFEST + 1, 2**32 - 1, 0])
def test_a_false_length_of_the_manifest_is_refused(said: int) -> None:
    with pytest.raises(ManifestError):
        reading(of_manifest(listing(PRICE_DOCUMENT), said=said))


@pytest.mark.proves("T35")
@pytest.mark.parametrize("plain", [b"", b"abc", bytes(4)])
def test_a_plaintext_too_short_for_a_manifest_is_refused(plain: bytes) -> None:
    with pytest.raises(ManifestError):
        reading(of_plaintext(plain))


@pytest.mark.proves("T35", "CONF-04")
def test_less_or_more_padding_than_the_rule_is_refused() -> None:
    manifest = listing(PRICE_DOCUMENT)
    right = padded_length(3, len(manifest)) - 3 - len(manifest) - 4

    for padding in (right - 1, right + 1, 0, padme(5000)):
        with pytest.raises(ManifestError):
            reading(of_manifest(manifest, padding=bytes(padding)))


@pytest.mark.proves("T35")
@pytest.mark.parametrize("place", [0, 1, 500, -1])
def test_padding_that_is_not_zero_is_refused(place: int) -> None:
    manifest = listing(PRICE_DOCUMENT)
    padding = bytearray(padded_length(3, len(manifest)) - 3 - len(manifest) - 4)
    padding[place] = 1

    with pytest.raises(ManifestError, match="padding"):
        reading(of_manifest(manifest, padding=bytes(padding))).check(BIDDER)


def test_padding_that_goes_on_in_the_next_block_is_checked_too() -> None:
    content = bytes(BLOCK_CHUNKS * CHUNK - 10)
    manifest = listing(Document("plan.bin", len(content), sha256(content)))
    padding = bytearray(padded_length(len(content), len(manifest)) - len(content) - len(manifest) - 4)

    assert reading(of_manifest(manifest, content, padding=bytes(padding))).check(BIDDER)
    padding[-1] = 1
    with pytest.raises(ManifestError, match="padding"):
        reading(of_manifest(manifest, content, padding=bytes(padding))).check(BIDDER)


@pytest.mark.proves("T35", "OPEN-15")
def test_a_document_with_another_digest_is_refused() -> None:
    with pytest.raises(ManifestError, match="digest"):
        reading(of_manifest(listing(PRICE_DOCUMENT), b"43\n")).check(BIDDER)


@pytest.mark.proves("T35")
def test_sizes_moved_between_documents_are_refused() -> None:
    one, other = Document("a", 2, sha256(b"42\n")), Document("b", 1, sha256(b""))

    with pytest.raises(ManifestError, match="digest"):
        reading(of_manifest(listing(one, other))).check(BIDDER)


@pytest.mark.proves("T26")
def test_an_envelope_deposited_by_another_than_its_bidder_is_refused() -> None:
    with pytest.raises(ManifestError, match="bidder"):
        reading(sealed()).check("siret:99999999999999")


@pytest.mark.proves("T25")
def test_a_wrong_file_key_or_another_header_is_refused() -> None:
    data = sealed()
    other = Header(Core(bytes(32), 1, bytes(16), EnvelopeKind.BID), HEADER.groups).framed

    with pytest.raises(CommitmentError):
        reading(data, key=bytes(32))
    with pytest.raises(CommitmentError):
        reading(other + data[len(HEADER.framed) :])


@pytest.mark.proves("T31")
def test_attack_T31_any_flipped_bit_is_refused_with_the_word_of_its_part() -> None:
    data = sealed()
    body = len(HEADER.framed)
    words = {
        0: "format",
        9: "format",
        11: "format",
        12: "format",
        15: "format",
        16: "format",
        30: "commitment",
        body - 1: "commitment",
        body: "commitment",
        body + 24: "commitment",
        body + HEAD_SIZE: "chunk",
        body + HEAD_SIZE + SEALED_CHUNK + 7: "chunk",
        len(data) - 1: "chunk",
    }
    for place, word in words.items():
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(CryptoError) as refusal:
            reading(bytes(changed)).check(BIDDER)
        assert refusal.value.code == word, place


@pytest.mark.proves("T32", "CONF-10")
def test_attack_T32_a_cut_or_lengthened_envelope_is_refused() -> None:
    data = sealed()
    body = len(HEADER.framed)
    cuts = [0, 15, 16, 17, body - 1, body, body + 10, body + HEAD_SIZE, body + HEAD_SIZE + SEALED_CHUNK, len(data) - 1]
    for changed in (*(data[:cut] for cut in cuts), data + b"\x00", data + data[-SEALED_CHUNK:]):
        with pytest.raises((FormatError, TruncatedError, ChunkError)):
            reading(changed)


@pytest.mark.proves("T32")
def test_attack_T32_swapped_and_doubled_chunks_are_refused() -> None:
    data = sealed((("plan.bin", os.urandom(4 * CHUNK)),))
    start = len(HEADER.framed) + HEAD_SIZE
    one, two = data[start : start + SEALED_CHUNK], data[start + SEALED_CHUNK : start + 2 * SEALED_CHUNK]
    for first, second in ((two, one), (one, one), (two, two)):
        changed = data[:start] + first + second + data[start + 2 * SEALED_CHUNK :]
        with pytest.raises(ChunkError):
            reading(changed).check(BIDDER)


@pytest.mark.proves("T34")
def test_attack_T34_an_envelope_longer_than_any_may_be_is_refused_unread() -> None:
    def never(_offset: int, _size: int) -> bytes:
        raise AssertionError("nothing is read")

    with pytest.raises(FormatError):
        EnvelopeReader(never, MAX_SEALED + 1, KEY)


@pytest.mark.proves("T34")
def test_attack_T34_a_header_of_4_gib_is_refused_before_it_is_asked_for() -> None:
    asked: list[int] = []

    def read(_offset: int, size: int) -> bytes:
        asked.append(size)
        return sealed()[:12] + b"\xff\xff\xff\xff"

    with pytest.raises(FormatError):
        read_head(read)
    assert asked == [16]


def test_everything_is_checked_in_one_pass() -> None:
    checked = reading(sealed()).check(BIDDER)

    assert [(found.path, found.size) for found in checked] == [(path, len(data)) for path, data in DOCUMENTS]
    for found, (_, data) in zip(checked, DOCUMENTS, strict=True):
        assert found.sha256 == hashlib.sha256(data).digest()
        assert found.sha512 == hashlib.sha512(data).digest()
        assert found.crc32 == zlib.crc32(data).to_bytes(4, "big")


def test_each_sealed_byte_is_read_once_by_the_check() -> None:
    data = sealed((("grand.bin", os.urandom(1 << 20)), *DOCUMENTS))
    asked: list[int] = []

    def read(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    reader = EnvelopeReader(read, len(data), KEY)
    before = sum(asked)
    reader.check(BIDDER)

    assert sum(asked) - before <= len(data)
    assert before < 3 * SEALED_CHUNK + len(HEADER.framed) + HEAD_SIZE * 2


def test_documents_are_read_by_range() -> None:
    reader = reading(sealed())
    plan = dict(DOCUMENTS)["plan.bin"]

    assert b"".join(reader.read("plan.bin")) == plan
    assert b"".join(reader.read("plan.bin", 20_000, 100)) == plan[20_000:20_100]
    assert b"".join(reader.read("plan.bin", 51_000)) == plan[51_000:]
    assert b"".join(reader.read("offre/vide.txt")) == b""


@pytest.mark.parametrize(("offset", "size"), [(-1, None), (0, 16), (15, None), (0, -1), (14, 1)])
def test_a_range_outside_the_document_is_the_callers_mistake(offset: int, size: int | None) -> None:
    with pytest.raises(ValueError, match="outside"):
        reading(sealed()).read("offre/prix.csv", offset, size)


def test_a_document_that_is_not_there_is_refused() -> None:
    with pytest.raises(ManifestError):
        reading(sealed()).read("absent")


def test_the_tag_of_what_was_sealed_is_found_again() -> None:
    sealer = BodySealer(HEADER, KEY, bidder=BIDDER, envelope_tag_key=bytes(32))
    data = seal_whole(sealer, DOCUMENTS)

    reader = reading(data)

    assert reader.documents_tag == sealer.documents_tag
    assert reader.manifest == Manifest(BIDDER, bytes(32), sealer.documents)


@pytest.mark.proves("CONF-03")
def test_checked_documents_do_not_print_names_or_digests() -> None:
    assert "prix" not in repr(reading(sealed()).check(BIDDER))


def test_a_header_without_the_holder_is_refused_for_who_asks() -> None:
    with pytest.raises(HoldersError):
        reading(sealed()).header.slot_of(bytes(16))
