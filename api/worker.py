# SPDX-License-Identifier: EUPL-1.2
"""The worker: jobs and timers of a running vault.

Rules
  1. An entry decides nothing: each task calls one journey, and a repeat of it finds what is done already.
  2. A failed job is not tried again as such: the next tick finds that its act is still due.
  3. Jobs left by a worker that died are taken up again, also where the same job was queued anew meanwhile.

Left to others: what is due (vault.timers), the journeys (vault), starting the process (deploy.command).
"""

import functools
import os
from collections.abc import Callable
from uuid import UUID

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job, Status

from api.observing import kinds_of, places_of
from crypto.errors import CryptoError
from vault import closing, printing, procedures, sequencer, sweep, timers
from vault.errors import VaultError
from vault.opening import keying, offer, reading
from vault.prints import PrintSeal
from vault.work import Works

EVERY_FEW_SECONDS = "* * * * * */5"
EVERY_QUARTER_MINUTE = "* * * * * */15"
EVERY_MINUTE = "* * * * * 0"
EVERY_HOUR = "41 * * * *"
EVERY_NIGHT = "17 3 * * *"
DIGEST_BYTES = 32
KEPT_JOBS_HOURS = 1  # done jobs name boxes; they are deleted (protocol 4.12)

SIGHTINGS = sweep.Sightings()  # this process's: after a restart the week begins anew

log = structlog.get_logger("worker")
Act = Callable[[str], object]


class ActFailed(Exception):
    """A job died of something nobody foresaw; what, its log line says."""


def make_app(works: Works, conninfo: str, *, seal: PrintSeal) -> App:
    """The job application over one vault."""
    app = App(connector=PsycopgConnector(conninfo=conninfo))
    _add_acts(app, works)
    _add_timers(app, works, seal)
    _add_housekeeping(app)
    return app


def _add_acts(app: App, works: Works) -> None:
    acts: dict[str, Act] = {
        "close_box": lambda subject: closing.close(works, int(subject)),
        "close_admitted": lambda subject: closing.close_admitted(works, bytes.fromhex(subject)),
        "enact_amendment": lambda subject: procedures.enact(works, UUID(subject)),
        "advance_opening": lambda subject: advance_opening(works, bytes.fromhex(subject)),
    }
    for name, act in acts.items():
        app.task(name=name, queue="acts")(_acting(name, act))


def _add_timers(app: App, works: Works, seal: PrintSeal) -> None:
    timed: dict[str, tuple[str, Callable[[], object]]] = {
        "tick": (EVERY_FEW_SECONDS, lambda: tick(works)),
        "print_due": (EVERY_FEW_SECONDS, lambda: printing.print_due(works, seal)),
        "sweep_received": (EVERY_MINUTE, lambda: sweep.received(works)),
        "sweep_remains": (EVERY_NIGHT, lambda: sweep_remains(works)),
        "watch_clock": (EVERY_HOUR, lambda: watch_clock(works)),
        "relock": (EVERY_NIGHT, lambda: procedures.relock(works)),
    }
    for name, (cron, act) in timed.items():
        task = app.task(name=name, queue="timers", queueing_lock=name, lock=name)(_ticking(name, act))
        app.periodic(cron=cron, periodic_id=name)(task)


def tick(works: Works) -> None:
    """Publish the journal, then queue what is due."""
    sequencer.publish(works)
    timers.queue_due(works)


def advance_opening(works: Works, opening_id: bytes) -> None:
    """Go on with an opening as far as it can: sign, key, read, minute."""
    offer.sign(works, opening_id)
    if keying.key(works, opening_id):
        reading.read_all(works, opening_id)
        sequencer.publish(works)


def watch_clock(works: Works) -> None:
    """Ask a quorum of authorities the time though nobody deposits: how far our clock is off is logged where it alarms.

    Raises:
        AuthorityUnavailable: too few answered.
    """
    works.authorities.stamp_by(os.urandom(DIGEST_BYTES), quorum=works.settings.quorum)


def sweep_remains(works: Works) -> None:
    """End dead attempts and uploads, destroy keys without an object."""
    sweep.end_attempts(works)
    sweep.abort_uploads(works)
    sweep.destroy_wraps(works, SIGHTINGS)


def _acting(name: str, act: Act) -> Callable[[str], None]:
    def task(subject: str) -> None:
        _guarded(name, functools.partial(act, subject))

    task.__name__ = name
    return task


def _ticking(name: str, act: Callable[[], object]) -> Callable[[int], None]:
    def task(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate tells when it was due
        _guarded(name, act)

    task.__name__ = name
    return task


def _guarded(name: str, act: Callable[[], object]) -> None:
    """Run an act; what it refuses is logged by its code alone: no box, no procedure, no name.

    Raises:
        ActFailed: something nobody foresaw; told by its kind and place, for its text carries values.
    """
    try:
        act()
    except (VaultError, CryptoError) as error:
        log.warning("not done yet", task=name, reason=error.code)
    except Exception as error:  # noqa: BLE001 Procrastinate would log its text
        log.error("fault", task=name, kinds=kinds_of(error), places=places_of(error))  # noqa: TRY400 no text
        raise ActFailed(name) from None


def _add_housekeeping(app: App) -> None:
    # No lock: the job that frees the locks of the dead must not wait for one that it holds itself.
    @app.periodic(cron=EVERY_QUARTER_MINUTE, periodic_id="forget_jobs")
    @app.task(name="forget_jobs", queue="timers", queueing_lock="forget_jobs")
    async def forget_jobs(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate tells when it was due
        """Delete done jobs; take up again those of workers that died (rule 3)."""
        await app.job_manager.delete_old_jobs(nb_hours=KEPT_JOBS_HOURS, include_failed=True)
        for job in await app.job_manager.get_stalled_jobs():
            await _take_up_again(app, job)


async def _take_up_again(app: App, job: Job) -> None:
    """Have a dead worker's job wait again; where the same job waits already, that one goes on and this one ends."""
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:
        await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
