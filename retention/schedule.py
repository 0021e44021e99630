# SPDX-License-Identifier: EUPL-1.2
"""How long a record is kept: dated, cited terms and dated facts in, a date with its reasons out. Pure.

Rules
  1. A term's event that is not known makes the whole unknown: what is unknown is never due. Only a recorded outcome
     voids a term.
  2. The longest of all terms counts; what was once promised is never shortened (high water).
  3. Years and months are added first and clamped to the month's last day, then days (CPC art. 641); the last day is
     kept to its end.
  4. Dates are civil dates in the buyer's zone; an instant is converted once, where its fact is recorded.

Left to others: which terms a record has (retention.rulebook), which facts are known of it, holds.

Source: preservation of French procurement records: R2184-12 and R2184-13 CCP; PAT L212-2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from retention.errors import RulebookRefused

_PERIOD = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,3})M)?(?:(\d{1,4})D)?")
MONTHS_OF_YEAR = 12


class Combine(StrEnum):
    """Which of a term's events starts it."""

    FIRST = "first"  # the first of the list that is known
    MAX = "max"  # the latest of all, and all must be known


class Anchor(StrEnum):
    """From which day of the event's year a term runs."""

    EXACT = "exact"
    YEAR_END = "year_end"


class Endless(StrEnum):
    """Durations that are no number."""

    UNDETERMINED = "undetermined"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, order=True)
class Period:
    """A duration of whole months and days."""

    months: int
    days: int

    def after(self, start: date) -> date:
        """The last day of the period that starts with an event on `start` (rule 3)."""
        return start + relativedelta(months=self.months) + timedelta(days=self.days)

    def covers(self, other: "Period") -> bool:
        """Whether this is at least as long as the other, whatever the calendar."""
        return self.months >= other.months and self.days >= other.days


Duration = Period | Endless


def parse_duration(text: str) -> Duration:
    """Read `P5Y`, `P30D`, `undetermined` or `unlimited`; RulebookRefused."""
    if text in list(Endless):
        return Endless(text)
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise RulebookRefused(f"{text!r} is no duration: P5Y, P6M, P30D, undetermined, unlimited")
    years, months, days = (int(part or 0) for part in found.groups())
    return Period(years * MONTHS_OF_YEAR + months, days)


@dataclass(frozen=True)
class Term:
    """One condition: so long from such an event.

    Attributes:
        source: the code of the rule, overlay or fallback that it comes from.
        duration: how long.
        events: names of events that start it; none where it is unlimited.
        combine: which of them starts it.
        anchor: whether it runs from the event's day or from the end of that year.
        void_if: outcomes with which it can never start.
    """

    source: str
    duration: Duration
    events: tuple[str, ...] = ()
    combine: Combine = Combine.FIRST
    anchor: Anchor = Anchor.EXACT
    void_if: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reason:
    """One term, and what the facts made of it.

    Attributes:
        term: the term.
        event: the event that started it, or None where none has.
        start: that event's day, as anchored.
        end: the last day that it asks for.
        missing: the events that must be known before it ends.
        is_void: whether the outcome voided it.
    """

    term: Term
    event: str | None = None
    start: date | None = None
    end: date | None = None
    missing: tuple[str, ...] = ()
    is_void: bool = False


@dataclass(frozen=True)
class Until:
    """Kept to the end of a day, and no longer by these terms."""

    day: date
    reasons: tuple[Reason, ...] = field(repr=False)
    high_water: date | None = None

    @property
    def governing(self) -> Reason | None:
        """The term that gives the day; None where an earlier promise does."""
        ends = [one for one in self.reasons if one.end == self.day]
        return ends[0] if ends else None


@dataclass(frozen=True)
class Unknown:
    """Not to be told yet, so never due.

    Attributes:
        missing: events that must become known.
        lower_bound: the last day of the known terms and of what was promised, or None.
    """

    missing: tuple[str, ...]
    lower_bound: date | None
    reasons: tuple[Reason, ...] = field(repr=False)


@dataclass(frozen=True)
class Forever:
    """Kept for ever."""

    reasons: tuple[Reason, ...] = field(repr=False)


KeepUntil = Until | Unknown | Forever


