# SPDX-License-Identifier: EUPL-1.2
"""Shamir's shares against an oracle, and their bounds (protocol 2.5)."""

import itertools
import os

import pyshamir
import pytest

from crypto.shares import MAX_SHARES, all_shares, combine, position, split, zero


@pytest.mark.parametrize(("k", "n"), [(2, 2), (2, 3), (3, 5), (4, 7), (16, 32)])
def test_the_oracle_combines_our_shares(k: int, n: int) -> None:
    secret = os.urandom(32)

    shares = split(secret, k, n)

    assert pyshamir.combine(shares[n - k :]) == secret


@pytest.mark.parametrize(("k", "n"), [(2, 2), (2, 3), (3, 5), (16, 32)])
def test_we_combine_the_oracles_shares(k: int, n: int) -> None:
    secret = os.urandom(32)

    assert combine(pyshamir.split(secret, n, k)[:k]) == secret


@pytest.mark.proves("KEY-01")
def test_every_quorum_opens_and_no_smaller_set_does() -> None:
    secret = os.urandom(32)
    shares = split(secret, 3, 5)

    assert all(combine(chosen) == secret for chosen in itertools.combinations(shares, 3))
    assert all(combine(chosen) != secret for chosen in itertools.combinations(shares, 2))


@pytest.mark.proves("KEY-09")
def test_one_of_n_gives_everybody_the_secret() -> None:
    secret = os.urandom(32)

    shares = split(secret, 1, 3)

    assert [share[:32] for share in shares] == [secret] * 3
    assert [position(share) for share in shares] == [1, 2, 3]


@pytest.mark.proves("T22")
def test_all_shares_come_again_from_any_quorum() -> None:
    shares = split(os.urandom(32), 3, 5)

    assert all(all_shares(chosen, 5) == shares for chosen in itertools.combinations(shares, 3))


@pytest.mark.proves("T22")
def test_shares_of_two_polynomials_do_not_come_again() -> None:
    secret = os.urandom(32)
    one, other = split(secret, 2, 3), split(secret, 2, 3)

    assert all_shares([one[0], other[1]], 3) != [one[0], other[1], one[2]]


@pytest.mark.parametrize(("k", "n"), [(0, 1), (2, 1), (1, MAX_SHARES + 1)])
def test_a_split_outside_its_bounds_is_the_callers_mistake(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="32"):
        split(bytes(32), k, n)


def test_a_secret_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        split(bytes(31), 1, 1)


def test_a_polynomial_has_as_many_coefficients_as_k_asks() -> None:
    with pytest.raises(ValueError, match="coefficients"):
        split(bytes(32), 2, 3, coefficients=[])


@pytest.mark.parametrize("shares", [[], [bytes(33), bytes(33)], [bytes(32) + b"\x01\x02"]])
def test_shares_without_different_places_do_not_combine(shares: list[bytes]) -> None:
    with pytest.raises(ValueError, match="33 bytes"):
        combine(shares)


def test_a_zeroed_secret_is_zero() -> None:
    secret = bytearray(b"secret")

    zero(secret)

    assert secret == bytes(6)
