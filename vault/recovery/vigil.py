# SPDX-License-Identifier: EUPL-1.2
"""A serving process keeps the database in view: when it went away and came back, it may be an older one.

Rules
  1. A process that serves holds a lock of its own session, so that no recovery runs beside it, nor it beside one.
  2. When that session broke, the checks of every start are made before the lock is taken again.

Left to others: how often to look, and ending the process (deploy.serve).
"""

from contextlib import ExitStack, suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from vault.errors import DatabaseUnavailable
from vault.recovery.journey import require_nothing_lost
from vault.work import Works, running


class Vigil:
    """One process's hold on its database; used by one thread at a time."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._hold = ExitStack()
        self._session: Connection | None = None

    @property
    def is_held(self) -> bool:
        """Whether the session that it began is there."""
        return self._session is not None

    def begin(self) -> None:
        """Say that this process serves; StillRunning while a recovery goes on."""
        self._session = self._hold.enter_context(running(self._works.engine))

    def look(self) -> None:
        """Make sure that the database is still the one that was there.

        Raises:
            DatabaseUnavailable: it does not answer: look again.
            RolledBack: it came back older than it was.
            StillRunning: it came back, and a recovery goes on.
        """
        if self._session is not None:
            try:
                self._session.execute(text("SELECT 1"))
            except DBAPIError as error:
                self.end()
                raise DatabaseUnavailable("the database broke off") from error
            return
        require_nothing_lost(self._works)
        self.begin()

    def end(self) -> None:
        """Let go."""
        self._session = None
        with suppress(DBAPIError, DatabaseUnavailable):
            self._hold.close()
