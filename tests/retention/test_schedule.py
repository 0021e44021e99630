# SPDX-License-Identifier: EUPL-1.2
"""How long a record is kept: facts in, a date with reasons out."""

import csv
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from retention.errors import RulebookRefused
from retention.rulebook import shipped
from retention.schedule import (
    Anchor,
    Combine,
    Endless,
    Forever,
    KeepUntil,
    Period,
    Term,
    Unknown,
    Until,
    civil_date,
    eligible_at,
    is_over,
    keep_until,
    last_of,
    parse_duration,
)

PARIS, CAYENNE = ZoneInfo("Europe/Paris"), ZoneInfo("America/Cayenne")
SIGNED, NOTIFIED = date(2025, 3, 3), date(2025, 3, 10)
EXAMPLES = Path(__file__).parents[3] / "shared" / "data" / "archive" / "retention" / "examples.csv"


def kept(code: str, attributes: frozenset[str] = frozenset(), /, **facts: date) -> KeepUntil:
    return keep_until(shipped().terms(code, attributes), facts)


def day(found: KeepUntil) -> date:
    assert isinstance(found, Until)
    return found.day


@pytest.mark.proves("RET-03")
def test_a_rejected_bid_is_kept_five_years_from_the_notification() -> None:
    assert day(kept("FR-MP-07", signed=SIGNED, notified=NOTIFIED)) == date(2030, 3, 10)


@pytest.mark.proves("RET-03")
def test_a_contract_signed_after_it_was_notified_counts_from_its_signature() -> None:
    assert day(kept("FR-MP-07", signed=date(2025, 3, 20), notified=NOTIFIED)) == date(2030, 3, 20)


@pytest.mark.proves("RET-10")
@pytest.mark.parametrize(
    ("start", "years", "end"),
    [
        (date(2028, 2, 29), "P5Y", date(2033, 2, 28)),
        (date(2028, 2, 29), "P4Y", date(2032, 2, 29)),
        (date(2025, 12, 31), "P2M", date(2026, 2, 28)),
        (date(2026, 1, 31), "P1M1D", date(2026, 3, 1)),
        (date(2026, 1, 31), "P30D", date(2026, 3, 2)),
    ],
)
def test_months_are_added_before_days_and_clamped_to_the_months_last_day(start: date, years: str, end: date) -> None:
    duration = parse_duration(years)

    assert isinstance(duration, Period)
    assert duration.after(start) == end


@pytest.mark.proves("RET-02")
@pytest.mark.parametrize(("known", "missing"), [("signed", "notified"), ("notified", "signed")])
def test_an_unknown_fact_is_never_due_and_says_what_is_missing(known: str, missing: str) -> None:
    found = keep_until(shipped().terms("FR-MP-07"), {known: NOTIFIED})

    assert isinstance(found, Unknown)
    assert found.missing == (missing,)
    assert found.lower_bound == date(2030, 3, 10)
    assert not is_over(found, datetime(2199, 1, 1, tzinfo=UTC), zone=PARIS)


@pytest.mark.proves("RET-12")
def test_only_a_recorded_outcome_voids_a_floor_that_can_never_start() -> None:
    found = kept("FR-MP-07", no_award=date(2026, 5, 5))

    assert day(found) == date(2031, 5, 5)
    assert [one.is_void for one in found.reasons] == [True, False]


def test_works_are_kept_from_the_last_of_balance_acceptance_and_reserves() -> None:
    known = {"exec_end": date(2029, 1, 1), "works_accepted": date(2028, 1, 1)}
    waiting = kept("FR-MP-21", **known)
    assert isinstance(waiting, Unknown)
    assert waiting.missing == ("reserves_lifted",)

    found = kept("FR-MP-21", **known, reserves_lifted=date(2029, 7, 1))

    assert day(found) == date(2039, 7, 1)
    assert isinstance(found, Until)
    assert found.governing is not None
    assert found.governing.event == "reserves_lifted"


@pytest.mark.proves("RET-03")
def test_european_money_counts_from_the_end_of_the_year_of_the_last_payment() -> None:
    facts = {"signed": SIGNED, "notified": NOTIFIED}
    attributes = frozenset({"esif"})

    assert isinstance(kept("FR-MP-07", attributes, **facts), Unknown)
    assert day(kept("FR-MP-07", attributes, **facts, eu_last_payment=date(2027, 2, 2))) == date(2032, 12, 31)


def test_an_overlay_lengthens_and_never_shortens() -> None:
    facts = {"signed": SIGNED, "notified": NOTIFIED, "exec_end": date(2026, 1, 1), "aid_granted": date(2010, 1, 1)}

    assert kept("FR-MP-07", frozenset({"high_value", "state_aid"}), **facts) != kept("FR-MP-07", **facts)
    assert day(kept("FR-MP-07", frozenset({"high_value", "state_aid"}), **facts)) == date(2030, 3, 10)


def test_call_offs_of_works_have_the_longer_floor() -> None:
    assert len(shipped().terms("FR-MP-41")) + 1 == len(shipped().terms("FR-MP-41", frozenset({"works"})))


def test_an_undetermined_duration_is_unknown_and_an_unlimited_one_for_ever() -> None:
    undetermined = kept("FR-MP-23", exec_end=NOTIFIED)
    assert isinstance(undetermined, Unknown)
    assert undetermined.lower_bound == date(2035, 3, 10)

    assert isinstance(kept("VT-10"), Forever)


