# SPDX-License-Identifier: EUPL-1.2
"""Shamir's secret sharing in GF(256), bytewise, with fixed x (protocol 2.5).

    share33 = y 32 ‖ x 1        x = position 1 … n        k = 1 gives y = secret

Rules
  1. Any k shares give the secret, fewer tell nothing; x is public, y is secret.
  2. No table is looked up and no branch taken by a secret byte: all 32 bytes are multiplied at once
     by the public number x, packed in one integer.
  3. From any k shares all n can be computed again, which is how a wrong dealer is found out.

Left to others: commits and what a wrong share means (header, sealing).
"""

import functools
import os
from collections.abc import Sequence

from crypto.algorithms import SECRET_SIZE, SHARE_SIZE

MAX_SHARES = 32  # protocol 2.5
_LOW_BITS = int.from_bytes(b"\x7f" * SECRET_SIZE, "big")
_TOP_BITS = int.from_bytes(b"\x01" * SECRET_SIZE, "big")
_REDUCTION = 0x1B  # x^8 = x^4 + x^3 + x + 1 by the polynomial 0x11b


def split(secret: bytes | bytearray, k: int, n: int, *, coefficients: Sequence[bytes] | None = None) -> list[bytearray]:
    """Split 32 bytes into n shares of which k give them back.

    Args:
        secret: 32 bytes.
        k: how many are needed.
        n: how many are made.
        coefficients: k - 1 times 32 bytes, for test vectors; random otherwise.
    """
    if len(secret) != SECRET_SIZE or not 1 <= k <= n <= MAX_SHARES:
        raise ValueError(f"a secret has {SECRET_SIZE} bytes, and 1 <= k <= n <= {MAX_SHARES}")
    drawn = [os.urandom(SECRET_SIZE) for _ in range(k - 1)] if coefficients is None else coefficients
    if len(drawn) != k - 1:
        raise ValueError("a polynomial of k shares has k - 1 coefficients")
    polynomial = [int.from_bytes(part, "big") for part in (secret, *drawn)]
    return [_share(_evaluate(polynomial, x), x) for x in range(1, n + 1)]


def combine(shares: Sequence[bytes | bytearray]) -> bytearray:
    """The secret from exactly k shares with different x; too few or wrong ones give other bytes."""
    return bytearray(_at(0, shares).to_bytes(SECRET_SIZE, "big"))


def all_shares(shares: Sequence[bytes | bytearray], n: int) -> list[bytearray]:
    """Compute all n shares again from exactly k of them, as an honest dealer made them."""
    return [_share(_at(x, shares), x) for x in range(1, n + 1)]


def position(share: bytes | bytearray) -> int:
    """A share's x."""
    return share[SECRET_SIZE]


def zero(secret: bytearray) -> None:
    """Overwrite a secret (CPython may keep copies elsewhere; docs/threats.md says so)."""
    secret[:] = bytes(len(secret))


def _share(y: int, x: int) -> bytearray:
    return bytearray(y.to_bytes(SECRET_SIZE, "big")) + bytes((x,))


def _at(x: int, shares: Sequence[bytes | bytearray]) -> int:
    """The polynomial through the shares, at x."""
    places = tuple(position(share) for share in shares)
    if not places or len(set(places)) != len(places) or any(len(share) != SHARE_SIZE for share in shares):
        raise ValueError("shares are 33 bytes with different places")
    total = 0
    for share, weight in zip(shares, _weights(places, x), strict=True):
        total ^= _times(int.from_bytes(share[:SECRET_SIZE], "big"), weight)
    return total


def _evaluate(polynomial: Sequence[int], x: int) -> int:
    total = 0
    for coefficient in reversed(polynomial):
        total = _times(total, x) ^ coefficient
    return total


def _times(packed: int, factor: int) -> int:
    """Multiply 32 packed bytes by one public byte."""
    product = 0
    while factor:
        if factor & 1:
            product ^= packed
        packed = ((packed & _LOW_BITS) << 1) ^ ((packed >> 7 & _TOP_BITS) * _REDUCTION)
        factor >>= 1
    return product


@functools.lru_cache(maxsize=4096)
def _weights(places: tuple[int, ...], x: int) -> tuple[int, ...]:
    """Lagrange's weights: they depend on public places only, so they may be kept."""
    weights = []
    for place in places:
        weight = 1
        for other in places:
            if other != place:
                weight = _times(weight, _times(x ^ other, _inverse(place ^ other)))
        weights.append(weight)
    return tuple(weights)


def _inverse(number: int) -> int:
    """number^254, which is 1/number."""
    result, square = 1, number
    for _ in range(1, 8):
        square = _times(square, square)
        result = _times(result, square)
    return result
