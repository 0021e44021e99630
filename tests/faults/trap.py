# SPDX-License-Identifier: EUPL-1.2
"""Where a process dies or a dependency fails: one point of an act, before or after it takes effect.

Rules
  1. A point is something a dependency is asked, not a line of ours: a put, a token, a commit with what it writes.
  2. Killed is a BaseException: nothing of ours catches it, as nothing of ours runs after kill -9.
  3. A commit is watched by the engine's own events. That is a simulator of the database's wire, not a patch of our
     code: a commit that is to take effect is sent first, and then the process dies or the answer is lost.

Left to others: what is tried where (tests.faults.crashes), real processes (tests.faults.processes).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from tests.world.authority import SimulatedLine
from tests.world.store import Faults
from tests.world.world import World
from vault.errors import AuthorityUnavailable, StoreUnavailable

TOLD = "told to fail"


class Killed(BaseException):
    """The process is gone."""


class Fault(StrEnum):
    """What happens at a point."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    FAILED = "failed"
    PERSISTED = "failed, but persisted"

    @property
    def takes_effect(self) -> bool:
        """Whether what was asked is done all the same."""
        return self in {Fault.KILLED_AFTER, Fault.PERSISTED}

    @property
    def kills(self) -> bool:
        """Whether the process is gone."""
        return self in {Fault.KILLED_BEFORE, Fault.KILLED_AFTER}


class Where(StrEnum):
    """Which dependency."""

    DATABASE = "database"
    GATE = "gate"
    OBJECTS = "object store"
    KEYS = "key store"
    AUTHORITY = "authority"


@dataclass(frozen=True)
class Point:
    """The nth time that a dependency is asked something that matches."""

    where: Where
    what: str  # a regular expression over `put o/…`, `token a`, or the statements that a commit makes durable
    nth: int = 1


@dataclass
class Trap:
    """Lets a point pass until it is the one, and then springs once; an authority that fails goes on failing."""

    point: Point
    fault: Fault
    seen: int = 0
    is_sprung: bool = field(default=False, init=False)

    def __call__(self, what: str, *, is_done: bool) -> None:
        """Watch one operation of the dependency."""
        if is_done is not self.fault.takes_effect or not re.search(self.point.what, what, re.DOTALL):
            return
        self.seen += 1
        lasts = self.point.where is Where.AUTHORITY and not self.fault.kills
        if self.seen == self.point.nth or (lasts and self.is_sprung):
            self.is_sprung = True
            raise self._what_happens()

    def _what_happens(self) -> BaseException:
        if self.fault.kills:
            return Killed()
        return _FAILURES[self.point.where]()


_FAILURES: dict[Where, Callable[[], BaseException]] = {
    Where.DATABASE: lambda: OperationalError(TOLD, None, Exception(TOLD)),
    Where.GATE: lambda: OperationalError(TOLD, None, Exception(TOLD)),
    Where.OBJECTS: lambda: StoreUnavailable(TOLD),
    Where.KEYS: lambda: StoreUnavailable(TOLD),
    Where.AUTHORITY: lambda: AuthorityUnavailable((TOLD,)),
}


@contextmanager
def set_trap(world: World, trap: Trap) -> Iterator[None]:
    """Have one dependency of a world watched."""
    where = trap.point.where
    if where in {Where.DATABASE, Where.GATE}:
        with _watched(world.engines[0 if where is Where.DATABASE else 1], trap):
            yield
        return
    by_place: dict[Where, Faults | SimulatedLine] = {
        Where.OBJECTS: world.store,
        Where.KEYS: world.key_store,
        Where.AUTHORITY: world.time.line,
    }
    watched = by_place[where]
    watched.watch = trap
    try:
        yield
    finally:
        watched.watch = None


@contextmanager
def _watched(engine: Engine, trap: Trap) -> Iterator[None]:
    """Watch the commits of an engine (rule 3)."""
    written: dict[int, list[str]] = {}

    def on_statement(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        written.setdefault(id(connection), []).append(statement)

    def on_commit(connection: Connection) -> None:
        what = "; ".join(written.pop(id(connection), []))
        try:
            trap(what, is_done=False)
            if trap.fault.takes_effect:
                connection.connection.commit()
                trap(what, is_done=True)
        except BaseException:
            connection.invalidate()  # the line is gone with the process, or the server is: it rolls back what is open
            raise

    def on_rollback(connection: Connection) -> None:
        written.pop(id(connection), None)

    heard: dict[str, Callable[..., None]] = {
        "before_cursor_execute": on_statement,
        "commit": on_commit,
        "rollback": on_rollback,
    }
    for name, listener in heard.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in heard.items():
            event.remove(engine, name, listener)
