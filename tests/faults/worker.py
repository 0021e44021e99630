# SPDX-License-Identifier: EUPL-1.2
"""The worker of a world: what is due is queued as the worker queues it, and jobs are done in this process.

Rules
  1. Jobs come from the job table and nowhere else: a job that was not committed with its fact is not done.
  2. A job whose worker was killed is taken up again; what an act refuses is due again at the next tick.
"""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import text

from api import worker
from crypto.errors import CryptoError
from tests.world.world import World
from vault import closing, procedures
from vault.errors import VaultError
from vault.work import Works

TICKS = 3  # an opening that waits for people is due at every tick: there is no end to wait for
ACTS: dict[str, Callable[[Works, str], object]] = {
    "close_box": lambda works, subject: closing.close(works, int(subject)),
    "close_admitted": lambda works, subject: closing.close_admitted(works, bytes.fromhex(subject)),
    "enact_amendment": lambda works, subject: procedures.enact(works, UUID(subject)),
    "advance_opening": lambda works, subject: worker.advance_opening(works, bytes.fromhex(subject)),
}
WAITING = text("SELECT id, task_name, args ->> 'subject' FROM procrastinate_jobs WHERE status = 'todo' ORDER BY id")
DONE = text("UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = :job")


def work(world: World, *, only: set[str] | None = None) -> int:
    """Tick a few times and do the jobs that wait; tells how many were done.

    Args:
        only: subjects (a box's row, an opening's id as hex) of the jobs to do; the others are left waiting.
    """
    done = 0
    for _ in range(TICKS):
        worker.tick(world.works)
        with world.engines[0].connect() as connection:
            waiting = [row for row in connection.execute(WAITING) if only is None or row[2] in only]
        for job, task, subject in waiting:
            act(world, task, subject)
            with world.engines[0].begin() as connection:
                connection.execute(DONE, {"job": job})
        done += len(waiting)
    return done


def act(world: World, task: str, subject: str) -> None:
    """One job, guarded as the worker guards it."""
    try:
        ACTS[task](world.works, subject)
    except (VaultError, CryptoError):
        return  # due again at the next tick
