# SPDX-License-Identifier: EUPL-1.2
"""A recovery that changes nothing: transactions that are thrown away, and stores that keep in memory what they get.

Rules
  1. Everything is read from the real parts, so that what a rehearsal finds is what the recovery will do.
  2. Nothing is written to the database, the object store or the key store.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from sqlalchemy import Engine

from vault.errors import ObjectMissing, StoreConflict
from vault.keys import Keychain
from vault.store import StoredObject
from vault.work import Work, Works

if TYPE_CHECKING:
    from vault.store import KeyStore, ObjectStore


@dataclass(frozen=True)
class HarmlessWorks(Works):
    """Everything is one transaction; what only reads reads in it too."""

    @contextmanager
    def look(self) -> Iterator[Work]:
        """See Works."""
        with self.open() as work:
            yield work


@contextmanager
def rehearsing(works: Works) -> Iterator[Works]:
    """The same vault, of which nothing stays."""
    keys = HarmlessKeys(works.key_store)
    with _thrown_away(works.engine) as database, _thrown_away(works.gate.engine) as gate:
        parts = {field.name: getattr(works, field.name) for field in fields(works)}
        harmless = {
            "engine": database,
            "store": cast("ObjectStore", HarmlessStore(works.store)),
            "key_store": keys,
            "keys": Keychain(works.keys.root, keys),
            "gate": replace(works.gate, engine=gate),
        }
        yield HarmlessWorks(**{**parts, **harmless})


@contextmanager
def _thrown_away(engine: Engine) -> Iterator[Engine]:
    """One transaction that every Work of the rehearsal shares: each sees what the one before wrote, and none stays.

    A session is bound to a connection as it is to an engine; what it commits waits for the transaction around it.
    """
    with engine.connect() as connection:
        outer = connection.begin()
        try:
            yield cast("Engine", connection)
        finally:
            outer.rollback()


class HarmlessStore:
    """An object store that reads the real one; a recovery writes nothing there but texts, which are let go."""

    def __init__(self, real: "ObjectStore") -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        """Whatever reads."""
        return getattr(self._real, name)

    def put(self, key: str, data: bytes, *, lock_until: datetime, if_absent: bool = True) -> StoredObject:  # noqa: ARG002 the store's signature
        """Nothing is kept."""
        return StoredObject(key, "rehearsed", len(data))


class HarmlessKeys:
    """A key store that reads the real one and keeps to itself what is written or destroyed."""

    def __init__(self, real: "KeyStore") -> None:
        self._real = real
        self._written: dict[str, bytes] = {}
        self._destroyed: set[str] = set()

    def put_if_absent(self, name: str, wrapped: bytes) -> None:
        """See vault.store.KeyStore."""
        try:
            if self.get(name) != wrapped:
                raise StoreConflict(f"{name} is there already")
        except ObjectMissing:
            self._written[name] = wrapped
            self._destroyed.discard(name)

    def get(self, name: str) -> bytes:
        """See vault.store.KeyStore."""
        if name in self._destroyed:
            raise ObjectMissing(name)
        return self._written[name] if name in self._written else self._real.get(name)

    def delete(self, name: str) -> None:
        """See vault.store.KeyStore."""
        self._written.pop(name, None)
        self._destroyed.add(name)

    def list(self, prefix: str) -> "Iterator[str]":
        """See vault.store.KeyStore."""
        there = {*self._real.list(prefix), *(name for name in self._written if name.startswith(prefix))}
        return iter(sorted(there - self._destroyed))

    def compact(self) -> None:
        """Nothing to compact."""

    def durable(self) -> None:
        """Nothing to keep."""
