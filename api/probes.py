# SPDX-License-Identifier: EUPL-1.2
"""What must be well for this process to be ready: database, store and its lock, journal, clock."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text

from api.services import NotWell, Probe
from vault import sequencer
from vault.errors import AuthorityUnavailable, VaultError
from vault.work import Works

CLOCK_LIMIT = timedelta(seconds=60)  # readiness goes red above; one token's distance never refuses it
STANDSTILL = timedelta(minutes=1)  # the worker publishes every few seconds
NO_ADVANCE = "the journal cannot advance"

ASK_AGAIN = timedelta(minutes=1)
DIGEST_BYTES = 32


def probes(works: Works) -> tuple[Probe, ...]:
    """The probes of a running vault."""
    return (
        Probe("database", _well(lambda: _database(works), "the database does not answer")),
        Probe("journal", _JournalProbe(works).check),
        Probe("store", _well(works.store.require_lock, "the store has no object lock, or does not answer")),
        Probe("clock", _ClockProbe(works).check),
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


@dataclass
class _JournalProbe:
    """Red when entries have waited for a minute and no head came: the worker does not publish.

    It only looks, and at nothing that grows: anybody may ask, and whoever could set off a publication here would tell
    by its duration that somebody has just deposited (T47).
    """

    works: Works
    _waits: tuple[int, datetime] | None = field(default=None)  # since when entries wait behind this head

    def check(self) -> None:
        """NotWell when it stands still."""
        try:
            with self.works.open() as work:
                head, is_waiting, now = sequencer.latest(work), sequencer.has_unplaced(work), work.now
        except VaultError as error:
            raise NotWell(NO_ADVANCE) from error
        size = head.size if head else 0
        if not is_waiting:
            self._waits = None
        elif self._waits is None or self._waits[0] != size:
            self._waits = (size, now)
        elif now - self._waits[1] > STANDSTILL:
            raise NotWell(NO_ADVANCE)


@dataclass
class _ClockProbe:
    """Red when our clock is far from every authority that answers.

    What was last measured may be old or one authority's lie: where one differs, a quorum is asked anew, at most once
    a minute, and the nearest decides.
    """

    works: Works
    _asked_at: datetime | None = field(default=None)

    def check(self) -> None:
        """NotWell with the distance."""
        authorities = self.works.authorities
        if all(abs(distance) <= CLOCK_LIMIT for distance in authorities.distances().values()):
            return
        now = self.works.clock.now()
        if self._asked_at is None or abs(now - self._asked_at) > ASK_AGAIN:
            self._asked_at = now
            with suppress(AuthorityUnavailable):
                authorities.stamp_by(os.urandom(DIGEST_BYTES), quorum=self.works.settings.quorum)
        distance = authorities.distance()
        if distance is not None and abs(distance) > CLOCK_LIMIT:
            raise NotWell(f"the clock is {abs(distance).total_seconds():.0f} s away from the time authorities")
