# SPDX-License-Identifier: EUPL-1.2
"""Sealing in one pass: what is refused, what is bound, what is forgotten (protocol 3.4, 4.2)."""

import os
import tracemalloc

import pytest

from crypto.errors import AlreadySealedError, ManifestError
from crypto.header import EnvelopeKind, Header, require_holders
from crypto.manifest import documents_tag, tag_key
from crypto.sealing import (
    BodySealer,
    EnvelopeReader,
    EnvelopeSealer,
    bytes_reader,
    object_context,
    recover_file_key,
    seal_whole,
)
from crypto.stream import CHUNK
from tests.crypto.holders import BIDDER, DOCUMENTS, Holders, head_of, make_holders

HOLDERS: Holders = make_holders(2, 3)
HEADER: Header = head_of(HOLDERS.seal()).header


def body() -> BodySealer:
    """Seals behind a header under a known file key."""
    return BodySealer(HEADER, bytes(32), bidder=BIDDER, envelope_tag_key=bytes(32))


def envelope(deposit_secret: bytes = bytes(32)) -> EnvelopeSealer:
    """Seals one envelope with fresh secrets."""
    return EnvelopeSealer(
        HOLDERS.policy, 1, bytes(range(16)), kind=EnvelopeKind.BID, bidder=BIDDER, deposit_secret=deposit_secret
    )


def opened(data: bytes) -> EnvelopeReader:
    """What a quorum reads."""
    head = head_of(data)
    key = recover_file_key(head, HOLDERS.shares(head, (*HOLDERS.custodians[:2], *HOLDERS.gates)))
    return EnvelopeReader(bytes_reader(data), len(data), key)


@pytest.mark.proves("T36")
@pytest.mark.parametrize("step", [1, 3, 8, 100_000])
def test_a_sealed_envelope_is_not_sealed_again(step: int) -> None:
    sealer = body()
    sealer.begin_document("copie.tvse")
    start = HOLDERS.seal()[:8]
    blocks = [start[place : place + step] for place in range(0, len(start), step)]
    for block in blocks[:-1]:
        sealer.update(block)

    with pytest.raises(AlreadySealedError):
        sealer.update(blocks[-1])


@pytest.mark.proves("T36")
def test_a_document_that_only_begins_alike_is_sealed() -> None:
    start = b"\x89TVSE\r\n"

    sealed = seal_whole(envelope(), [("a", start), ("b", start + b"\x00"), ("c", b"x" + start + b"\x1a")])

    assert [document.size for document in opened(sealed).check(BIDDER)] == [7, 8, 9]


@pytest.mark.proves("DEP-18")
def test_an_envelope_without_documents_is_not_sealed() -> None:
    with pytest.raises(ManifestError):
        body().finish()


def test_a_path_that_is_none_or_taken_is_refused_at_once() -> None:
    sealer = body()
    with pytest.raises(ManifestError):
        sealer.begin_document("../a")
    sealer.begin_document("a")
    sealer.end_document()

    with pytest.raises(ManifestError):
        sealer.begin_document("A")


def test_documents_come_one_after_another() -> None:
    sealer = body()
    with pytest.raises(ValueError, match="no document"):
        sealer.update(b"x")
    with pytest.raises(ValueError, match="no document"):
        sealer.end_document()
    sealer.begin_document("a")

    with pytest.raises(ValueError, match="not ended"):
        sealer.begin_document("b")
    with pytest.raises(ValueError, match="not ended"):
        sealer.finish()


@pytest.mark.proves("KEY-01")
def test_what_a_quorum_opens_is_what_was_sealed() -> None:
    reader = opened(seal_whole(envelope(), DOCUMENTS))

    reader.check(BIDDER)
    assert [(found.path, b"".join(reader.read(found.path))) for found in reader.manifest.documents] == list(DOCUMENTS)


def test_the_header_is_the_policys_and_bound_to_its_envelope() -> None:
    sealer = envelope()

    require_holders(sealer.header, HOLDERS.policy)
    assert sealer.header.envelope_id == bytes(range(16))
    assert sealer.header_hash == sealer.header.hash
    assert sealer.prefix.startswith(sealer.header.framed)


def test_the_same_documents_seal_to_other_bytes_and_the_same_tag() -> None:
    one, other = envelope(), envelope()

    assert seal_whole(one, DOCUMENTS) != seal_whole(other, DOCUMENTS)
    assert one.documents_tag == other.documents_tag


def test_another_secret_gives_another_tag() -> None:
    one, other = envelope(), envelope(b"\x01" * 32)
    seal_whole(one, DOCUMENTS)
    seal_whole(other, DOCUMENTS)

    assert one.documents_tag != other.documents_tag


@pytest.mark.proves("T61")
def test_an_opened_envelope_does_not_give_away_the_tags_of_others_under_its_secret() -> None:
    secret = os.urandom(32)
    reader = opened(seal_whole(envelope(secret), DOCUMENTS))
    other = documents_tag(tag_key(secret, os.urandom(16)), reader.manifest.documents)

    assert reader.documents_tag != other


def test_the_length_is_known_at_the_end() -> None:
    sealer = envelope()

    sealed = seal_whole(sealer, DOCUMENTS)

    assert sealer.sealed_length == len(sealed)


@pytest.mark.proves("CONF-04")
def test_the_length_does_not_tell_a_price_of_another_size() -> None:
    lengths = {len(seal_whole(envelope(), [("prix.txt", b"4" * size)])) for size in range(1, 40)}

    assert len(lengths) == 1


def test_sealed_bytes_go_into_one_buffer() -> None:
    sealer, data = body(), os.urandom(3 * CHUNK + 5)
    sealer.begin_document("plan.bin")
    out = bytearray(sealer.update_size(len(data)))

    assert sealer.update_into(data, memoryview(out)) == len(out)
    assert sealer.update_size(CHUNK - 5) == CHUNK + 16


def test_padding_of_a_large_envelope_leaves_in_blocks() -> None:
    sealer = body()
    sealer.begin_document("plan.bin")
    block = bytes(1 << 20)
    for _ in range(65):
        sealer.update(block)
    sealer.end_document()
    tracemalloc.start()
    try:
        blocks = [len(part) for part in sealer.finish()]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert sum(blocks) > 700_000
    assert peak < 4 << 20


@pytest.mark.proves("CONF-03", "CONF-09")
def test_neither_content_nor_names_nor_bidder_show_in_the_sealed_bytes() -> None:
    sealed = seal_whole(envelope(), [("canari-du-prix.txt", b"canari de contenu" * 100)])

    for canary in (b"canari", BIDDER.encode(), b"siret"):
        assert canary not in sealed


def test_giving_up_forgets_what_is_held() -> None:
    sealer = body()
    sealer.begin_document("a")
    sealer.update(b"secret" * 20_000)
    sealer.close()

    assert not any(sealer._stream._rest)
    with pytest.raises(ValueError, match="finished"):
        sealer.update(b"x")


def test_given_bytes_may_change_after_waiting() -> None:
    sealer, block = body(), bytearray(os.urandom(200_000))
    before = bytes(block)
    sealer.begin_document("a")
    sealer.update(block)
    sealer.wait()
    block[:] = bytes(len(block))
    found = sealer.end_document()
    sealer.wait()

    other = body()
    other.begin_document("a")
    other.update(before)
    assert other.end_document() == found


def test_an_outer_layer_is_bound_to_its_object() -> None:
    assert object_context(bytes(16)) == b"bidvault/v1/object\x00" + bytes(16)
    with pytest.raises(ValueError, match="16"):
        object_context(bytes(15))
