# SPDX-License-Identifier: EUPL-1.2
"""Why something is kept, as a sentence that a person reads; and the same rules as an archive imports them."""

import csv
from datetime import date
from io import StringIO

import pytest

from retention.formats import vitam_rules
from retention.rulebook import Final, shipped
from retention.schedule import Period, Term, keep_until
from retention.sentences import final_words, kept_words, term_words
from vault.prints.words import Language

FR, EN = Language.FRENCH, Language.ENGLISH
KNOWN = {"signed": date(2025, 3, 3), "notified": date(2025, 3, 10)}


def test_a_date_says_its_rule_its_term_and_its_event_in_both_languages() -> None:
    found = keep_until(shipped().terms("FR-MP-07"), KNOWN)

    assert kept_words(found, shipped(), EN) == (
        "To be kept until 2030-03-10 (FR-MP-07): 5 years from notification received by the contractor, else decision "
        "to award nothing."
    )
    assert kept_words(found, shipped(), FR).startswith(
        "À conserver jusqu'au 2030-03-10 (FR-MP-07): 5 ans à compter de "
    )


@pytest.mark.proves("RET-02")
def test_what_is_missing_is_named_with_the_day_that_is_sure() -> None:
    found = keep_until(shipped().terms("FR-MP-07"), {"signed": date(2025, 3, 3)})

    said = "End unknown; missing: notification received by the contractor; at least until 2030-03-03."
    assert kept_words(found, shipped(), EN) == said
    nothing = keep_until(shipped().terms("FR-MP-30"), {})
    assert kept_words(nothing, shipped(), FR) == (
        "Fin inconnue ; il manque: décision d'infructuosité ou de déclaration sans suite."
    )


def test_a_promise_that_outlasts_the_terms_is_said_to_be_one() -> None:
    found = keep_until(shipped().terms("FR-MP-07"), KNOWN, high_water=date(2040, 1, 1))

    assert kept_words(found, shipped(), EN) == "To be kept until 2040-01-01: what was announced before."


def test_for_ever_and_undetermined_are_said() -> None:
    assert kept_words(keep_until(shipped().terms("VT-10"), {}), shipped(), EN) == "To be kept for ever."
    works = keep_until(shipped().terms("FR-MP-23"), {"exec_end": date(2025, 1, 1)})
    assert kept_words(works, shipped(), EN) == "A person must set the end; at least until 2035-01-01."


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (Term("x", Period(12, 0), ("signed",)), "1 year from signature of the contract by the buyer"),
        (Term("x", Period(14, 3), ("logged",)), "1 year 2 months 3 days from date of the log entry"),
        (Term("x", Period(0, 0), ("exec_end",)), "to the end from end of performance: payment of the balance"),
    ],
)
def test_durations_are_counted_out(term: Term, said: str) -> None:
    assert term_words(term, shipped(), EN) == said


def test_every_rule_has_its_words_in_both_languages() -> None:
    for rule in shipped().rules.values():
        for language in Language:
            assert all(term_words(term, shipped(), language) for term in rule.terms())
    assert {final_words(final, FR) for final in Final} == {"détruire", "verser", "examiner"}


def test_an_archive_imports_one_rule_for_each_term() -> None:
    rows = list(csv.DictReader(StringIO(vitam_rules.write(shipped()))))
    terms = sum(len(rule.floors) + (rule.keep is not None) for rule in shipped().rules.values())

    assert len(rows) == terms + len(shipped().overlays)
    assert len({row["RuleId"] for row in rows}) == len(rows)
    found = {row["RuleId"]: (row["RuleType"], row["RuleDuration"], row["RuleMeasurement"]) for row in rows}
    assert found["FR-MP-21-F1"] == ("AppraisalRule", "10", "YEAR")
    assert found["VT-09-K"] == ("AppraisalRule", "30", "DAY")
    assert found["FR-MP-23-K"] == ("AppraisalRule", "unlimited", "")
