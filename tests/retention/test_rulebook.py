# SPDX-License-Identifier: EUPL-1.2
"""Rulebooks: every rule rests on an article, a file is one version, a buyer's own book only lengthens."""

from hashlib import sha256

import pytest

from retention.errors import RulebookRefused
from retention.rulebook import Basis, Final, Rulebook, extend, load, shipped
from retention.schedule import Endless, Period, parse_duration

AGREED = """
extends = "fr-commande-publique@2026-04"
buyer = "213502388"
version = "2026-11"
[agreement]
reference = "AD35-2026-118"
agreed_on = 2026-11-02
by = "Archives départementales d'Ille-et-Vilaine"
"""
SHIPPED_DIGEST = "a5e30428dc64e658a42422d23484ee4590f1fee819428e2f71559fe0fcffef43"
FIVE = '"P5Y", from = ["notified", "no_award"]'
SMALL = """
id = "small-book"
version = "2026-01"
jurisdiction = "FR"
zone = "Europe/Paris"
law_read_on = 2026-01-01
valid_from = 2026-01-01
status = "draft"
[events.signed]
fr = "signature"
en = "signature"
[[rules]]
code = "XX-01"
fr = "Pièce"
en = "Piece"
keep = { duration = "P5Y", from = ["signed"] }
final = "destroy"
access_years = 25
basis = "law"
cites = [{ text = "Code", article = "1" }]
"""


def own(code: str, keep: str, *, final: str = "") -> Rulebook:
    """A buyer's own book with one rule."""
    row = f'[[rules]]\ncode = "{code}"\nkeep = {{ duration = {keep} }}\n'
    return extend(shipped(), (AGREED + row + (f'final = "{final}"\n' if final else "")).encode())


def test_every_rule_of_the_shipped_book_rests_on_an_article_and_speaks_both_languages() -> None:
    book = shipped()

    assert len(book.rules) == 36
    for rule in book.rules.values():
        assert all(cite.text and cite.article for cite in rule.cites)
        assert rule.title.fr != rule.title.en
        assert rule.terms() or rule.subject


@pytest.mark.proves("RET-07")
def test_a_shipped_book_is_never_edited() -> None:
    assert shipped().digest == SHIPPED_DIGEST


def test_every_floor_that_starts_with_a_signature_is_void_without_an_award() -> None:
    floors = [one.term for rule in shipped().rules.values() for one in rule.floors]

    assert {term.void_if for term in floors if "signed" in term.events} == {frozenset({"no_award"})}


def test_a_class_that_follows_another_has_its_terms_and_one_that_follows_its_subject_has_none() -> None:
    book = shipped()

    assert book.terms("VT-06") == book.terms("FR-MP-04")
    assert (book.terms("VT-04"), book.rule("VT-04").subject) == ((), "the object that it proves")


def test_a_rule_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(RulebookRefused, match="no rule XX-99"):
        shipped().rule("XX-99")


def test_a_small_book_is_read() -> None:
    book = load(SMALL.encode())

    assert (book.name, book.digest) == ("small-book@2026-01", sha256(SMALL.encode()).hexdigest())
    assert (book.rule("XX-01").basis, book.rule("XX-01").final) == (Basis.LAW, Final.DESTROY)
    assert not book.is_adopted


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('cites = [{ text = "Code", article = "1" }]', "cites = []", "XX-01.cites"),
        ('cites = [{ text = "Code", article = "1" }]', 'cites = [{ text = "Code", article = "" }]', "XX-01.cites"),
        ('basis = "law"', "", "XX-01.basis"),
        ('final = "destroy"', 'final = "burn"', "XX-01.final"),
        ('"P5Y"', '"five years"', "no duration"),
        ('from = ["signed"]', 'from = ["paid"]', "XX-01 names an event that the book does not have: paid"),
        ('from = ["signed"]', 'from = ["signed"], void_if = ["lost"]', "XX-01 names an event .*: lost"),
        (', from = ["signed"]', "", "XX-01 needs an event"),
        ('"P5Y", from', '"unlimited", from', "XX-01 needs an event to start from, unless"),
        ("keep = {", 'follows = "XX-00"\nkept = {', "kept"),
        ('keep = { duration = "P5Y", from = ["signed"] }', 'follows = "XX-00"', "XX-01 follows XX-00"),
        ('keep = { duration = "P5Y", from = ["signed"] }', "", "XX-01 needs one of"),
        ('final = "destroy"', 'follows_subject = "it"\nfinal = "destroy"', "XX-01 needs one of"),
        ('version = "2026-01"', 'version = "new"', "version"),
        ('id = "small-book"', "id = ", "not TOML"),
        ("[[rules]]", "[[rules]]\ncolour = 1\n", "XX-01.colour"),
    ],
)
def test_a_book_that_is_not_whole_is_refused_with_its_rule(old: str, new: str, said: str) -> None:
    with pytest.raises(RulebookRefused, match=said):
        load(SMALL.replace(old, new, 1).encode())