def keep_until(
    terms: Sequence[Term],
    facts: Mapping[str, date],
    *,
    fallback: Term | None = None,
    high_water: date | None = None,
) -> KeepUntil:
    """How long a record is kept by its terms.

    Args:
        terms: floors, keep and overlays that apply to the record.
        facts: the day of each event that is known, in the buyer's zone. An outcome such as `no_award` is an event.
        fallback: takes the place of each term whose event is unknown, where the buyer chose so.
        high_water: the latest day that was ever promised for this record.

    Raises:
        ValueError: no term; a record without one has no rule.
    """
    if not terms:
        raise ValueError("a record without a term has no rule")
    reasons = tuple(_with_fallback(reason(term, facts), fallback, facts) for term in terms)
    live = [one for one in reasons if not one.is_void]
    ends = [one.end for one in live if one.end is not None]
    known = max([*ends, *([high_water] if high_water else [])], default=None)
    missing = tuple(dict.fromkeys(name for one in live for name in one.missing))
    if any(one.term.duration is Endless.UNLIMITED for one in live):
        return Forever(reasons)
    if known is None or len(ends) < len(live):
        return Unknown(missing, known, reasons)
    return Until(known, reasons, high_water)


def last_of(several: Iterable[KeepUntil]) -> KeepUntil:
    """What holds for a record of several lots: the last of them; one that is unknown makes it unknown.

    Raises:
        ValueError: there is none.
    """
    kept = list(several)
    reasons = tuple(reason for one in kept for reason in one.reasons)
    if any(isinstance(one, Forever) for one in kept):
        return Forever(reasons)
    days = [one.day if isinstance(one, Until) else one.lower_bound for one in kept if not isinstance(one, Forever)]
    known = max((day for day in days if day is not None), default=None)
    missing = tuple(dict.fromkeys(name for one in kept if isinstance(one, Unknown) for name in one.missing))
    if any(isinstance(one, Unknown) for one in kept):
        return Unknown(missing, known, reasons)
    if known is None:
        raise ValueError("nothing to take the last of")
    return Until(
        known, reasons, max((one.high_water for one in kept if isinstance(one, Until) and one.high_water), default=None)
    )


def is_over(kept: KeepUntil, now: datetime, *, zone: ZoneInfo) -> bool:
    """Whether a record's last day has ended in the buyer's zone. Holds and transfers are not looked at."""
    return isinstance(kept, Until) and now.astimezone(zone).date() > kept.day


def eligible_at(day: date, zone: ZoneInfo) -> datetime:
    """The instant, UTC, at which the day after a last day begins in the buyer's zone; locks use it."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def civil_date(moment: datetime, zone: ZoneInfo) -> date:
    """The day of an instant in the buyer's zone: done once, when its fact is recorded (rule 4)."""
    return moment.astimezone(zone).date()


def reason(term: Term, facts: Mapping[str, date]) -> Reason:
    """What the facts make of one term."""
    if term.void_if & facts.keys():
        return Reason(term, is_void=True)
    if term.duration is Endless.UNLIMITED:
        return Reason(term)
    event, missing = _started_by(term, facts)
    if event is None:
        return Reason(term, missing=missing)
    start = _anchored(facts[event], term.anchor)
    if not isinstance(term.duration, Period):
        return Reason(term, event, start)
    return Reason(term, event, start, term.duration.after(start))


def _started_by(term: Term, facts: Mapping[str, date]) -> tuple[str | None, tuple[str, ...]]:
    """The event that starts a term, or those that are missing."""
    known = [name for name in term.events if name in facts]
    if term.combine is Combine.MAX:
        missing = tuple(name for name in term.events if name not in facts)
        return (None, missing) if missing else (max(known, key=facts.__getitem__), ())
    return (known[0], ()) if known else (None, term.events[:1])


def _anchored(day: date, anchor: Anchor) -> date:
    return day.replace(month=12, day=31) if anchor is Anchor.YEAR_END else day


def _with_fallback(found: Reason, fallback: Term | None, facts: Mapping[str, date]) -> Reason:
    """The fallback's reason in place of one whose event is unknown, if the fallback itself is known."""
    if fallback is None or not found.missing:
        return found
    instead = reason(fallback, facts)
    return instead if instead.end is not None else found
