# SPDX-License-Identifier: EUPL-1.2
"""Which refusals become entries: all of the first ones, then fewer and fewer, and none is lost from the count."""

from datetime import UTC, datetime, timedelta

import pytest

from vault.tally import CALLERS, FULL, Tally

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def entries(tally: Tally, who: str, knocks: int, *, at: datetime = NOON) -> list[int]:
    """What so many refusals of one caller leave."""
    counted = [tally.count(who, at=at) for _ in range(knocks)]
    return [number for number in counted if number is not None]


@pytest.mark.proves("LOG-02", "T54")
def test_ten_thousand_refusals_of_one_caller_are_seventy_one_entries() -> None:
    assert entries(Tally(), "x", 10_000) == [0] * FULL + [128, 256, 512, 1024, 2048, 4096, 8192]


def test_with_the_hour_the_count_begins_anew() -> None:
    tally = Tally()
    entries(tally, "x", FULL + 1)

    assert entries(tally, "x", 1) == []
    assert entries(tally, "x", 1, at=NOON + timedelta(hours=1)) == [0]


def test_one_caller_s_knocking_hides_no_other_s() -> None:
    tally = Tally()
    entries(tally, "x", 1000)

    assert entries(tally, "y", 1) == [0]


def test_an_entry_that_could_not_be_written_is_told_by_the_next() -> None:
    tally = Tally()
    entries(tally, "x", 100)
    tally.owe("x", at=NOON)

    assert entries(tally, "x", 2) == [101]


def test_what_was_put_off_is_counted_and_told_by_the_next() -> None:
    tally = Tally()
    for _ in range(3):
        tally.put_off("x", at=NOON)

    assert entries(tally, "x", 2) == [4, 0]


def test_memory_is_bounded_whoever_calls() -> None:
    tally = Tally()
    for number in range(3 * CALLERS):
        tally.count(f"caller {number}", at=NOON)

    assert len(tally._counts) <= CALLERS + 1
    assert entries(tally, "one more", 1) == []
