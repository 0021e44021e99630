# SPDX-License-Identifier: EUPL-1.2
"""A rulebook as the CSV of management rules that Vitam imports: one AppraisalRule for each term.

Rules
  1. An identifier is the rule's code with -F1, -F2 … for its floors, -K for what the book keeps; overlays have theirs.
  2. A duration that nobody can count is `unlimited` there: it is never shorter than ours.

Source: Vitam, referential of management rules: RuleId, RuleType, RuleValue, RuleDescription, RuleDuration,
RuleMeasurement.
"""

import csv
from collections.abc import Iterator
from io import StringIO

from retention.rulebook import Rulebook
from retention.schedule import MONTHS_OF_YEAR, Endless, Period, Term

HEADER = ("RuleId", "RuleType", "RuleValue", "RuleDescription", "RuleDuration", "RuleMeasurement")
TYPE = "AppraisalRule"


def write(book: Rulebook) -> str:
    """The whole CSV, in the book's order; the same book gives the same text."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_rows(book))
    return text.getvalue()


def _rows(book: Rulebook) -> Iterator[tuple[str, str, str, str, str, str]]:
    for rule in book.rules.values():
        articles = "; ".join(f"{one.text}, {one.article}" for one in rule.cites)
        named = [(f"{rule.code}-F{number}", one.term) for number, one in enumerate(rule.floors, start=1)]
        if rule.keep is not None:
            named.append((f"{rule.code}-K", rule.keep))
        for identifier, term in named:
            yield identifier, TYPE, rule.title.fr, articles, *_duration(term)
    for extra in book.overlays:
        articles = "; ".join(f"{one.text}, {one.article}" for one in extra.cites)
        yield extra.code, TYPE, extra.title.fr, articles, *_duration(extra.term)


def _duration(term: Term) -> tuple[str, str]:
    match term.duration:
        case Period(months, 0) if months and months % MONTHS_OF_YEAR == 0:
            return str(months // MONTHS_OF_YEAR), "YEAR"
        case Period(months, 0) if months:
            return str(months), "MONTH"
        case Period(0, days):
            return str(days), "DAY"
        case _:
            return Endless.UNLIMITED.value, ""
