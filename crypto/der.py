# SPDX-License-Identifier: EUPL-1.2
"""Strict DER: bytes are exactly one value, its lengths in their only form, nothing behind it.

Rules
  1. No trailing bytes, no indefinite lengths, no length longer than it needs to be.
  2. Strings are not built of pieces; booleans are 00 or FF; integers have no superfluous first byte.
  3. Depth and number of values are bounded, and nothing is allocated for a length that the bytes do not hold.

Left to others: what the values mean (timestamp, certificates), and the order inside SETs, which authorities in
use get wrong and which no digest of ours depends on.
"""

from crypto.errors import FormatError

MAX_DEPTH = 40  # a token with chain needs about 20
MAX_VALUES = 4096  # a token with its chain has some hundreds
_BOOLEAN, _INTEGER, _ENUMERATED = 1, 2, 10
_TAG_BITS = 0x1F  # of an identifier; all set means a longer tag follows
_SHORT_LENGTHS = 0x80  # lengths below stand in one byte
_MAX_LENGTH_BYTES = 4
_CONTAINERS = (8, 11, 16, 17)  # EXTERNAL, EMBEDDED PDV, SEQUENCE, SET: the only constructed universal types in DER


def require_der(data: bytes, *, limit: int) -> None:
    """Refuse bytes that are not exactly one DER value.

    Raises:
        FormatError: too long, or not the one encoding.
    """
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes, at most {limit} allowed")
    end = _Walk(data).value(0, len(data), depth=0)
    if end != len(data):
        raise FormatError("bytes behind the end of a DER value")


class _Walk:
    """Looks at every value in turn, and counts them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._values = 0

    def value(self, start: int, stop: int, *, depth: int) -> int:
        """Check one value that begins at `start`; returns where it ends."""
        data = self._data
        self._values += 1
        if depth > MAX_DEPTH or self._values > MAX_VALUES:
            raise FormatError("DER nested too deep, or of too many values")
        identifier, at = _identifier(data, start, stop)
        length, at = _length(data, at, stop)
        end = at + length
        if end > stop:
            raise FormatError("a DER value is cut short")
        universal, constructed, number = identifier >> 6 == 0, bool(identifier & 0x20), identifier & _TAG_BITS
        if universal and constructed != (number in _CONTAINERS):
            raise FormatError("a DER value has the wrong form for its type")
        if constructed:
            while at < end:
                at = self.value(at, end, depth=depth + 1)
        elif universal:
            _require_primitive(number, data[at : min(end, at + 2)], length)
        return end


def _identifier(data: bytes, at: int, stop: int) -> tuple[int, int]:
    if at >= stop:
        raise FormatError("a DER value is cut short")
    first = data[at]
    if first & _TAG_BITS != _TAG_BITS:
        return first, at + 1
    raise FormatError("a DER tag above 30, which nothing here uses")


def _length(data: bytes, at: int, stop: int) -> tuple[int, int]:
    if at >= stop:
        raise FormatError("a DER value is cut short")
    first = data[at]
    if first < _SHORT_LENGTHS:
        return first, at + 1
    count = first & 0x7F
    octets = data[at + 1 : min(stop, at + 1 + count)]
    if not 1 <= count <= _MAX_LENGTH_BYTES or len(octets) != count:
        raise FormatError("an indefinite or impossible DER length")
    length = int.from_bytes(octets, "big")
    if octets[0] == 0 or length < _SHORT_LENGTHS:
        raise FormatError("a DER length longer than it needs to be")
    return length, at + 1 + count


def _require_primitive(number: int, head: bytes, length: int) -> None:
    if number == _BOOLEAN and (length != 1 or head[0] not in (0, 0xFF)):
        raise FormatError("a DER boolean is neither 00 nor FF")
    if number in (_INTEGER, _ENUMERATED):
        if length == 0:
            raise FormatError("an empty DER integer")
        if length > 1 and (head[0], head[1] >> 7) in ((0, 0), (0xFF, 1)):
            raise FormatError("a DER integer with a superfluous byte")
