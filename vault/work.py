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

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlmodel import Session

from vault.errors import DatabaseUnavailable
from vault.settings import Settings
from vault.store import KeyStore, ObjectStore
from vault.tally import Tally

if TYPE_CHECKING:
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
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            try:
                yield Work(session=session, now=self.clock.now())
                session.commit()
            except (OperationalError, InterfaceError, NoConnectionFree) as error:
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


BOX_LOCKS = 0x62780001  # advisory lock spaces: arbitrary, distinct
NAMED_LOCKS = 0x62780002
PATIENCE = timedelta(seconds=60)  # a database that does not answer is told as such, and holds no request for ever
CONNECT_SECONDS = 5


def connect(url: str, *, pool_size: int = 8, patience: timedelta = PATIENCE) -> Engine:
    """An engine for one role; connections are checked before use, so that a restarted database is found again.

    Args:
        url: where, as whom.
        pool_size: connections kept; eight more are opened under load.
        patience: for one statement, locks included, and for a free connection; a line that takes nothing is cut then.
    """
    millis = int(patience / timedelta(milliseconds=1))
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=8,
        pool_pre_ping=True,
        pool_timeout=patience.total_seconds(),
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": millis,
            "options": f"-c statement_timeout={millis}",
        },
    )
