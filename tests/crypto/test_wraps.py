# SPDX-License-Identifier: EUPL-1.2
"""Wraps open only as what they are and for whom they were made (protocol 2.6)."""

import itertools

import pytest

from crypto.errors import WrapError
from crypto.wraps import WRAP_SIZE, WrapKind, unwrap, wrap

PARENT, KEY, PLACE = bytes(range(32)), bytes(range(32, 64)), bytes(range(16))


def test_a_wrap_opens_to_its_key() -> None:
    wrapped = wrap(PARENT, KEY, kind=WrapKind.FILE, id16=PLACE)

    assert len(wrapped) == WRAP_SIZE == 60
    assert unwrap(PARENT, wrapped, kind=WrapKind.FILE, id16=PLACE) == KEY


def test_two_wraps_of_one_key_differ() -> None:
    assert wrap(PARENT, KEY, kind=WrapKind.FILE, id16=PLACE) != wrap(PARENT, KEY, kind=WrapKind.FILE, id16=PLACE)


@pytest.mark.proves("T50")
def test_a_wrap_shown_as_another_kind_is_refused() -> None:
    for made, shown in itertools.permutations(WrapKind, 2):
        wrapped = wrap(PARENT, KEY, kind=made, id16=PLACE)
        with pytest.raises(WrapError):
            unwrap(PARENT, wrapped, kind=shown, id16=PLACE)


@pytest.mark.proves("T50")
def test_wraps_swapped_between_objects_are_refused() -> None:
    wrapped = wrap(PARENT, KEY, kind=WrapKind.OBJECT, id16=PLACE)

    with pytest.raises(WrapError):
        unwrap(PARENT, wrapped, kind=WrapKind.OBJECT, id16=bytes(16))


@pytest.mark.proves("T50")
def test_another_parent_a_flipped_bit_or_a_cut_wrap_is_refused() -> None:
    wrapped = wrap(PARENT, KEY, kind=WrapKind.OBJECT, id16=PLACE)

    for parent, shown in (
        (bytes(32), wrapped),
        (PARENT, bytes([wrapped[0] ^ 1]) + wrapped[1:]),
        (PARENT, wrapped[:-1] + bytes([wrapped[-1] ^ 1])),
        (PARENT, wrapped[:-1]),
        (PARENT, wrapped + b"\x00"),
        (PARENT, b""),
    ):
        with pytest.raises(WrapError):
            unwrap(parent, shown, kind=WrapKind.OBJECT, id16=PLACE)


def test_only_keys_are_wrapped_and_only_for_ids() -> None:
    with pytest.raises(ValueError, match="key"):
        wrap(PARENT, KEY[:-1], kind=WrapKind.OBJECT, id16=PLACE)
    with pytest.raises(ValueError, match="id"):
        wrap(PARENT, KEY, kind=WrapKind.OBJECT, id16=PLACE[:-1])
