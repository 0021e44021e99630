# SPDX-License-Identifier: EUPL-1.2
"""What must be well for this process to be ready: database, store and its lock, journal, clock."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from api.services import NotWell, Probe
from vault import sequencer
from vault.errors import VaultError
from vault.work import Works

CLOCK_LIMIT = timedelta(seconds=60)  # readiness goes red above; one token's distance never refuses it


def probes(works: Works) -> tuple[Probe, ...]:
    """The probes of a running vault."""
    return (
        Probe("database", _well(lambda: _database(works), "the database does not answer")),
        Probe("journal", _well(lambda: _journal(works), "the journal cannot advance")),
        Probe("store", _well(works.store.require_lock, "the store has no object lock, or does not answer")),
        Probe("clock", lambda: _clock(works)),
    )


def _well(check: Callable[[], object], reason: str) -> Callable[[], None]:
    def run() -> None:
        try:
            check()
        except VaultError as error:
            raise NotWell(reason) from error

    return run


def _database(works: Works) -> None:
    with works.open() as work:
        work.session.execute(text("SELECT 1"))


def _journal(works: Works) -> None:
    sequencer.publish(works)


def _clock(works: Works) -> None:
    distance = works.authorities.distance()
    if distance is not None and abs(distance) > CLOCK_LIMIT:
        raise NotWell(f"the clock is {distance.total_seconds():.0f} s away from the time authorities")
