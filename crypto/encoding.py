# SPDX-License-Identifier: EUPL-1.2
"""The one byte form of every payload: canonical CBOR, strict decoding, domain labels (protocol 2.1).

Rules
  1. One value has one encoding: what does not encode back to the same bytes is refused.
  2. Only unsigned numbers below 2^63, byte strings, texts, arrays, and maps with keys 0 to 23.
  3. A reader asks for each field by key, type and bound; unknown and missing keys are refused before.
  4. Nothing is allocated for a length that the bytes do not hold, nor for more values than the payload may hold:
     refusing a header of 128 KiB made of zeros costs no more than refusing a short one.

Left to others: what the fields mean (policy, deposit, ceremony, header, manifest).
"""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

import cbor2

from crypto.errors import FormatError

_T = TypeVar("_T")
Cbor: TypeAlias = "int | bytes | str | Sequence[Cbor] | Mapping[int, Cbor]"

MAX_UINT = 2**63 - 1  # protocol 2.1: fits a signed 64-bit column everywhere
MAX_KEY = 23  # protocol 2.1: one byte per key, so that canonical order is plain
MAX_DEPTH = 9  # protocol 2.1
MAX_ITEMS = 2048  # values inside one payload, the largest header has 403; long lists have more, in so many bytes each
MAX_TEXT = 200  # protocol 2.1, in bytes, unless the field says otherwise
MAX_TLOG_TEXT = 16 * 1024  # protocol 2.1: the only text with line feeds
MAX_MILLIS = 253_402_300_799_999  # the last millisecond of year 9999, where datetime ends
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UINT, _BSTR, _TSTR, _ARRAY, _MAP = 0, 2, 3, 4, 5  # major types, RFC 8949 section 3.1
_ONE_BYTE, _EIGHT_BYTES = 24, 27  # the argument stands in the next 1, 2, 4 or 8 bytes, RFC 8949 section 3


def label(name: str) -> bytes:
    """Domain label L(name): what keeps a hash or key of one use from standing for another."""
    return b"bidvault/v1/" + name.encode("ascii") + b"\x00"


def sha256(*parts: bytes | bytearray | memoryview) -> bytes:
    """H(parts joined)."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def u16(number: int) -> bytes:
    """Two bytes, big-endian."""
    return number.to_bytes(2, "big")


def u32(number: int) -> bytes:
    """Four bytes, big-endian."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


