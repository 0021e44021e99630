# SPDX-License-Identifier: EUPL-1.2
"""API and worker as real processes, killed with SIGKILL exactly at a durable write.

Rules
  1. Nothing in the program knows of it. A trigger in the test's own database makes the write wait for a lock that the
     test holds; PostgreSQL tells that somebody waits; then the process is killed, before its commit could be sent.
  2. Killed before one write is killed after the one before it: the writes of an act in their order are all its points.
  3. The process is started again as `bidvault up` does it, and nobody helps it.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
from sqlalchemy import Connection, create_engine, text

from deploy.up import RunningVault

PATIENCE = 240.0  # seconds: a killed worker's job is taken up again within two minutes
LOOK_EVERY = 0.02  # seconds between two looks at PostgreSQL's own list of locks; nothing depends on it
SPACE = 31_000  # of the advisory lock
HOLD = """
CREATE OR REPLACE FUNCTION public.held_by_a_test() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(31000, 1); RETURN NEW; END $$
"""
WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :space AND NOT granted")


@dataclass(frozen=True)
class Write:
    """One durable write of a process: the step whose commit it belongs to."""

    step: str
    process: str  # api or worker
    table: str
    event: str = "INSERT"


class Stricken:
    """A running vault whose processes are killed at a write."""

    def __init__(self, vault: RunningVault) -> None:
        """Watch over a vault; it may restart its processes as often as they are killed."""
        self.vault = vault
        vault.most_restarts = 1000
        self._engine = create_engine(vault.owner_url, isolation_level="AUTOCOMMIT")

    def kill_at(self, write: Write, act: Callable[[], object] = lambda: None) -> float:
        """Begin the act, kill its process at the write, start it again; tells how long the write was waited for."""
        with self._engine.connect() as connection, self._held(connection, write):
            began = time.monotonic()
            act()
            wait_until(f"{write.process} writes {write.table}", lambda: bool(_count(connection)))
            waited = time.monotonic() - began
            killed = _process(self.vault.directory.root, write.process)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        self.restart()
        return waited

    def restart(self) -> None:
        """Start again what was killed, and wait until it serves."""
        self.vault.watch()
        wait_until("the API serves", self._serves)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _held(self, connection: Connection, write: Write) -> Iterator[None]:
        """Have a write wait; afterwards whoever waited goes on, and finds that its client is gone."""
        connection.execute(text(HOLD))
        connection.execute(text("SELECT pg_advisory_lock(:space, 1)"), {"space": SPACE})
        connection.execute(
            text(
                f"CREATE TRIGGER held_by_a_test BEFORE {write.event} ON {write.table} "
                "FOR EACH ROW EXECUTE FUNCTION public.held_by_a_test()"
            )
        )
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:space, 1)"), {"space": SPACE})
            connection.execute(text(f"DROP TRIGGER held_by_a_test ON {write.table}"))

    def _serves(self) -> bool:
        try:
            return httpx2.get(f"{self.vault.url}/readyz", timeout=5, trust_env=False).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False


def _count(connection: Connection) -> int:
    return int(connection.execute(WAITING, {"space": SPACE}).scalar_one())


def _process(data: Path, name: str) -> psutil.Process:
    """The API or the worker of this vault, by what it is and where it runs."""
    (found,) = (
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(data) and (process.info["cmdline"] or [""])[-2:] == ["deploy.serve", name]
    )
    return found


def wait_until(what: str, is_so: Callable[[], bool], *, every: float = LOOK_EVERY) -> None:
    """Ask a running vault until it is so; AssertionError when it never is."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(every)
