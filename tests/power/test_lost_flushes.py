# SPDX-License-Identifier: EUPL-1.2
"""The store forgets what was not flushed, after each step of the main job: everything said so far stays true.

The store is simulated and keeps nothing before `durable()`; where loop devices are permitted, test_power_cuts does the
same to a real disk.
"""

from collections.abc import Callable

import pytest

from tests.checks import check_everything
from tests.world.world import ACME, ZENITH, World
from vault import sequencer
from vault.lifecycle import BoxState
from vault.opening import keying, offer, reading


def _lose_power(world: World) -> None:
    """What was not flushed is gone, and the processes with it."""
    world.store.lose_power()
    world.key_store.lose_power()
    world.works = world.start()
    check_everything(world.works)


@pytest.mark.proves("DEP-08", "OPEN-05", "OPS-03", "T42")
def test_after_a_power_cut_between_any_two_steps_the_main_job_goes_on_to_its_minutes(world: World) -> None:
    world.publish(world.draft(k=1, n=2))
    acme = world.deposit(ACME)
    zenith = world.deposit(ZENITH)
    found: dict[str, bytes] = {}

    def contribute() -> None:
        world.contribute(found["opening"], world.custodians[0])

    steps: tuple[Callable[[], object], ...] = (
        lambda: sequencer.publish(world.works),
        lambda: world.withdraw(zenith.id, ZENITH),
        world.after_settle,
        world.close_box,
        lambda: found.update(opening=world.offer(1)),
        lambda: offer.sign(world.works, found["opening"]),
        contribute,
        lambda: keying.key(world.works, found["opening"]),
        lambda: reading.read_all(world.works, found["opening"]),
        lambda: sequencer.publish(world.works),
    )
    for step in steps:
        step()
        _lose_power(world)

    assert world.box_state() is BoxState.OPENED
    assert set(world.opened()) == {acme.id}