@pytest.mark.proves("RET-05")
def test_a_chosen_fallback_replaces_what_is_unknown_and_is_named() -> None:
    fallback = Term("fallback", Period(180, 0), ("notified",))
    facts = {"signed": SIGNED, "notified": NOTIFIED}
    found = keep_until(shipped().terms("FR-MP-10"), facts, fallback=fallback)

    assert day(found) == date(2040, 3, 10)
    assert [one.term.source for one in found.reasons] == ["FR-MP-10", "fallback"]
    assert isinstance(keep_until(shipped().terms("FR-MP-10"), {"signed": SIGNED}, fallback=fallback), Unknown)


@pytest.mark.proves("RET-07")
def test_what_was_promised_once_is_never_shortened() -> None:
    promised = date(2040, 1, 1)
    facts = {"signed": SIGNED, "notified": NOTIFIED}
    found = keep_until(shipped().terms("FR-MP-07"), facts, high_water=promised)

    assert day(found) == promised
    assert isinstance(found, Until)
    assert found.governing is None
    waiting = keep_until(shipped().terms("FR-MP-07"), {}, high_water=promised)
    assert isinstance(waiting, Unknown)
    assert waiting.lower_bound == promised


@pytest.mark.proves("RET-06")
def test_common_pieces_of_several_lots_follow_the_last_of_them() -> None:
    lots = [kept("FR-MP-07", signed=SIGNED, notified=date(2025, month, 1)) for month in (4, 6, 9)]

    assert day(last_of(lots)) == date(2030, 9, 1)
    one_open = last_of([*lots, kept("FR-MP-07", signed=SIGNED)])
    assert isinstance(one_open, Unknown)
    assert (one_open.missing, one_open.lower_bound) == (("notified",), date(2030, 9, 1))
    assert isinstance(last_of([*lots, kept("VT-10")]), Forever)
    promised = keep_until(shipped().terms("FR-MP-07"), {"signed": SIGNED, "notified": NOTIFIED}, high_water=NOTIFIED)
    assert last_of([promised, *lots]).reasons == (*promised.reasons, *(r for lot in lots for r in lot.reasons))


def test_without_a_term_or_a_lot_there_is_no_answer() -> None:
    with pytest.raises(ValueError, match="no rule"):
        keep_until((), {})
    with pytest.raises(ValueError, match="last of"):
        last_of([])


@pytest.mark.proves("RET-10")
def test_an_instant_has_its_day_in_the_buyers_zone() -> None:
    late = datetime(2026, 6, 30, 22, 15, tzinfo=UTC)

    assert (civil_date(late, PARIS), civil_date(late, CAYENNE)) == (date(2026, 7, 1), date(2026, 6, 30))


@pytest.mark.proves("RET-10")
def test_the_last_day_is_kept_to_its_end_in_the_buyers_zone() -> None:
    summer, winter = date(2031, 4, 20), date(2031, 12, 31)

    assert eligible_at(summer, PARIS) == datetime(2031, 4, 20, 22, tzinfo=UTC)
    assert eligible_at(winter, PARIS) == datetime(2031, 12, 31, 23, tzinfo=UTC)
    found = Until(summer, ())
    assert not is_over(found, datetime(2031, 4, 20, 21, 59, tzinfo=UTC), zone=PARIS)
    assert is_over(found, datetime(2031, 4, 20, 22, tzinfo=UTC), zone=PARIS)


@pytest.mark.parametrize("text", ["", "P", "5Y", "P5", "P-5Y", "P5Y ", "P1W", "PT5H", "P5D3Y", "P1000Y", "for ever"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RulebookRefused, match="no duration"):
        parse_duration(text)


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the worked examples lie beside the project, not in it")
def test_the_worked_examples_come_out() -> None:
    with EXAMPLES.open(encoding="utf-8") as lines:
        for example in csv.DictReader(lines):
            assert _answer(example) == example["keep_until"], example["name"]


def _answer(example: Mapping[str, str]) -> str:
    """The answer to one example; overlays and fallbacks are written as `P5Y from event`."""
    facts = {
        name: date.fromisoformat(value)
        for name, _, value in (one.partition("=") for one in example["facts"].split(";"))
    }
    code, *own = example["rule"].split(" ", 1)
    terms = [*shipped().terms(code), *([_own(own[0], code)] if own else []), *_terms(example["overlays"])]
    fallback = _terms(example["fallback"])
    found = keep_until(terms, facts, fallback=fallback[0] if fallback else None)
    return found.day.isoformat() if isinstance(found, Until) else "unknown"


def _own(said: str, code: str) -> Term:
    """`(keep P7Y by the buyer)`: a longer keep of the buyer's own."""
    duration = parse_duration(said.split(" ")[1])
    keep = shipped().rule(code).keep
    assert keep is not None
    return Term(code, duration, keep.events, keep.combine)


def _terms(said: str) -> list[Term]:
    if not said:
        return []
    duration, event = said.split(" from ")
    return [Term("overlay", parse_duration(duration), (event,), Combine.FIRST, Anchor.EXACT)]


def test_endless_durations_are_read() -> None:
    assert {parse_duration(word.value) for word in Endless} == set(Endless)
