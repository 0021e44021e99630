# SPDX-License-Identifier: EUPL-1.2
"""Works: the tools of a running vault. Work: one transaction, one commit, one now.

Rules
  1. A Work commits when its block ends well; nothing else commits. After an exception nothing of it is written.
  2. Time is UTC and comes from `work.now` (fixed when the Work opens) or `works.clock`; nowhere else is a clock read.
  3. READ COMMITTED, on purpose: after a box lock is taken, the next statement sees all that was committed before it.
     Under REPEATABLE READ the snapshot would be older than the lock (protocol 4.4).
  4. The lock of a box is taken before its state is read and before a journal row is drawn, in separate statements.

Left to others: what is written (the journeys), the gate's own transactions (vault.gate).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from vault.errors import DatabaseUnavailable, StillRunning
from vault.settings import Settings
from vault.store import KeyStore, ObjectStore
from vault.tally import Tally

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from vault.authorities import TimeAuthorities
    from vault.gate.service import Gate
    from vault.keys import Keychain, ServiceKeys


class Clock(Protocol):
    """Tells the time; always UTC, always aware."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class SandboxClock:
    """The machine's clock, shifted: development only, everything under it is level 0."""

    shift: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift


@dataclass(frozen=True)
class Works:
    """What every journey is given: the parts of one running vault."""

    engine: Engine
    clock: Clock
    settings: Settings
    store: ObjectStore
    key_store: KeyStore
    keys: Keychain
    service_keys: ServiceKeys
    authorities: TimeAuthorities
    gate: Gate
    refusals: Tally = field(default_factory=Tally)

    @contextmanager
    def open(self) -> Iterator[Work]:
        """Open one transaction.

        Raises:
            DatabaseUnavailable: the database does not answer; nothing was written, or (a lost answer to the commit)
                the repeat of the same act finds it done.
        """
        with _told(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:  # its end may fail too
            yield Work(session=session, now=self.clock.now())
            session.commit()

    @contextmanager
    def look(self) -> Iterator[Work]:
        """Read, each statement by itself: under READ COMMITTED each sees its own moment anyway.

        Nothing is written here: what was added to the session is forgotten.

        Raises:
            DatabaseUnavailable: the database does not answer.
        """
        reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with _told(), Session(reading, expire_on_commit=False, autoflush=False) as session:
            yield Work(session=session, now=self.clock.now())


@contextmanager
def _told() -> Iterator[None]:
    """What the driver raises, in the vault's words."""
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, NoConnectionFree) as error:
        raise DatabaseUnavailable("the database does not answer") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable("the database broke off") from error
        raise


@dataclass(frozen=True)
class Work:
    """One transaction and its instant."""

    session: Session
    now: datetime

    def lock_box(self, box_id: int, *, exclusive: bool = False) -> None:
        """Wait for the box's lock, held until the transaction ends: shared by deposits, exclusive for the closing."""
        name = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
        self.session.execute(text(f"SELECT {name}(:space, :box)"), {"space": BOX_LOCKS, "box": box_id})

    def lock_named(self, number: int) -> None:
        """Wait for one of the vault's single-runner locks (sequencer, sweep)."""
        self.session.execute(
            text("SELECT pg_advisory_xact_lock(:space, :number)"), {"space": NAMED_LOCKS, "number": number}
        )


@contextmanager
def running(engine: Engine) -> Iterator[Connection]:
    """Say for as long as a process serves that it does; a recovery waits for nobody and refuses while anyone does.

    Raises:
        StillRunning: a recovery is under way.
        DatabaseUnavailable: the database does not answer.
    """
    with _holding(engine, "_shared", "a recovery is under way") as connection:
        yield connection


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Have the database alone, which no process of the vault may be serving on.

    Raises:
        StillRunning: an API, a worker or another recovery runs on it.
        DatabaseUnavailable: the database does not answer.
    """
    reason = "an API, a worker or another recovery runs on this database: stop it first"
    with _holding(engine, "", reason):
        yield


@contextmanager
def _holding(engine: Engine, kind: str, reason: str) -> Iterator[Connection]:
    """Hold a lock of a whole session, beside the pool: however the process ends, it ends with it."""
    lock = {"space": NAMED_LOCKS, "number": SERVING_LOCK}
    beside = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with _told(), beside.connect() as connection:
        if not connection.execute(text(f"SELECT pg_try_advisory_lock{kind}(:space, :number)"), lock).scalar_one():
            raise StillRunning(reason)
        try:
            yield connection
        finally:
            with suppress(SQLAlchemyError):  # a session that broke has let go
                connection.execute(text(f"SELECT pg_advisory_unlock{kind}(:space, :number)"), lock)


SERVING_LOCK = 2  # 1 is the sequencer's
BOX_LOCKS = 0x62780001  # advisory lock spaces: arbitrary, distinct
NAMED_LOCKS = 0x62780002
PATIENCE = timedelta(seconds=60)  # a database that does not answer is told as such, and holds no request for ever
CONNECT_SECONDS = 5
MOST_REST = 1.0  # seconds
RESTING = "resting since"


def connect(url: str, *, pool_size: int = 8, patience: timedelta = PATIENCE) -> Engine:
    """An engine for one role; connections that rested are checked before use: a restarted database is found again.

    Args:
        url: where, as whom.
        pool_size: connections kept; eight more are opened under load.
        patience: for one statement, locks included, and for a free connection; a line that takes nothing is cut then.
    """
    millis = int(patience / timedelta(milliseconds=1))
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=8,
        pool_timeout=patience.total_seconds(),
        isolation_level="READ COMMITTED",
        hide_parameters=True,  # an error of the database tells no bidder and no key to whoever prints it (KEY-07)
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": millis,
            "options": f"-c statement_timeout={millis}",
        },
    )
    event.listen(engine, "checkin", _note_rest)
    event.listen(engine, "checkout", _require_alive)
    return engine


def _note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[RESTING] = time.monotonic()


def _require_alive(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that rested a while whether it lives; the pool opens another in its place, and asks that.

    One that served a moment ago is not asked: were its database restarted since, the act that gets it is told
    DatabaseUnavailable, and all that rest are dropped with it.
    """
    rested = record.info.get(RESTING)
    if rested is None or time.monotonic() - rested < MOST_REST:
        return
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error
    finally:
        cursor.close()
