# SPDX-License-Identifier: EUPL-1.2
"""Strict decoding: what is refused, then what is read (protocol 2.1)."""

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crypto.encoding import (
    Cbor,
    Fields,
    decode,
    encode,
    from_millis,
    label,
    require_array,
    require_bstr,
    require_moment,
    require_text,
    require_uint,
    sha256,
    to_millis,
    u16,
    u32,
    u64,
)
from crypto.errors import FormatError

MALFORMED = {
    "keys out of order": "a202010101",
    "a long form of a small number": "1801",
    "a longer form": "190001",
    "a long form of a length": "590001aa",
    "a key twice": "a201010101",
    "an array of indefinite length": "9fff",
    "bytes of indefinite length": "5f4101ff",
    "a text of indefinite length": "7f6161ff",
    "a map of indefinite length": "bfff",
    "a date": "c001",
    "a big number": "c24101",
    "a fraction with a huge exponent": "c4821b7fffffffffffffff01",
    "a regular expression": "d8236161",
    "an unknown tag": "d9ffff01",
    "a float": "f93c00",
    "null": "f6",
    "a truth": "f5",
    "undefined": "f7",
    "a simple value": "f820",
    "a break": "ff",
    "a reserved head": "1c",
    "a negative number": "20",
    "a number beyond 63 bits": "1b8000000000000000",
    "a text as key": "a1616101",
    "a key beyond 23": "a1181801",
    "an array as key": "a18001",
    "nested too deep": "81" * 10 + "01",
    "nested far too deep": "81" * 100_000 + "01",
    "bytes of 2^63 - 1": "5b7fffffffffffffff",
    "a text of 2 GiB": "7a7fffffff",
    "an array of 2^48": "9b00ffffffffffffff",
    "a map of 2^44": "bb00000fffffffffff",
    "an array of 2^32 - 1": "9affffffff",
    "something behind": "0101",
    "nothing": "",
    "a cut array": "8201",
    "a cut map": "a101",
    "a cut length": "19",
    "a text that is not UTF-8": "61ff",
    "a text with a surrogate": "63eda080",
}


@pytest.mark.proves("T33")
@pytest.mark.parametrize("encoded", MALFORMED.values(), ids=MALFORMED.keys())
def test_attack_T33_malformed_cbor_is_refused(encoded: str) -> None:
    with pytest.raises(FormatError):
        decode(bytes.fromhex(encoded), limit=1 << 20)


