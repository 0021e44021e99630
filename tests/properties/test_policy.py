# SPDX-License-Identifier: EUPL-1.2
"""Policies under chance: one encoding, and amendments that never lower anything."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import CryptoError, PolicyError
from crypto.policy import Box, Limits, Policy, require_amendment
from tests.crypto.procedure import holders

POLICY = holders().policy
SHIFT = st.integers(-3, 3).map(lambda minutes: timedelta(minutes=minutes))
LIMIT = st.integers(-2, 2)


@st.composite
def amendments(draw: st.DrawFn) -> Policy:
    """A next epoch whose times and limits moved anyhow, if it is a policy at all."""
    boxes: list[Box] = []
    for box in POLICY.boxes:
        deadline, not_before = box.deadline + draw(SHIFT), box.not_before + draw(SHIFT)
        boxes.append(replace(box, deadline=deadline, not_before=not_before))
    old = POLICY.limits
    limits = Limits(
        old.document + draw(LIMIT), old.envelope + draw(LIMIT), old.documents + draw(LIMIT), old.deposits + draw(LIMIT)
    )
    settle = POLICY.settle + timedelta(seconds=draw(LIMIT))
    return replace(POLICY, epoch=1, previous=POLICY.hash, boxes=tuple(boxes), limits=limits, settle=settle)


def lowers(following: Policy) -> bool:
    """Whether anything became earlier or smaller."""
    boxes = zip(POLICY.boxes, following.boxes, strict=True)
    return (
        following.settle < POLICY.settle
        or not following.limits.covers(POLICY.limits)
        or any(new.deadline < old.deadline or new.not_before < old.not_before for old, new in boxes)
    )


@given(amendments())
def test_an_amendment_is_taken_exactly_when_it_lowers_nothing(following: Policy) -> None:
    try:
        require_amendment(POLICY, following)
    except PolicyError:
        assert lowers(following)
    else:
        assert not lowers(following)


@given(amendments())
def test_what_is_written_is_read(following: Policy) -> None:
    assert Policy.decode(following.encode()) == following


@given(st.data())
def test_a_changed_byte_is_another_policy_or_none(data: st.DataObject) -> None:
    payload = bytearray(POLICY.encode())
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        read = Policy.decode(bytes(payload))
    except CryptoError:
        return
    assert read.hash != POLICY.hash
    assert read.encode() == bytes(payload)
