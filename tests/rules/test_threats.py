# SPDX-License-Identifier: EUPL-1.2
"""Every attack of the threat model has its row, and a test named for it that says what it proves."""

import pytest

from tests.rules.requirements_register import ROOT, collect
from tests.rules.threats_table import ATTACKS, NAME, PAGE, page, shown, threats

WAITING = {"T25", "T51", "T53"}  # T23 waits with one half, and has a test of the other


def test_each_attack_has_one_row_in_order_that_says_what_is_gained_and_what_stops_more() -> None:
    assert tuple(one.id for one in threats()) == ATTACKS
    assert {one.id for one in threats() if one.waits} == WAITING
    assert [one.id for one in threats() if not one.waits and not (one.gains and one.stops)] == []


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one not in WAITING])
def test_each_attack_is_tried_by_a_test_of_its_name(attack: str) -> None:
    assert shown().get(attack)


def test_a_test_named_for_an_attack_says_that_it_proves_it() -> None:
    said = {(proof.requirement, *_place(proof.test)) for proof in collect(ROOT / "tests")}
    named = {(attack, *_place(test)) for attack, tests in shown().items() for test in tests}
    assert named - said == set()


def test_the_table_of_attacks_is_written_from_what_is_said_and_tested() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make requirements`"


def test_a_name_in_another_form_is_no_attacks_test() -> None:
    assert NAME.match("test_attack_T4_all_that_is_stored")
    assert not NAME.match("test_attack_t_all")
    assert not NAME.match("test_a_attack_T4_x")


def _place(test: str) -> tuple[str, str]:
    """File and function, without the class between them."""
    path, *_, name = test.split("::")
    return path, name