@pytest.mark.proves("T33")
@pytest.mark.parametrize("encoded", MALFORMED.values(), ids=MALFORMED.keys())
def test_attack_T33_refusing_costs_nearly_no_memory(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode(data, limit=1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000


@pytest.mark.proves("T33")
def test_attack_T33_keys_made_to_collide_cost_no_time() -> None:
    # Tuples of numbers that differ by the modulus of their hash all fall into one place of a hash table.
    modulus = 2**61 - 1
    keys = [[(n >> shift & 3) * modulus for shift in range(0, 14, 2)] for n in range(16_384)]
    data = b"\xb9\x40\x00" + b"".join(encode(key) + b"\x00" for key in keys)
    spent = time.process_time()

    with pytest.raises(FormatError):
        decode(data, limit=1 << 24)

    # Building the map takes seconds on any machine; refusing its head takes microseconds.
    assert time.process_time() - spent < 0.5


def test_more_bytes_than_the_limit_are_refused_unread() -> None:
    with pytest.raises(FormatError, match="at most 3"):
        decode(b"\x43abc", limit=3)


@pytest.mark.parametrize("value", [0, 2**63 - 1, b"", "é", [], {}, {0: [1, {23: b"x"}]}, [[[[[[[[[]]]]]]]]]])
def test_what_is_encoded_decodes_to_the_same(value: Cbor) -> None:
    assert decode(encode(value), limit=1000) == value


def test_a_map_is_encoded_in_the_order_of_its_keys() -> None:
    assert encode({5: 0, 1: b"x"}) == bytes.fromhex("a2014178 0500".replace(" ", ""))


@pytest.mark.parametrize("value", [-1, 2**63, True, {24: 1}, {-1: 1}, {True: 1}, [[[[[[[[[[]]]]]]]]]], "\ud800"])
def test_nothing_is_encoded_that_would_be_refused(value: Cbor) -> None:
    with pytest.raises(FormatError):
        encode(value)


def test_other_types_are_not_encoded() -> None:
    for value in (None, 1.5, {1, 2}, datetime(2026, 1, 1, tzinfo=UTC), {(1,): 1}, object()):
        with pytest.raises(FormatError):
            encode(value)  # type: ignore[arg-type]


def test_a_label_ends_in_a_zero_byte() -> None:
    assert label("wrap") == b"bidvault/v1/wrap\x00"


def test_numbers_are_big_endian() -> None:
    assert u16(1) + u32(1) + u64(1) == b"\x00\x01" + b"\x00\x00\x00\x01" + b"\x00" * 7 + b"\x01"


def test_a_digest_covers_its_parts_joined() -> None:
    assert sha256(b"a", bytearray(b"b"), memoryview(b"c")) == sha256(b"abc")


def test_moments_go_to_milliseconds_and_back() -> None:
    moment = datetime(2026, 12, 1, 17, 0, 0, 123_000, tzinfo=UTC)

    assert from_millis(to_millis(moment)) == moment
    assert to_millis(moment + timedelta(microseconds=999)) == to_millis(moment)
    assert to_millis(moment.astimezone(timezone(timedelta(hours=-3)))) == to_millis(moment)


def test_a_moment_without_zone_or_before_1970_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_millis(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake that is tested
    with pytest.raises(ValueError, match="1970"):
        to_millis(datetime(1969, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize("millis", [-1, 253_402_300_800_000])
def test_a_moment_outside_the_calendar_is_refused(millis: int) -> None:
    with pytest.raises(FormatError):
        from_millis(millis)


def test_the_last_moment_is_the_end_of_year_9999() -> None:
    assert require_moment(253_402_300_799_999).year == 9999


BAD_TEXTS = {
    "a control character": "a\x00b",
    "a line feed": "a\nb",
    "a C1 control": "a\x85b",
    "a right-to-left mark": "a\u200fb",
    "an override": "a\u202eb",
    "an isolate": "a\u2066b",
    "not NFC": "e\u0301",
    "too long": "é" * 101,
    "a surrogate": "\ud800",
}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=BAD_TEXTS.keys())
def test_a_text_outside_the_rules_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        require_text(text)


def test_texts_inside_the_rules_are_read() -> None:
    assert require_text("é" * 100) == "é" * 100
    assert require_text("a\nb", lines=True) == "a\nb"
    assert require_text("e\u0301", nfc=False) == "e\u0301"


BAD_VALUES: dict[str, Callable[[], object]] = {
    "bytes for a number": lambda: require_uint(b"1"),
    "a truth for a number": lambda: require_uint(value=True),
    "too small a number": lambda: require_uint(1, least=2),
    "too large a number": lambda: require_uint(3, most=2),
    "a text for bytes": lambda: require_bstr("x"),
    "bytes of another size": lambda: require_bstr(b"x", size=2),
    "too many bytes": lambda: require_bstr(b"xyz", most=2),
    "bytes for a text": lambda: require_text(b"x"),
    "a text for an array": lambda: require_array("xy"),
    "an array of another size": lambda: require_array([1], size=2),
    "too few items": lambda: require_array([], least=1),
    "too many items": lambda: require_array([1, 2], most=1),
    "an array for a map": lambda: Fields([1], mandatory=()),
    "a missing key": lambda: Fields({1: 1}, mandatory=(1, 2)),
    "an unknown key": lambda: Fields({1: 1, 2: 2}, mandatory=(1,)),
}


@pytest.mark.parametrize("read", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_value_of_another_type_or_size_is_refused(read: Callable[[], object]) -> None:
    with pytest.raises(FormatError):
        read()


def test_fields_are_read_by_key() -> None:
    value: Cbor = {1: 7, 2: b"ab", 3: "é", 4: [1, 2], 5: {0: 1}, 6: [b"x", 9], 7: 86_400_000}
    fields = Fields.decode(encode(value), limit=100, mandatory=range(1, 7), optional=(7, 8))

    assert (fields.uint(1, most=7), fields.bstr(2, size=2), fields.text(3)) == (7, b"ab", "é")
    assert list(fields.array(4, size=2)) == [1, 2]
    assert fields.map(5, mandatory=(0,)).uint(0) == 1
    assert fields.fixed(6, size=2).uint(1) == 9
    assert fields.moment(7) == datetime(1970, 1, 2, tzinfo=UTC)
    assert (fields.has(7), fields.has(8)) == (True, False)
    assert fields.raw(1) == 7
    assert fields.as_map() == value


def test_a_refusal_names_the_field() -> None:
    fields = Fields({1: {2: "x"}}, mandatory=(1,))

    with pytest.raises(FormatError, match="field 1: a number was expected"):
        fields.uint(1)
