# SPDX-License-Identifier: EUPL-1.2
"""Jobs of a worker that was killed: taken up again, whatever else waits meanwhile (T42).

A worker killed in mid-act leaves its job as `doing`, with its lock. Every few seconds the timer queues the same job
anew; that twin waits for the lock, and the lock for the dead.
"""

import pytest
from procrastinate import App
from sqlalchemy import text

from api.worker import make_app
from tests.api.depositing import seal
from tests.world.world import World
from vault import timers
from vault.lifecycle import BoxState
from vault.prints import PrintSeal

LEFT = text(
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status)"
    " VALUES (:queue, :task, :lock, :queueing_lock, CAST(:args AS jsonb), 'doing')"
)
UNDONE = text("SELECT task_name FROM procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY task_name")


@pytest.fixture
def app(world: World) -> App:
    world.publish(world.draft(k=1, n=1))
    url = (
        world.engines[0].url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://", 1)
    )
    return make_app(world.works, url, seal=PrintSeal(seal(), world.works.authorities))


def _leave(world: World, task: str, lock: str, args: str, *, queue: str) -> None:
    """A job that a killed worker was doing; its worker's row is gone."""
    with world.engines[0].begin() as connection:
        connection.execute(LEFT, {"queue": queue, "task": task, "lock": lock, "queueing_lock": lock, "args": args})


def _work(world: World, app: App) -> list[str]:
    """Run what can be run now; what is still undone."""
    with app.open():
        app.tasks["forget_jobs"].configure(queueing_lock=None).defer(timestamp=0)
        app.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)
    with world.engines[0].connect() as connection:
        return list(connection.execute(UNDONE).scalars())


@pytest.mark.parametrize("has_twin", [False, True], ids=["alone", "queued anew"])
@pytest.mark.proves("T42", "OPS-03")
def test_a_killed_worker_s_closing_is_done_by_the_next_one(world: World, app: App, *, has_twin: bool) -> None:
    world.after_settle()
    box = world.box_id()
    _leave(world, "close_box", f"close_box:{box}", f'{{"subject": "{box}"}}', queue="acts")
    if has_twin:
        timers.queue_due(world.works)

    _work(world, app)

    assert world.box_state() in {BoxState.CLOSED, BoxState.OPENED}


@pytest.mark.proves("T42", "OPS-03")
def test_timers_and_housekeeping_that_were_killed_block_nothing(world: World, app: App) -> None:
    for name in ("tick", "forget_jobs"):
        _leave(world, name, name, '{"timestamp": 0}', queue="timers")
    with app.open():
        app.tasks["tick"].defer(timestamp=1)

    assert _work(world, app) == []
