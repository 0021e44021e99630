# SPDX-License-Identifier: EUPL-1.2
"""Whatever decodes is the one encoding of its value; everything else is refused with one error."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.encoding import Cbor, decode, encode, from_millis, to_millis
from crypto.errors import FormatError

LEAVES = st.one_of(
    st.integers(0, 2**63 - 1),
    st.binary(max_size=40),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
VALUES: st.SearchStrategy[Cbor] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.integers(0, 23), inner, max_size=4)),
    max_leaves=12,
)
FOREIGN = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none(), st.binary(max_size=9), st.text(max_size=9)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.integers(-3, 30), inner, max_size=3)),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_encoded_decodes_to_the_same(value: Cbor) -> None:
    try:
        data = encode(value)
    except FormatError:
        return  # nested deeper than a payload may be
    assert decode(data, limit=1 << 20) == value


@pytest.mark.proves("T33")
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        value = decode(data, limit=1 << 20)
    except FormatError:
        return
    assert encode(value) == data


@pytest.mark.proves("T33")
@given(VALUES, st.data())
def test_a_changed_byte_gives_another_value_or_a_refusal(value: Cbor, data: st.DataObject) -> None:
    try:
        changed = bytearray(encode(value))
    except FormatError:
        return
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(changed), limit=1 << 20)
    except FormatError:
        return
    assert found != value
    assert encode(found) == changed


@pytest.mark.proves("T33")
@given(st.one_of(FOREIGN.map(cbor2.dumps), FOREIGN.map(lambda value: cbor2.dumps(value, canonical=True))))
def test_what_others_encode_is_refused_or_encoded_the_same_by_us(data: bytes) -> None:
    try:
        found = decode(data, limit=1 << 20)
    except FormatError:
        return
    assert encode(found) == data


@given(st.integers(0, 253_402_300_799_999))
def test_every_millisecond_of_the_calendar_goes_both_ways(millis: int) -> None:
    assert to_millis(from_millis(millis)) == millis
