# SPDX-License-Identifier: EUPL-1.2
"""Whatever a reader of outside bytes is given, it reads the one encoding of a value, or refuses with a typed error."""

import functools
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto.errors import CryptoError
from tests.attacks.corpus import Specimen, specimens
from tests.attacks.damage import SPOILS, rewritten_by

NAMES = tuple(one.name for one in specimens())
WITH_PAYLOAD = tuple(one.name for one in specimens() if one.payload)


@functools.cache
def _specimen(name: str) -> Specimen:
    return next(one for one in specimens() if one.name == name)


def _read(specimen: Specimen, data: bytes) -> None:
    try:
        found = specimen.read(data)
    except CryptoError:
        return
    assert found == data


@pytest.mark.proves("T33")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_as_their_one_value_or_refused(name: str, data: bytes) -> None:
    _read(_specimen(name), data)


@pytest.mark.proves("T31", "T32", "T33")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_good_form_with_a_piece_replaced_is_another_value_or_refused(name: str, data: st.DataObject) -> None:
    specimen = _specimen(name)
    good = specimen.good
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, min(len(good), begin + 80)))
    changed = good[:begin] + data.draw(st.binary(max_size=80)) + good[end:]

    if changed != good:
        _read(specimen, changed)


@pytest.mark.proves("T33")
@pytest.mark.parametrize("name", WITH_PAYLOAD)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(spoil=st.sampled_from(sorted(SPOILS)), place=st.integers(0, 500), rng=st.randoms(use_true_random=False))
def test_a_payload_with_one_value_spoiled_is_another_value_or_refused(
    name: str, spoil: str, place: int, rng: Random
) -> None:
    specimen = _specimen(name)

    _read(specimen, specimen.around(rewritten_by(specimen.payload, SPOILS[spoil], place, rng)))
