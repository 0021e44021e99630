# SPDX-License-Identifier: EUPL-1.2
"""What an amendment of a policy may change."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crypto.errors import PolicyError
from crypto.policy import (
    Limits,
    Mode,
    Policy,
    require_amendment,
)
from tests.crypto.holders import DEADLINE
from tests.crypto.procedure import holders

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
POLICY = holders().policy
CARD = POLICY.groups[0].cards[0]
BOX, SECOND_BOX = POLICY.boxes
CUSTODIANS, GATES = POLICY.groups


def later(policy: Policy, changes: dict[str, object] | None = None, *, by: timedelta = HOUR) -> Policy:
    """The next epoch, the first box's times moved."""
    box = policy.boxes[0]
    moved = replace(box, deadline=box.deadline + by, not_before=box.not_before + by)
    following = replace(policy, epoch=policy.epoch + 1, previous=policy.hash, boxes=(moved, *policy.boxes[1:]))
    return replace(following, **(changes or {}))  # type: ignore[arg-type]


@pytest.mark.proves("TIME-07")
def test_a_deadline_may_move_later() -> None:
    require_amendment(POLICY, later(POLICY), now=DEADLINE)


@pytest.mark.parametrize(
    "changes",
    [
        {"settle": timedelta(seconds=61)},
        {"limits": replace(POLICY.limits, document=POLICY.limits.document + 1)},
        {"limits": Limits(1 << 31, 1 << 32, 101, 11)},
    ],
)
def test_settle_and_limits_may_rise(changes: dict[str, object]) -> None:
    require_amendment(POLICY, later(POLICY, changes), now=DEADLINE)


@pytest.mark.proves("T13", "TIME-07", "CONF-06")
@pytest.mark.parametrize("by", [-timedelta(milliseconds=1), -HOUR])
def test_a_deadline_never_moves_earlier(by: timedelta) -> None:
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY, by=by))


def test_not_before_never_moves_earlier() -> None:
    box = POLICY.boxes[0]
    moved = (replace(box, deadline=box.deadline + SECOND, not_before=box.not_before - SECOND), POLICY.boxes[1])

    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY, {"boxes": moved}))


@pytest.mark.proves("T13")
@pytest.mark.parametrize(
    "changes",
    [
        {"settle": timedelta(seconds=59)},
        {"limits": replace(POLICY.limits, document=POLICY.limits.document - 1)},
        {"limits": replace(POLICY.limits, envelope=POLICY.limits.envelope - 1)},
        {"limits": replace(POLICY.limits, documents=POLICY.limits.documents - 1)},
        {"limits": replace(POLICY.limits, deposits=POLICY.limits.deposits - 1)},
        {"title": "Other works"},
        {"procedure": bytes(16)},
        {"groups": (replace(CUSTODIANS, k=1), GATES)},
        {"groups": (replace(CUSTODIANS, cards=(replace(CARD, name="B"), *CUSTODIANS.cards[1:])), GATES)},
        {"groups": (replace(CUSTODIANS, cards=CUSTODIANS.cards[::-1]), GATES)},
        {"time": replace(POLICY.time, anchors=POLICY.time.anchors[::-1])},
        {"statement_vkey": POLICY.journal_vkey},
        {"modes": (Mode.SERVER, Mode.CLIENT)},
        {"boxes": POLICY.boxes[:1]},
        {"boxes": (*POLICY.boxes, replace(SECOND_BOX, number=3, lot="2"))},
        {"boxes": (replace(BOX, lot="2"), SECOND_BOX)},
        {"boxes": (BOX, replace(SECOND_BOX, after=(1,)))},
    ],
)
def test_an_amendment_lowers_nothing_and_changes_nothing_else(changes: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY, changes))


@pytest.mark.proves("T14")
@pytest.mark.parametrize("changes", [{"epoch": 2}, {"epoch": 0}, {"previous": bytes(32)}, {"previous": None}])
def test_an_amendment_follows_its_predecessor(changes: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY, changes))


@pytest.mark.proves("TIME-07")
def test_a_box_past_its_deadline_or_closing_is_not_touched() -> None:
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY), now=DEADLINE + timedelta(milliseconds=1))
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY), closing={1})
    with pytest.raises(PolicyError):
        require_amendment(POLICY, later(POLICY, {"settle": timedelta(seconds=61), "boxes": POLICY.boxes}), closing={2})
    require_amendment(POLICY, later(POLICY), closing={2})
