# SPDX-License-Identifier: EUPL-1.2
"""Cobblestone-256: outside suites, then cut, changed and moved chunks, then ranges and digests (protocol 2.4)."""

import hashlib
import os
import zlib
from typing import cast

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor

from crypto.errors import ChunkError, CommitmentError, CryptoError, TruncatedError
from crypto.stream import (
    BLOCK_CHUNKS,
    CHUNK,
    HEAD_SIZE,
    MAX_CHUNKS,
    SEALED_CHUNK,
    CobDecryptor,
    CobEncryptor,
    CobRange,
    PassingDigest,
    Read,
    _Chunks,
    passing_crc32,
    passing_sha512,
    plain_length,
    require_commitment,
    sealed_length,
)
from tests.vectors import outside

KEY = bytes(range(32))
CONTEXT = b"a place"


def seal(plain: bytes, *, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    """One sealed message."""
    encryptor = CobEncryptor(key, context)
    return bytes(encryptor.head + encryptor.update(plain) + encryptor.finish())


def unseal(sealed: bytes, *, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    """The message, in one go."""
    decryptor = CobDecryptor(key, context)
    return bytes(decryptor.update(sealed) + decryptor.finish())


def reading(sealed: bytes) -> Read:
    """Reads from memory."""
    return lambda offset, size: sealed[offset : offset + size]


def ranged(sealed: bytes) -> CobRange:
    """Random access to a message in memory."""
    return CobRange(KEY, CONTEXT, reading(sealed), len(sealed))


def wycheproof() -> list[dict[str, object]]:
    """Wycheproof's cases for chunked encryption."""
    suite = cast("dict[str, list[dict[str, list[dict[str, object]]]]]", outside.load(_WYCHEPROOF))
    return [case for group in suite["testGroups"] for case in group["tests"]]


_WYCHEPROOF = "wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json"


def _open_case(case: dict[str, object]) -> bytes:
    decryptor = CobDecryptor(bytes.fromhex(str(case["key"])), bytes.fromhex(str(case["ctx"])))
    sealed = zlib.decompress(bytes.fromhex(str(case["ct"])))
    return bytes(decryptor.update(sealed) + decryptor.finish())


@pytest.mark.proves("T31", "T32", "CONF-10")
def test_all_of_wycheproofs_cases_pass() -> None:
    cases = wycheproof()

    for case in cases:
        if case["result"] == "valid":
            assert hashlib.sha512(_open_case(case)).hexdigest() == case["msgSha512"], case["comment"]
        else:
            with pytest.raises((CryptoError, ValueError)):
                _open_case(case)

    assert len(cases) == 35


@pytest.mark.proves("T31", "T32")
def test_of_wycheproofs_broken_messages_only_the_authentic_beginning_leaves() -> None:
    for case in wycheproof():
        sealed = zlib.decompress(bytes.fromhex(str(case["ct"])))
        decryptor = CobDecryptor(bytes.fromhex(str(case["key"])), bytes.fromhex(str(case["ctx"])))
        given = bytearray()
        try:
            for place in range(0, len(sealed), 1000):
                given += decryptor.update(sealed[place : place + 1000])
            given += decryptor.finish()
        except (CryptoError, ValueError):
            assert case["result"] == "invalid"
        if "msgSha512" in case:
            assert hashlib.sha512(given).hexdigest() == case["msgSha512"], case["comment"]
        else:
            assert not given


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_the_librarys_own_implementation_agrees_both_ways(size: int) -> None:
    plain = os.urandom(size)
    encryptor, decryptor = Cobblestone256Encryptor(KEY, CONTEXT), Cobblestone256Decryptor(KEY, CONTEXT)

    assert unseal(encryptor.update(plain) + encryptor.finalize()) == plain
    assert decryptor.update(seal(plain)) + decryptor.finalize() == plain


@pytest.mark.proves("T31")
@pytest.mark.parametrize("place", [0, 23, 24, 55, 56, 56 + SEALED_CHUNK - 1, 56 + SEALED_CHUNK, -1])
def test_a_flipped_bit_is_refused(place: int) -> None:
    sealed = bytearray(seal(os.urandom(CHUNK + 100)))
    sealed[place] ^= 1

    with pytest.raises(CommitmentError if 0 <= place < HEAD_SIZE else ChunkError):
        unseal(bytes(sealed))


@pytest.mark.proves("T31")
def test_nothing_of_a_changed_chunk_leaves_but_the_chunks_before_it_do() -> None:
    plain = os.urandom(3 * CHUNK)
    sealed = bytearray(seal(plain))
    sealed[HEAD_SIZE + SEALED_CHUNK + 5] ^= 1
    decryptor = CobDecryptor(KEY, CONTEXT)

    assert decryptor.update(sealed[: HEAD_SIZE + SEALED_CHUNK]) == plain[:CHUNK]
    with pytest.raises(ChunkError) as refusal:
        decryptor.update(sealed[HEAD_SIZE + SEALED_CHUNK :])
    assert refusal.value.index == 1


@pytest.mark.proves("T32", "CONF-10")
@pytest.mark.parametrize("kept", [0, 10, HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + 15, HEAD_SIZE + SEALED_CHUNK])
def test_a_cut_message_is_truncated(kept: int) -> None:
    with pytest.raises(TruncatedError):
        unseal(seal(bytes(2 * CHUNK))[:kept])


@pytest.mark.proves("T32", "CONF-10")
def test_chunks_swapped_doubled_dropped_or_appended_are_refused() -> None:
    sealed = seal(os.urandom(3 * CHUNK))
    head, one, two, rest = (
        sealed[:HEAD_SIZE],
        sealed[HEAD_SIZE : HEAD_SIZE + SEALED_CHUNK],
        sealed[HEAD_SIZE + SEALED_CHUNK : HEAD_SIZE + 2 * SEALED_CHUNK],
        sealed[HEAD_SIZE + 2 * SEALED_CHUNK :],
    )
    for changed in (head + two + one + rest, head + one + one + two + rest, head + one + rest, sealed + b"\x00"):
        with pytest.raises(ChunkError):
            unseal(changed)


@pytest.mark.proves("T24", "T25")
def test_another_key_or_place_is_refused_before_any_chunk() -> None:
    sealed = seal(b"x")

    with pytest.raises(CommitmentError):
        unseal(sealed, key=bytes(32))
    with pytest.raises(CommitmentError):
        unseal(sealed, context=b"another place")
    with pytest.raises(CommitmentError):
        require_commitment(bytes(32), CONTEXT, sealed[:HEAD_SIZE])
    require_commitment(KEY, CONTEXT, sealed[:HEAD_SIZE])


def test_after_a_refusal_every_further_call_refuses() -> None:
    decryptor = CobDecryptor(bytes(32), CONTEXT)

    for _ in range(2):
        with pytest.raises(CommitmentError):
            decryptor.update(seal(b"x"))
    with pytest.raises(CommitmentError):
        decryptor.finish()


def test_after_a_failed_end_the_end_fails_again() -> None:
    decryptor = CobDecryptor(KEY, CONTEXT)
    decryptor.update(seal(b"xyz")[:-1])

    for _ in range(2):
        with pytest.raises(ChunkError):
            decryptor.finish()


def test_an_ended_decryptor_takes_nothing_more() -> None:
    decryptor = CobDecryptor(KEY, CONTEXT)
    decryptor.update(seal(b"x"))
    decryptor.finish()

    with pytest.raises(ValueError, match="finished"):
        decryptor.update(b"")


def test_an_ended_encryptor_takes_nothing_more() -> None:
    encryptor = CobEncryptor(KEY, CONTEXT)
    encryptor.finish()

    with pytest.raises(ValueError, match="finished"):
        encryptor.update(b"x")
    with pytest.raises(ValueError, match="finished"):
        encryptor.finish()


def test_what_an_encryptor_holds_is_zeroed() -> None:
    encryptor = CobEncryptor(KEY, CONTEXT)
    encryptor.update(b"secret")
    encryptor.close()

    assert not any(encryptor._rest)


@pytest.mark.parametrize("size", [31, 33])
def test_a_key_of_another_size_is_no_key(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CobEncryptor(bytes(size), CONTEXT)


def test_salts_are_random() -> None:
    assert CobEncryptor(KEY, CONTEXT).head != CobEncryptor(KEY, CONTEXT).head


def test_the_counter_ends_where_the_format_says() -> None:
    with pytest.raises(ChunkError):
        _Chunks(KEY, CONTEXT, bytes(24)).nonce(MAX_CHUNKS)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 10 * CHUNK + 7])
def test_lengths_are_known_beforehand(size: int) -> None:
    sealed = seal(bytes(size))

    assert len(sealed) == sealed_length(size)
    assert plain_length(len(sealed)) == size


@pytest.mark.parametrize("length", [0, 55, 56, 71, 56 + SEALED_CHUNK, 56 + SEALED_CHUNK + 15])
def test_lengths_that_no_message_has_are_refused(length: int) -> None:
    with pytest.raises(TruncatedError):
        plain_length(length)


LONG = os.urandom((BLOCK_CHUNKS + 2) * CHUNK + 321)


@pytest.mark.parametrize(
    ("offset", "size"),
    [(0, 0), (0, 10), (CHUNK - 5, 10), (CHUNK, CHUNK), (7, len(LONG) - 7), (len(LONG) - 300, 300), (len(LONG), 0)],
)
def test_any_range_is_read(offset: int, size: int) -> None:
    assert ranged(seal(LONG)).read_exact(offset, size) == LONG[offset : offset + size]


def test_a_range_leaves_in_blocks() -> None:
    blocks = list(ranged(seal(LONG)).read(0, len(LONG)))

    assert [len(block) for block in blocks] == [BLOCK_CHUNKS * CHUNK, 2 * CHUNK + 321]


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (0, -1), (0, 11), (11, 0)])
def test_a_range_outside_the_message_is_the_callers_mistake(offset: int, size: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        ranged(seal(bytes(10))).read_exact(offset, size)


@pytest.mark.proves("T31", "T32")
def test_random_access_refuses_a_wrong_length_before_anything_else() -> None:
    sealed = seal(bytes(3 * CHUNK + 5))

    with pytest.raises(ChunkError):
        ranged(sealed[: HEAD_SIZE + 2 * SEALED_CHUNK + 100])
    with pytest.raises(TruncatedError):
        CobRange(KEY, CONTEXT, reading(sealed[:-1]), len(sealed))
    with pytest.raises(TruncatedError):
        ranged(sealed[:HEAD_SIZE])


@pytest.mark.proves("T32")
def test_a_head_that_is_cut_is_truncated() -> None:
    sealed = seal(bytes(10))

    with pytest.raises(TruncatedError):
        require_commitment(KEY, CONTEXT, sealed[: HEAD_SIZE - 1])
    with pytest.raises(TruncatedError):
        CobRange(KEY, CONTEXT, lambda _at, _size: b"", len(sealed))


@pytest.mark.proves("T31")
def test_random_access_checks_the_chunks_it_reads_and_no_others() -> None:
    sealed = bytearray(seal(bytes(4 * CHUNK)))
    sealed[HEAD_SIZE + SEALED_CHUNK] ^= 1
    access = ranged(bytes(sealed))

    assert access.read_exact(2 * CHUNK, CHUNK) == bytes(CHUNK)
    with pytest.raises(ChunkError):
        access.read_exact(CHUNK - 1, 2)


@pytest.mark.proves("T32")
def test_sealed_bytes_that_end_early_are_noticed() -> None:
    sealed = seal(bytes(3 * CHUNK + 5))
    access = CobRange(KEY, CONTEXT, lambda at, size: sealed[at : at + size] if at != HEAD_SIZE else b"", len(sealed))

    with pytest.raises(TruncatedError):
        access.read_exact(0, 1)


@pytest.mark.parametrize("size", [0, 5, 200_000])
def test_digests_in_passing_are_the_usual_ones(size: int) -> None:
    blocks = [os.urandom(size) for _ in range(3)]
    whole = b"".join(blocks)
    digests = (PassingDigest(), passing_sha512(), passing_crc32())
    for block in blocks:
        for digest in digests:
            digest.update(block)

    found = [digest.digest() for digest in digests]

    assert found == [
        hashlib.sha256(whole).digest(),
        hashlib.sha512(whole).digest(),
        zlib.crc32(whole).to_bytes(4, "big"),
    ]


def test_a_block_may_change_after_waiting() -> None:
    block = bytearray(b"x" * 100_000)
    digest = PassingDigest()
    digest.update(block)
    digest.wait()
    block[:] = bytes(len(block))

    assert digest.digest() == hashlib.sha256(b"x" * 100_000).digest()
