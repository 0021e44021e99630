# SPDX-License-Identifier: EUPL-1.2
"""Any quorum of shares gives the secret, any smaller set does not, and all shares come again from any quorum."""

import pyshamir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.shares import all_shares, combine, split

SECRETS = st.binary(min_size=32, max_size=32)


@st.composite
def quorums(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    """k, n, and the places of one quorum."""
    n = draw(st.integers(1, 9))
    k = draw(st.integers(1, n))
    return k, n, draw(st.permutations(range(n)))[:k]


@pytest.mark.proves("KEY-01")
@given(SECRETS, quorums())
def test_any_quorum_gives_the_secret_and_all_shares(secret: bytes, quorum: tuple[int, int, list[int]]) -> None:
    k, n, places = quorum
    shares = split(secret, k, n)
    chosen = [shares[place] for place in places]

    assert combine(chosen) == secret
    assert all_shares(chosen, n) == shares


@pytest.mark.proves("KEY-01")
@given(SECRETS, quorums().filter(lambda quorum: quorum[0] > 1))
def test_one_share_short_gives_other_bytes(secret: bytes, quorum: tuple[int, int, list[int]]) -> None:
    k, n, places = quorum
    shares = split(secret, k, n)

    assert combine([shares[place] for place in places[1:]]) != secret


@settings(max_examples=30)
@given(SECRETS, st.lists(SECRETS, min_size=1, max_size=6), st.integers(0, 4))
def test_the_oracle_agrees(secret: bytes, coefficients: list[bytes], more: int) -> None:
    k = len(coefficients) + 1

    shares = split(secret, k, k + more, coefficients=coefficients)

    assert pyshamir.combine(shares[more:]) == secret


@pytest.mark.proves("T22")
@given(SECRETS, quorums().filter(lambda quorum: 1 < quorum[0] < quorum[1]), st.integers(1, 255), st.integers(0, 31))
def test_one_changed_byte_changes_shares_that_were_not_touched(
    secret: bytes, quorum: tuple[int, int, list[int]], change: int, place: int
) -> None:
    k, n, places = quorum
    shares = split(secret, k, n)
    chosen = [bytearray(shares[position]) for position in places]
    chosen[0][place] ^= change
    untouched = next(position for position in range(n) if position not in places)

    assert all_shares(chosen, n)[untouched] != shares[untouched]
