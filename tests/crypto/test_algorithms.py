# SPDX-License-Identifier: EUPL-1.2
"""Each algorithm has an end, and no policy keeps a box shut beyond it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crypto.algorithms import TRUSTED, untrusted_at
from crypto.errors import PolicyError
from crypto.policy import Policy, require_lasting
from tests.crypto.procedure import Told

FIRST_END = min(trust.until for trust in TRUSTED)


def _opening_at(moment: datetime) -> Policy:
    policy = Told().policy
    first, second = policy.boxes
    return replace(policy, boxes=(first, replace(second, not_before=moment)))


def test_every_algorithm_is_trusted_today_and_not_for_ever() -> None:
    assert untrusted_at(datetime(2026, 11, 24, tzinfo=UTC)) == ()
    assert untrusted_at(datetime(2040, 1, 1, tzinfo=UTC)) == TRUSTED


def test_a_policy_that_keeps_a_box_shut_beyond_an_algorithms_end_is_refused() -> None:
    require_lasting(_opening_at(FIRST_END))

    with pytest.raises(PolicyError, match="Ed25519"):
        require_lasting(_opening_at(FIRST_END + timedelta(milliseconds=1)))
