# SPDX-License-Identifier: EUPL-1.2
"""Each algorithm has an end."""

from datetime import UTC, datetime

import pytest

from crypto.algorithms import TRUSTED, require_trusted


def test_every_algorithm_is_trusted_today_and_not_for_ever() -> None:
    for trust in TRUSTED:
        assert require_trusted(trust.name, at=datetime(2026, 11, 24, tzinfo=UTC)) is trust
        with pytest.raises(ValueError, match="not trusted"):
            require_trusted(trust.name, at=datetime(2040, 1, 1, tzinfo=UTC))


def test_an_unknown_algorithm_is_not_trusted() -> None:
    with pytest.raises(ValueError, match="not an algorithm"):
        require_trusted("MD5", at=datetime(2026, 11, 24, tzinfo=UTC))
