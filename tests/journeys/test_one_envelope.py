# SPDX-License-Identifier: EUPL-1.2
"""One envelope through the whole path: deposit, closing, opening, bytes compared."""

from tests.world.world import ACME, ZENITH, World
from vault.lifecycle import BoxState


def test_an_envelope_deposited_in_time_opens_to_the_same_bytes(world: World) -> None:
    world.publish()
    documents = {"plans/façade.pdf": b"%PDF-1.7 " + bytes(range(256)) * 9000, "prix.txt": b"42\n"}
    acme = world.deposit(ACME, documents)
    zenith = world.deposit(ZENITH)
    world.after_settle()

    world.close_box(1)
    assert world.listed(1) == [acme.id, zenith.id]
    world.open_boxes(1)

    assert world.opened()[acme.id] == documents
    assert world.box_state(1) is BoxState.OPENED
