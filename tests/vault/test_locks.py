# SPDX-License-Identifier: EUPL-1.2
"""Lock dates: short, renewed, on Mondays, never absurd."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import StoreRefused
from vault.store.locks import HORIZON, envelope_lock, evidence_lock, kept_lock, require_lock_date, to_monday

NOW = datetime(2026, 11, 24, 16, 4, tzinfo=UTC)  # a Tuesday
moments = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


@pytest.mark.proves("T48")
@given(moments)
def test_a_lock_is_rounded_up_to_a_monday_by_less_than_a_week(moment: datetime) -> None:
    rounded = to_monday(moment)

    assert rounded.isoweekday() == 1
    assert (rounded.hour, rounded.minute, rounded.second, rounded.microsecond) == (0, 0, 0, 0)
    assert timedelta() <= rounded - moment < timedelta(days=7)


def test_a_monday_at_midnight_stays() -> None:
    monday = datetime(2026, 11, 30, tzinfo=UTC)

    assert to_monday(monday) == monday
    assert to_monday(monday + timedelta(microseconds=1)) == monday + timedelta(days=7)


def test_mondays_are_those_of_utc() -> None:
    paris = timezone(timedelta(hours=1))

    assert to_monday(datetime(2026, 11, 30, 0, 30, tzinfo=paris)) == datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("deadline", "is_test", "expected"),
    [
        (datetime(2026, 12, 1, 17, tzinfo=UTC), False, datetime(2027, 3, 8, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), False, datetime(2027, 3, 1, tzinfo=UTC)),
        (datetime(2030, 1, 1, tzinfo=UTC), False, datetime(2028, 1, 3, tzinfo=UTC)),
        (datetime(2026, 12, 1, 17, tzinfo=UTC), True, datetime(2027, 1, 4, tzinfo=UTC)),
    ],
)
def test_an_envelope_is_locked_past_its_deadline_but_not_for_ever(
    *, deadline: datetime, is_test: bool, expected: datetime
) -> None:
    assert envelope_lock(deadline, NOW, is_test=is_test) == expected


def test_what_is_kept_is_locked_until_after_it_may_go() -> None:
    soon = NOW + timedelta(days=10)

    assert kept_lock(NOW) == evidence_lock(NOW) == to_monday(NOW + HORIZON)
    assert kept_lock(NOW, eligible=soon) == to_monday(soon + timedelta(days=60))
    assert kept_lock(NOW, eligible=NOW + timedelta(days=3650)) == to_monday(NOW + HORIZON)


@given(moments, moments)
def test_no_rule_gives_a_date_that_is_refused(deadline: datetime, now: datetime) -> None:
    for date in (
        envelope_lock(deadline, now),
        envelope_lock(now, now, is_test=True),
        kept_lock(now),
        evidence_lock(now),
    ):
        assert require_lock_date(date, now=now) == date


@pytest.mark.parametrize("date", [NOW, NOW - timedelta(seconds=1), NOW + timedelta(days=408), NOW.replace(tzinfo=None)])
def test_a_lock_that_could_not_be_undone_is_refused(date: datetime) -> None:
    with pytest.raises(StoreRefused):
        require_lock_date(date, now=NOW)
