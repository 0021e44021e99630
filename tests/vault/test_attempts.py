# SPDX-License-Identifier: EUPL-1.2
"""Attempts: what began has its entry, in the open once its box is closed, however long the upload took."""

from collections.abc import Iterator

import pytest

from crypto.events import EventKind
from tests.checks import check_everything
from tests.vault.convening import events
from tests.vault.depositing import Body, body, request
from tests.world.world import World
from vault.deposit.announcement import Piece
from vault.deposit.journey import deposit
from vault.errors import BodyBroken


class ClosingBody(Body):
    """A body during which the box is closed; then it goes on, or breaks off."""

    world: World

    def __iter__(self) -> Iterator[Piece]:
        self.world.after_settle()
        self.world.close_box()
        yield from super().__iter__()


def _spanning(world: World, *, breaks_off: bool) -> ClosingBody:
    whole = body(world)
    spanning = ClosingBody(whole.pieces, world.clock, BodyBroken("gone") if breaks_off else None)
    spanning.world = world
    return spanning


@pytest.mark.proves("LOG-02", "LATE-02")
def test_an_upload_that_breaks_off_after_its_box_was_closed_is_told_in_the_open(open_world: World) -> None:
    with pytest.raises(BodyBroken):
        deposit(open_world.works, request(open_world), _spanning(open_world, breaks_off=True))

    assert len(events(open_world, EventKind.DEPOSIT_REFUSED)) == 1
    check_everything(open_world.works)


@pytest.mark.proves("LOG-02", "LATE-02")
def test_an_upload_that_ends_after_its_box_was_closed_is_late_and_told_in_the_open(open_world: World) -> None:
    deposit(open_world.works, request(open_world), _spanning(open_world, breaks_off=False))

    assert len(events(open_world, EventKind.ENVELOPE_SEALED)) == 1
    check_everything(open_world.works)