def test_a_code_that_stands_twice_is_refused() -> None:
    row = SMALL[SMALL.index("[[rules]]") :]
    with pytest.raises(RulebookRefused, match="XX-01 stands twice"):
        load((SMALL + row).encode())


@pytest.mark.parametrize("data", [b"\xff\xfe", b"rules = 1", b"x = 1\n" * 300_000])
def test_what_is_no_rulebook_is_refused(data: bytes) -> None:
    with pytest.raises(RulebookRefused):
        load(data)


@pytest.mark.proves("RET-01")
def test_a_buyers_own_book_may_lengthen_and_names_its_agreement() -> None:
    book = own("FR-MP-07", '"P7Y", from = ["notified", "no_award"]')

    keep = book.rule("FR-MP-07").keep
    assert keep is not None
    assert keep.duration == parse_duration("P7Y")
    assert book.agreement is not None
    assert book.agreement.reference == "AD35-2026-118"
    assert book.rule("FR-MP-07").floors == shipped().rule("FR-MP-07").floors
    assert book.digest not in (shipped().digest, "")


SHORTER = {
    "fewer years": ("FR-MP-07", '"P3Y", from = ["notified", "no_award"]'),
    "days for years": ("FR-MP-07", '"P1826D", from = ["notified", "no_award"]'),
    "an event dropped": ("FR-MP-07", '"P9Y", from = ["notified"]'),
    "another event first": ("FR-MP-07", '"P9Y", from = ["no_award", "notified"]'),
    "the last become the first": ("FR-MP-21", '"P10Y", from = ["exec_end", "works_accepted", "reserves_lifted"]'),
    "an outcome that voids": ("FR-MP-07", '"P9Y", from = ["notified", "no_award"], void_if = ["no_award"]'),
    "a number for an undetermined time": ("FR-MP-23", '"P99Y", from = ["exec_end"]'),
    "undetermined for unlimited": ("VT-10", '"undetermined", from = ["deadline"]'),
}


@pytest.mark.proves("RET-01")
@pytest.mark.parametrize(("code", "keep"), SHORTER.values(), ids=SHORTER)
def test_a_buyers_own_book_that_could_shorten_is_refused_with_its_rule(code: str, keep: str) -> None:
    with pytest.raises(RulebookRefused, match=f"{code} .* shorter"):
        own(code, keep)


LONGER = {
    "the first become the last": ("FR-MP-07", '"P5Y", from = ["notified", "no_award"], combine = "max"'),
    "to the end of the year": ("FR-MP-07", '"P5Y", from = ["notified", "no_award"], anchor = "year_end"'),
    "undetermined as before": ("FR-MP-23", '"undetermined", from = ["exec_end"]'),
}


@pytest.mark.parametrize(("code", "keep"), LONGER.values(), ids=LONGER)
def test_a_buyers_own_book_may_say_the_same_or_more(code: str, keep: str) -> None:
    assert own(code, keep).rule(code).keep is not None


def test_a_buyer_may_have_reviewed_what_the_book_destroys() -> None:
    assert own("FR-MP-07", FIVE, final="review").rule("FR-MP-07").final is Final.REVIEW


def test_a_buyer_cannot_turn_review_into_destruction() -> None:
    with pytest.raises(RulebookRefused, match="may not become destroy"):
        own("FR-MP-10", '"P10Y", from = ["exec_end"]', final="destroy")


def test_a_class_that_follows_its_subject_has_nothing_to_lengthen() -> None:
    with pytest.raises(RulebookRefused, match="VT-04 follows"):
        own("VT-04", '"P10Y", from = ["exec_end"]')


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("@2026-04", "@2025-01", "it extends fr-commande-publique@2025-01"),
        ('reference = "AD35-2026-118"', 'reference = ""', "agreement.reference"),
        ("agreed_on = 2026-11-02", "", "agreement.agreed_on"),
        ('buyer = "213502388"', 'buyer = "21350238800019"', "buyer"),
    ],
)
def test_a_buyers_own_book_without_its_agreement_is_refused(old: str, new: str, said: str) -> None:
    row = '[[rules]]\ncode = "FR-MP-07"\nkeep = { duration = "P7Y", from = ["notified", "no_award"] }'
    with pytest.raises(RulebookRefused, match=said):
        extend(shipped(), (AGREED + row).replace(old, new).encode())


def test_a_period_covers_another_only_in_months_and_in_days() -> None:
    assert Period(12, 0).covers(Period(11, 0))
    assert not Period(12, 0).covers(Period(0, 30))
    assert Endless.UNLIMITED.value == "unlimited"
