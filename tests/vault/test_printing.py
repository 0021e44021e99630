# SPDX-License-Identifier: EUPL-1.2
"""Prints of closings and minutes: made once, in both languages, stored, and carrying what they print."""

import pytest

from crypto.pades import read_attachments
from crypto.statement import Kind, parse_note
from tests.api.depositing import seal
from tests.world.world import ACME, World
from vault import printing
from vault.errors import AuthorityUnavailable, NotFound
from vault.opening import showing
from vault.prints import Language, PrintSeal


@pytest.fixture
def opened(world: World) -> bytes:
    """An opened box; its opening's id."""
    world.publish(world.draft(k=1, n=2))
    world.deposit(ACME)
    world.after_settle()
    world.close_box(1)
    return world.open_boxes(1, by=1)


def _seal(world: World) -> PrintSeal:
    return PrintSeal(seal(), world.works.authorities)


@pytest.mark.proves("OPEN-10")
def test_minutes_are_printed_in_french_and_english_with_the_statement_inside(world: World, opened: bytes) -> None:
    printing.print_due(world.works, _seal(world))

    minutes = parse_note(showing.minutes(world.works, opened), Kind.MINUTES)
    for language in Language:
        pdf = printing.stored(world.works, printing.minutes_id(world.works, opened), language)
        assert read_attachments(pdf)["statement.note"] == minutes.note


def test_what_is_printed_is_not_printed_again(world: World, opened: bytes) -> None:
    assert opened
    assert printing.print_due(world.works, _seal(world)) == 2  # the closing and the minutes

    assert printing.print_due(world.works, _seal(world)) == 0


@pytest.mark.usefixtures("opened")
def test_a_silent_authority_delays_a_print_and_nothing_else(world: World) -> None:
    world.time.line.is_cut = True
    with pytest.raises(AuthorityUnavailable):
        printing.print_due(world.works, _seal(world))
    world.time.line.is_cut = False

    assert printing.print_due(world.works, _seal(world)) == 2


def test_a_print_that_is_not_made_yet_is_not_found(world: World, opened: bytes) -> None:
    with pytest.raises(NotFound):
        printing.stored(world.works, printing.minutes_id(world.works, opened), Language.FRENCH)
