# SPDX-License-Identifier: EUPL-1.2
"""How bytes are damaged: blindly, and by who knows CBOR (the list of T33).

Left to others: what is damaged and what must come of it (tests.attacks.corpus).
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

import cbor2

from crypto.encoding import Cbor, encode

Spoil: TypeAlias = Callable[[Cbor, Random], bytes]
_UINT, _BSTR, _TSTR, _ARRAY, _MAP = 0, 2, 3, 4, 5
_EXTREMES = (0, 1, 0x1F, 0x20, 0x7F, 0x80, 0xFE, 0xFF)


def damaged(data: bytes, rng: Random) -> bytes:
    """Other bytes: bits flipped, bytes set, cut, appended, doubled, dropped or moved."""
    if not data:
        return rng.randbytes(1 + rng.randrange(8))
    found = data
    while found == data:
        found = rng.choice(_BLIND)(bytearray(data), rng.randrange(len(data)), rng)
    return found


def _flip(data: bytearray, at: int, rng: Random) -> bytes:
    data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def _set(data: bytearray, at: int, rng: Random) -> bytes:
    data[at] = rng.choice(_EXTREMES)
    return bytes(data)


def _early(data: bytearray, at: int, rng: Random) -> bytes:
    """Among the first bytes, where lengths and versions stand."""
    data[at % 64] = rng.choice((*_EXTREMES, rng.randrange(256)))
    return bytes(data)


def _cut(data: bytearray, at: int, rng: Random) -> bytes:
    del data[at if rng.random() < 0.5 else len(data) - 1 - rng.randrange(min(40, len(data))) :]
    return bytes(data)


def _append(data: bytearray, at: int, rng: Random) -> bytes:
    return bytes(data) + (rng.randbytes(1 + rng.randrange(40)) if rng.random() < 0.5 else bytes(data[at:]))


def _drop(data: bytearray, at: int, rng: Random) -> bytes:
    del data[at : at + 1 + rng.randrange(64)]
    return bytes(data)


def _double(data: bytearray, at: int, rng: Random) -> bytes:
    piece = data[at : at + 1 + rng.randrange(64)]
    data[at:at] = piece
    return bytes(data)


def _move(data: bytearray, at: int, rng: Random) -> bytes:
    size = 1 + rng.randrange(64)
    piece = data[at : at + size]
    del data[at : at + size]
    to = rng.randrange(len(data) + 1)
    data[to:to] = piece
    return bytes(data)


_BLIND = (_flip, _flip, _flip, _set, _early, _cut, _append, _drop, _double, _move)


def rewritten(payload: bytes, rng: Random) -> bytes:
    """The same payload with one value written, or made, as none may be; without its fellows' canonical form touched."""
    return rewritten_by(payload, rng.choice(tuple(SPOILS.values())), rng.randrange(1 << 16), rng)


def rewritten_by(payload: bytes, spoil: Spoil, place: int, rng: Random) -> bytes:
    """The same payload with the value at that place (counted round) spoiled in one way."""
    value: Cbor = cbor2.loads(payload)
    found = _Writer(place % _count(value), spoil, rng).write(value)
    return found if found != payload else found + b"\x00"


class _Writer:
    """Writes a value, and spoils the one that comes as the n-th."""

    def __init__(self, target: int, spoil: Spoil, rng: Random) -> None:
        self._left = target
        self._spoil = spoil
        self._rng = rng

    def write(self, value: Cbor) -> bytes:
        self._left -= 1
        if self._left == -1:
            return self._spoil(value, self._rng)
        if isinstance(value, Mapping):
            pairs = (encode(key) + self.write(one) for key, one in value.items())
            return head(_MAP, len(value)) + b"".join(pairs)
        if isinstance(value, list | tuple):
            return head(_ARRAY, len(value)) + b"".join(self.write(one) for one in value)
        return encode(value)


def _count(value: Cbor) -> int:
    """How many values there are, this one and all inside."""
    if isinstance(value, Mapping):
        return 1 + sum(_count(one) for one in value.values())
    if isinstance(value, list | tuple):
        return 1 + sum(_count(one) for one in value)
    return 1


def head(major: int, argument: int) -> bytes:
    """The shortest head of a value."""
    for size, short in ((0, None), (1, 24), (2, 25), (4, 26)):
        if size == 0 and argument < 24:
            return bytes((major << 5 | argument,))
        if size and argument < 1 << 8 * size:
            return bytes((major << 5 | (short or 0),)) + argument.to_bytes(size, "big")
    return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")


def _major(value: Cbor) -> int:
    kinds: tuple[tuple[type | tuple[type, ...], int], ...] = (
        (int, _UINT),
        (bytes, _BSTR),
        (str, _TSTR),
        ((list, tuple), _ARRAY),
    )
    return next((major for kind, major in kinds if isinstance(value, kind)), _MAP)