def to_millis(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware moment, fractions of a millisecond dropped.

    Raises:
        ValueError: the moment has no zone or lies before 1970; the caller's mistake.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone")
    millis = (moment - _EPOCH) // _MILLISECOND
    if millis < 0:
        raise ValueError("a moment before 1970 has no encoding")
    return millis


def from_millis(millis: int) -> datetime:
    """The UTC moment of that many milliseconds since 1970.

    Raises:
        FormatError: beyond year 9999.
    """
    if not 0 <= millis <= MAX_MILLIS:
        raise FormatError("a moment lies outside the years 1970 to 9999")
    return _EPOCH + millis * _MILLISECOND


def encode(value: Cbor) -> bytes:
    """Encode canonically.

    Raises:
        FormatError: the value holds something that `decode` would refuse.
    """
    data = _dump(value)
    _require_plain(data, items=len(data))
    return data


def decode(data: bytes, *, limit: int, items: int = MAX_ITEMS) -> Cbor:
    """Decode bytes that are exactly one canonically encoded value.

    Args:
        data: the encoded value, nothing behind it.
        limit: how many bytes such a value may have at most.
        items: how many values, keys aside, may stand inside it.

    Raises:
        FormatError: longer than the limit, malformed, of another type, or not the canonical form.
    """
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes, at most {limit} allowed")
    _require_plain(data, items=items)
    try:
        value: Cbor = cbor2.loads(data, allow_indefinite=False, allow_duplicate_keys=False, max_depth=MAX_DEPTH)
    except (cbor2.CBORDecodeError, UnicodeDecodeError) as error:
        raise FormatError("not well-formed CBOR") from error
    if _dump(value) != data:
        raise FormatError("not the canonical encoding")
    return value


def _require_plain(data: bytes, *, items: int) -> None:
    """Refuse bytes that are not exactly one value of the allowed kinds; canonical they may not be yet."""
    if _Walk(data, items).value(0, MAX_DEPTH) != len(data):
        raise FormatError("the bytes end early, or something stands behind the value")


class _Walk:
    """Looks at every head before anything is built.

    A decoder that builds first can be made to spend minutes on map keys that collide, and megabytes on empty lists.
    """

    def __init__(self, data: bytes, items: int) -> None:
        self._data = data
        self._left = items

    def value(self, place: int, depth: int) -> int:
        """Where the value that begins at `place` ends."""
        major, argument, place = _head(self._data, place)
        if major == _UINT and argument <= MAX_UINT:
            return place
        if major in (_BSTR, _TSTR):
            return place + argument
        if depth == 0 or major not in (_ARRAY, _MAP):
            raise FormatError("nested too deep, or a kind of value that is not allowed")
        self._spend(argument, is_map=major == _MAP)
        for _ in range(argument):
            if major == _MAP:
                place = _walk_key(self._data, place)
            place = self.value(place, depth - 1)
        return place

    def _spend(self, count: int, *, is_map: bool) -> None:
        """Count what a container says that it holds, before looking for it."""
        if is_map and count > MAX_KEY + 1:
            raise FormatError("a map with too many keys")
        self._left -= count
        if self._left < 0:
            raise FormatError("more values than such a payload may hold")


def _walk_key(data: bytes, place: int) -> int:
    major, argument, after = _head(data, place)
    if major != _UINT or argument > MAX_KEY:
        raise FormatError("a map key lies outside 0 to 23")
    return after


def _head(data: bytes, place: int) -> tuple[int, int, int]:
    """Major type, argument, and where the head ends."""
    if place >= len(data):
        raise FormatError("the bytes end early")
    major, short = data[place] >> 5, data[place] & 31
    if short < _ONE_BYTE:
        return major, short, place + 1
    if short > _EIGHT_BYTES:
        raise FormatError("an indefinite length or a reserved head")
    end = place + 1 + (1 << short - _ONE_BYTE)
    return major, int.from_bytes(data[place + 1 : end], "big"), end


def _dump(value: Cbor) -> bytes:
    try:
        return cbor2.dumps(value, canonical=True)
    except (cbor2.CBOREncodeError, UnicodeEncodeError) as error:  # lone surrogates have no UTF-8
        raise FormatError("a value that has no encoding") from error


def require_uint(value: Cbor, *, least: int = 0, most: int = MAX_UINT) -> int:
    """The value as a number within its bounds, or FormatError."""
    if type(value) is not int:
        raise FormatError("a number was expected")
    if not least <= value <= most:
        raise FormatError(f"a number lies outside {least} to {most}")
    return value


def require_moment(value: Cbor) -> datetime:
    """The value as a UTC moment, or FormatError."""
    return from_millis(require_uint(value))


def require_bstr(value: Cbor, *, size: int | None = None, most: int | None = None) -> bytes:
    """The value as bytes, of exactly `size` or at most `most` bytes, or FormatError."""
    if not isinstance(value, bytes):
        raise FormatError("a byte string was expected")
    if size is not None and len(value) != size:
        raise FormatError(f"{len(value)} bytes where {size} were expected")
    if most is not None and len(value) > most:
        raise FormatError(f"{len(value)} bytes where at most {most} are allowed")
    return value


def require_text(value: Cbor, *, most: int = MAX_TEXT, lines: bool = False, nfc: bool = True) -> str:
    """The value as a text by the rules of protocol 2.1, or FormatError.

    Args:
        value: what was decoded, or what someone typed.
        most: bytes of UTF-8 allowed.
        lines: whether line feeds are allowed (tlog texts only).
        nfc: whether the text must be in NFC (all but document paths).
    """
    if not isinstance(value, str):
        raise FormatError("a text was expected")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise FormatError("a text has no UTF-8 form") from error
    if size > most:
        raise FormatError(f"a text of {size} bytes where {most} are allowed")
    for character in value:
        if character in _BIDI or (unicodedata.category(character) == "Cc" and not (lines and character == "\n")):
            raise FormatError(f"a text holds U+{ord(character):04X}")
    if nfc and not unicodedata.is_normalized("NFC", value):
        raise FormatError("a text is not in NFC")
    return value


def require_array(value: Cbor, *, size: int | None = None, least: int = 0, most: int | None = None) -> Sequence[Cbor]:
    """The value as an array, of exactly `size` or of `least` to `most` items, or FormatError."""
    if not isinstance(value, list | tuple):
        raise FormatError("an array was expected")
    count = len(value)
    if size is not None and count != size:
        raise FormatError(f"{count} items where {size} were expected")
    if count < least or (most is not None and count > most):
        raise FormatError(f"{count} items lie outside the allowed number")
    return value


class Fields:
    """Reads a decoded map key by key, or an array of fixed length place by place (from 0).

    Every mandatory key is present and no unknown one, once it exists.
    """

    def __init__(self, value: Cbor, *, mandatory: range | Sequence[int], optional: range | Sequence[int] = ()) -> None:
        if not isinstance(value, dict):
            raise FormatError("a map was expected")
        self._values: dict[int, Cbor] = value
        missing = [key for key in mandatory if key not in value]
        unknown = [key for key in value if key not in mandatory and key not in optional]
        if missing or unknown:
            raise FormatError(f"keys missing: {missing}, keys unknown: {unknown}")

    @classmethod
    def decode(
        cls,
        data: bytes,
        *,
        limit: int,
        mandatory: range | Sequence[int],
        optional: range | Sequence[int] = (),
        items: int = MAX_ITEMS,
    ) -> "Fields":
        """Decode bytes that are one map with these keys."""
        return cls(decode(data, limit=limit, items=items), mandatory=mandatory, optional=optional)

    @classmethod
    def row(cls, value: Cbor, *, size: int) -> "Fields":
        """Read an array of exactly `size` items; its keys are the places 0, 1, …."""
        return cls(dict(enumerate(require_array(value, size=size))), mandatory=range(size))

    def has(self, key: int) -> bool:
        """Whether an optional key is present."""
        return key in self._values

    def as_map(self) -> Cbor:
        """The whole map as decoded."""
        return self._values

    def raw(self, key: int) -> Cbor:
        """The value as decoded."""
        return self._values[key]

    def uint(self, key: int, *, least: int = 0, most: int = MAX_UINT) -> int:
        """A number within its bounds."""
        return self._read(key, lambda value: require_uint(value, least=least, most=most))

    def moment(self, key: int) -> datetime:
        """A UTC moment, from milliseconds."""
        return self._read(key, require_moment)

    def bstr(self, key: int, *, size: int | None = None, most: int | None = None) -> bytes:
        """Bytes of exactly `size`, or at most `most`."""
        return self._read(key, lambda value: require_bstr(value, size=size, most=most))

    def text(self, key: int, *, most: int = MAX_TEXT, lines: bool = False, nfc: bool = True) -> str:
        """A text by the rules of protocol 2.1."""
        return self._read(key, lambda value: require_text(value, most=most, lines=lines, nfc=nfc))

    def array(self, key: int, *, size: int | None = None, least: int = 0, most: int | None = None) -> Sequence[Cbor]:
        """An array, of exactly `size` or of `least` to `most` items."""
        return self._read(key, lambda value: require_array(value, size=size, least=least, most=most))

    def map(self, key: int, *, mandatory: range | Sequence[int], optional: range | Sequence[int] = ()) -> "Fields":
        """A map inside."""
        return self._read(key, lambda value: Fields(value, mandatory=mandatory, optional=optional))

    def fixed(self, key: int, *, size: int) -> "Fields":
        """An array inside that is read by place."""
        return self._read(key, lambda value: Fields.row(value, size=size))

    def _read(self, key: int, require: Callable[[Cbor], _T]) -> _T:
        try:
            return require(self._values[key])
        except FormatError as error:
            raise FormatError(f"field {key}: {error}") from error
