# SPDX-License-Identifier: EUPL-1.2
"""Laws of keeping: nothing that is added, learned or adopted ends a record's time early, but a person's correction."""

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retention.errors import RulebookRefused
from retention.rulebook import _require_longer, shipped
from retention.schedule import (
    Anchor,
    Combine,
    Duration,
    Endless,
    KeepUntil,
    Period,
    Term,
    Until,
    keep_until,
)

EVENTS = sorted(shipped().events)
ATTRIBUTES = ("esif", "state_aid", "high_value", "works")
OWN = sorted(code for code, rule in shipped().rules.items() if rule.keep is not None)
days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
facts = st.dictionaries(st.sampled_from(EVENTS), days)
codes = st.sampled_from(OWN)
periods = st.builds(Period, st.integers(0, 600), st.integers(0, 4000))
durations: st.SearchStrategy[Duration] = periods | st.sampled_from(Endless)
terms = st.builds(
    Term,
    st.just("own"),
    durations,
    st.lists(st.sampled_from(EVENTS), min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from(Combine),
    st.sampled_from(Anchor),
    st.sets(st.sampled_from(["no_award"])).map(frozenset),
)


def lasts_at_least(found: KeepUntil, least: KeepUntil) -> bool:
    """Whether one answer never lets a record go before another does."""
    return not isinstance(found, Until) or (isinstance(least, Until) and found.day >= least.day)


@pytest.mark.proves("RET-03")
@given(codes, facts, st.sets(st.sampled_from(ATTRIBUTES)))
def test_what_is_added_to_a_rule_never_shortens_it(code: str, known: dict[str, date], attributes: set[str]) -> None:
    bare = keep_until(shipped().terms(code), known)

    assert lasts_at_least(keep_until(shipped().terms(code, frozenset(attributes)), known), bare)


@given(codes, facts)
def test_no_answer_is_before_a_floor_that_counts(code: str, known: dict[str, date]) -> None:
    found = keep_until(shipped().terms(code), known)

    if isinstance(found, Until):
        assert all(one.is_void or (one.end is not None and found.day >= one.end) for one in found.reasons)


@pytest.mark.proves("RET-02")
@given(codes, facts, st.data())
def test_forgetting_a_fact_never_ends_a_records_time(code: str, known: dict[str, date], data: st.DataObject) -> None:
    assume(known)
    gone = data.draw(st.sampled_from(sorted(known)))
    before = keep_until(shipped().terms(code), known)
    after = keep_until(shipped().terms(code), {name: day for name, day in known.items() if name != gone})

    assert not isinstance(after, Until) or isinstance(before, Until)


@pytest.mark.proves("RET-07")
@given(codes, facts, facts)
def test_with_the_high_water_mark_nothing_learned_makes_it_earlier(
    code: str, known: dict[str, date], learned: dict[str, date]
) -> None:
    before = keep_until(shipped().terms(code), known)
    promised = before.day if isinstance(before, Until) else None
    after = keep_until(shipped().terms(code), known | learned, high_water=promised)

    assert not isinstance(before, Until) or lasts_at_least(after, before)


@pytest.mark.proves("RET-01")
@given(codes, terms, facts)
def test_a_buyers_term_that_is_accepted_lasts_at_least_as_long_whatever_the_facts(
    code: str, own: Term, known: dict[str, date]
) -> None:
    rule = shipped().rule(code)
    keep = rule.keep
    assert keep is not None
    candidates = [own, Term(code, own.duration, keep.events, own.combine, own.anchor, own.void_if)]
    for one in candidates:
        try:
            _require_longer(rule, one, rule.final)
        except RulebookRefused:
            continue
        assert lasts_at_least(keep_until([one], known), keep_until([keep], known))


@given(days, periods, periods)
def test_two_periods_one_after_the_other_are_never_later_than_both_at_once(
    start: date, one: Period, other: Period
) -> None:
    years, more = Period(one.months // 12 * 12, 0), Period(other.months // 12 * 12, 0)

    assert more.after(years.after(start)) <= Period(years.months + more.months, 0).after(start)


@given(days, days, periods)
def test_a_later_start_never_ends_earlier(first: date, second: date, period: Period) -> None:
    assume(first <= second)

    assert period.after(first) <= period.after(second)