def _argument(value: Cbor) -> int:
    if isinstance(value, int):
        return value
    return len(value.encode()) if isinstance(value, str) else len(value)


def _body(value: Cbor) -> bytes:
    """What stands behind a value's head."""
    return encode(value)[len(head(_major(value), _argument(value))) :]


def _long(value: Cbor, _rng: Random) -> bytes:
    return bytes((_major(value) << 5 | 27,)) + _argument(value).to_bytes(8, "big") + _body(value)


def _order(value: Cbor, _rng: Random) -> bytes:
    if not isinstance(value, Mapping):
        return _long(value, _rng)
    pairs = [encode(key) + encode(one) for key, one in value.items()]
    return head(_MAP, len(pairs)) + b"".join(reversed(pairs))


def _duplicate(value: Cbor, rng: Random) -> bytes:
    if not isinstance(value, Mapping) or not value:
        return _tag(value, rng)
    pairs = [encode(key) + encode(one) for key, one in value.items()]
    return head(_MAP, len(pairs) + 1) + b"".join((pairs[0], *pairs))


def _indefinite(value: Cbor, rng: Random) -> bytes:
    major = _major(value)
    if major == _UINT:
        return b"\x5f\xff" if rng.random() < 0.5 else b"\x9f\xff"
    inner = encode(value) if major in (_BSTR, _TSTR) else _body(value)
    return bytes((major << 5 | 31,)) + inner + b"\xff"


def _tag(value: Cbor, rng: Random) -> bytes:
    return rng.choice((b"\xc0", b"\xc2", b"\xd8\x1c", b"\xd9\xd9\xf7")) + encode(value)


def _simple(_value: Cbor, rng: Random) -> bytes:
    """A float, null, bool, undefined, negative number or big one."""
    return bytes.fromhex(
        rng.choice(("f93c00", "fb3ff0000000000000", "f6", "f4", "f5", "f7", "20", "1bffffffffffffffff"))
    )


def _deep(value: Cbor, rng: Random) -> bytes:
    return b"\x81" * rng.choice((10, 100, 2000)) + encode(value)


def _huge(value: Cbor, rng: Random) -> bytes:
    major = max(_major(value), _BSTR)
    return bytes((major << 5 | rng.choice((26, 27)),)) + rng.choice((b"\x7f", b"\x00\xff")) + b"\xff" * 6 + b"\x00" * 8


def _many(_value: Cbor, rng: Random) -> bytes:
    """More small values than any payload has."""
    count = rng.choice((5_000, 30_000))
    return head(_ARRAY, count) + rng.choice((b"\x00", b"\x80", b"\x60", b"\x40")) * count


def _behind(value: Cbor, rng: Random) -> bytes:
    return encode(value) + rng.randbytes(1)


def _keys(value: Cbor, rng: Random) -> bytes:
    """A key missing, one unknown, one that is none."""
    if not isinstance(value, Mapping) or not value:
        return _simple(value, rng)
    pairs = [encode(key) + encode(one) for key, one in value.items()]
    if rng.random() < 0.5:
        return head(_MAP, len(pairs) - 1) + b"".join(pairs[1:])
    return head(_MAP, len(pairs) + 1) + b"".join(pairs) + rng.choice((b"\x17\x00", b"\x18\x18\x00", b"\x61a\x00"))


def _other(value: Cbor, rng: Random) -> bytes:
    """Well written, but another value: out of bounds, of another size, of another kind."""
    if isinstance(value, int):
        return encode(rng.choice((value + 1, 0, 2**63 - 1, abs(value - 1))))
    if isinstance(value, str):
        return encode(value + rng.choice(("\n", "\u202e", "e\u0301", "\x00", "x" * 5000)))
    if isinstance(value, bytes):
        return encode(rng.choice((value[:-1], value + b"\x00", b"")))
    return rng.choice((encode([]), encode({}), b"\x81" + encode(value)))


SPOILS: Mapping[str, Spoil] = {
    "long integer or length": _long,
    "order": _order,
    "duplicate": _duplicate,
    "indefinite": _indefinite,
    "tag": _tag,
    "float, null, bool": _simple,
    "depth": _deep,
    "huge length": _huge,
    "many": _many,
    "trailing": _behind,
    "keys": _keys,
    "other": _other,
}


def pieces(rng: Random, data: bytes) -> Sequence[bytes]:
    """The bytes in pieces of other sizes, as a stream brings them."""
    found: list[bytes] = []
    place = 0
    while place < len(data):
        size = 1 + rng.randrange(20_000)
        found.append(data[place : place + size])
        place += size
    return found
