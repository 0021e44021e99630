# SPDX-License-Identifier: EUPL-1.2
"""Whatever the chunking, a stream gives back what went in; whatever the change, it is refused."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import ChunkError, CommitmentError, CryptoError, TruncatedError
from crypto.stream import CHUNK, HEAD_SIZE, SEALED_CHUNK, CobDecryptor, CobEncryptor, CobRange, sealed_length

KEY, CONTEXT = bytes(range(32)), b"a place"
SOURCE = os.urandom(4 * CHUNK)
STEPS = st.lists(st.integers(0, 3 * CHUNK), max_size=8)
SIZES = st.one_of(
    st.integers(0, len(SOURCE)),
    st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 1]),
)


def pieces(data: bytes, steps: list[int]) -> list[bytes]:
    """The data cut at these steps, the rest in one piece."""
    cut, place = [], 0
    for step in steps:
        cut.append(data[place : place + step])
        place += step
    return [*cut, data[place:]]


def seal(plain: bytes, steps: list[int] | None = None) -> bytes:
    """One sealed message, fed in pieces."""
    encryptor = CobEncryptor(KEY, CONTEXT)
    sealed = bytearray(encryptor.head)
    for piece in pieces(plain, steps or []):
        sealed += encryptor.update(piece)
    return bytes(sealed + encryptor.finish())


def unseal(sealed: bytes, steps: list[int] | None = None) -> bytes:
    """The message, fed in pieces."""
    decryptor = CobDecryptor(KEY, CONTEXT)
    plain = bytearray()
    for piece in pieces(sealed, steps or []):
        plain += decryptor.update(piece)
    return bytes(plain + decryptor.finish())


@given(SIZES, STEPS, STEPS)
def test_any_chunking_gives_back_what_went_in(size: int, sealing: list[int], opening: list[int]) -> None:
    plain = SOURCE[:size]
    sealed = seal(plain, sealing)

    assert len(sealed) == sealed_length(size)
    assert unseal(sealed, opening) == plain


@given(SIZES, STEPS)
def test_chunking_leaves_no_trace(size: int, steps: list[int]) -> None:
    one, other = CobEncryptor(KEY, CONTEXT, bytes(24)), CobEncryptor(KEY, CONTEXT, bytes(24))

    whole = one.update(SOURCE[:size]) + one.finish()
    parts = b"".join(other.update(piece) for piece in pieces(SOURCE[:size], steps)) + other.finish()

    assert whole == parts


@pytest.mark.proves("T31")
@given(SIZES, st.data())
def test_any_flipped_bit_is_refused(size: int, data: st.DataObject) -> None:
    sealed = bytearray(seal(SOURCE[:size]))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(CommitmentError if place < HEAD_SIZE else ChunkError):
        unseal(bytes(sealed))


@pytest.mark.proves("T32", "CONF-10")
@given(SIZES, st.data())
def test_any_cut_or_growth_is_refused(size: int, data: st.DataObject) -> None:
    sealed = seal(SOURCE[:size])
    cut = data.draw(st.integers(0, len(sealed) - 1))
    growth = data.draw(st.binary(min_size=1, max_size=40))

    for changed in (sealed[:cut], sealed + growth):
        with pytest.raises((TruncatedError, ChunkError)):
            unseal(changed)


@pytest.mark.proves("T32", "CONF-10")
@given(st.integers(2 * CHUNK, len(SOURCE)), st.data())
def test_any_other_order_of_chunks_is_refused(size: int, data: st.DataObject) -> None:
    sealed = seal(SOURCE[:size])
    chunks = [sealed[place : place + SEALED_CHUNK] for place in range(HEAD_SIZE, len(sealed), SEALED_CHUNK)]
    places = st.lists(st.integers(0, len(chunks) - 1), max_size=6).filter(
        lambda chosen: chosen != [*range(len(chunks))]
    )
    chosen = data.draw(places)

    with pytest.raises(CryptoError):
        unseal(sealed[:HEAD_SIZE] + b"".join(chunks[place] for place in chosen))


@given(SIZES, st.data())
def test_any_range_is_that_part_of_the_message(size: int, data: st.DataObject) -> None:
    sealed = seal(SOURCE[:size])
    access = CobRange(KEY, CONTEXT, lambda at, wanted: sealed[at : at + wanted], len(sealed))
    offset = data.draw(st.integers(0, size))
    wanted = data.draw(st.integers(0, size - offset))

    assert access.read_exact(offset, wanted) == SOURCE[offset : offset + wanted]


@pytest.mark.proves("T31")
@given(SIZES, st.data())
def test_a_range_of_a_changed_message_is_right_or_refused(size: int, data: st.DataObject) -> None:
    sealed = bytearray(seal(SOURCE[:size]))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1
    offset = data.draw(st.integers(0, size))

    try:
        access = CobRange(KEY, CONTEXT, lambda at, wanted: bytes(sealed[at : at + wanted]), len(sealed))
        found = access.read_exact(offset, size - offset)
    except CryptoError:
        return
    assert found == SOURCE[offset:size]
