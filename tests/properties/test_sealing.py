# SPDX-License-Identifier: EUPL-1.2
"""Whatever the documents and the chunking, an envelope opens to what was sealed; whatever the change, it is refused."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import CryptoError
from crypto.header import MAGIC, EnvelopeKind
from crypto.manifest import padme, path_key
from crypto.sealing import EnvelopeReader, EnvelopeSealer, bytes_reader, recover_file_key
from tests.crypto.holders import BIDDER, head_of, make_holders

HOLDERS = make_holders(2, 3)
PARTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs"), exclude_characters="/\\"), min_size=1)
NAMES = PARTS.filter(lambda part: part not in (".", "..") and len(part.encode()) <= 255)
CONTENTS = st.binary(max_size=40_000).filter(lambda data: not data.startswith(MAGIC))  # T36 is another test
DOCUMENTS = st.lists(
    st.tuples(st.lists(NAMES, min_size=1, max_size=3).map("/".join), CONTENTS),
    min_size=1,
    max_size=4,
    unique_by=lambda document: path_key(document[0]),
)
STEPS = st.integers(1, 50_000)


def seal(documents: list[tuple[str, bytes]], step: int) -> bytes:
    """An envelope whose documents came in blocks of this size."""
    sealer = EnvelopeSealer(
        HOLDERS.policy, 1, os.urandom(16), kind=EnvelopeKind.BID, bidder=BIDDER, deposit_secret=os.urandom(32)
    )
    sealed = bytearray(sealer.prefix)
    for path, data in documents:
        sealer.begin_document(path)
        for place in range(0, len(data), step):
            sealed += sealer.update(data[place : place + step])
        sealer.end_document()
    return bytes(sealed + b"".join(sealer.finish()))


def unseal(sealed: bytes) -> list[tuple[str, bytes]]:
    """What two custodians and the gate read."""
    head = head_of(sealed)
    key = recover_file_key(head, HOLDERS.shares(head, (*HOLDERS.custodians[1:], *HOLDERS.gates)))
    reader = EnvelopeReader(bytes_reader(sealed), len(sealed), key)
    return [(found.path, b"".join(reader.read(found.path))) for found in reader.check(BIDDER)]


@pytest.mark.proves("KEY-01", "DEP-17")
@given(DOCUMENTS, STEPS)
def test_an_envelope_opens_to_what_was_sealed(documents: list[tuple[str, bytes]], step: int) -> None:
    assert unseal(seal(documents, step)) == documents


SEALED = seal([("prix.txt", b"42\n"), ("plan.bin", os.urandom(40_000))], 10_000)


@pytest.mark.proves("T31", "CONF-09")
@settings(max_examples=300)
@given(st.integers(0, len(SEALED) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_refused(place: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[place] ^= 1 << bit

    with pytest.raises(CryptoError):
        unseal(bytes(changed))


@pytest.mark.proves("T32", "CONF-10")
@given(st.integers(0, len(SEALED) - 1), st.binary(min_size=1, max_size=30))
def test_any_cut_dropped_or_added_bytes_are_refused(place: int, added: bytes) -> None:
    for changed in (
        SEALED[:place],
        SEALED + added,
        SEALED[:place] + SEALED[place + len(added) :],
        SEALED[:place] + added + SEALED[place:],
    ):
        with pytest.raises(CryptoError):
            unseal(changed)


@pytest.mark.proves("CONF-04")
@given(st.integers(1, 1 << 41), st.integers(1, 1 << 41))
def test_padding_keeps_order_and_costs_at_most_12_percent(one: int, other: int) -> None:
    assert one <= padme(one) <= one * 1.12
    assert padme(padme(one)) == padme(one)
    assert (padme(one) <= padme(other)) or one > other
