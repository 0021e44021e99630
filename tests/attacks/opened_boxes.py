# SPDX-License-Identifier: EUPL-1.2
"""What attacks on a ceremony share: a closed box of two bids, and the whole of what a refusal must leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pytest
from sqlmodel import select

from crypto.errors import CryptoError
from crypto.events import EventKind
from tests.checks import check_everything
from tests.vault import convening
from tests.world.world import ACME, ZENITH, World
from vault.lifecycle import EnvelopeState
from vault.models import Envelope

Caught: TypeAlias = "pytest.ExceptionInfo[Exception]"
PRICE = b"PLANTED 41 998.00 EUR"


def close_two(world: World) -> World:
    """Box 1 with two bids, closed: its opening may be offered."""
    world.publish()
    for bidder in (ACME, ZENITH):
        world.deposit(bidder, {"prix.txt": PRICE + bidder.encode()})
    world.after_settle()
    world.close_box()
    return world


def states(world: World) -> dict[str, EnvelopeState]:
    """The state of each bid of box 1."""
    with world.works.open() as work:
        rows = work.session.exec(select(Envelope).where(Envelope.box_number == 1)).all()
    return {row.bidder or "": row.state for row in rows}


@contextmanager
def refused(world: World, error: type[Exception], *, entry: EventKind | None = None) -> Iterator[Caught]:
    """An act is refused as it must be: typed, told in the journal, nothing moved, no byte of a bid anywhere."""
    before = states(world), len(convening.events(world, entry)) if entry else 0
    with pytest.raises(error) as caught:
        yield caught
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "PLANTED" not in shown
    assert (states(world), len(convening.events(world, entry)) if entry else 0) == (before[0], before[1] + bool(entry))
    if entry and isinstance(caught.value, CryptoError):
        assert caught.value.code.encode() in (convening.events(world, entry)[-1].data or b"")
    assert world.opened() == {}


def open_and_check(world: World, opening_id: bytes, by: range = range(3)) -> None:
    """After the attack the box opens for those who may, and everything stored still holds together."""
    for number in by:
        world.contribute(opening_id, world.custodians[number])
    assert world.advance(opening_id)
    check_everything(world.works)
