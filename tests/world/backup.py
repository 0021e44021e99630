# SPDX-License-Identifier: EUPL-1.2
"""Backups of a world: its database and its key store at one moment, to be put back at another.

The object store is never put back: its locks are what a recovery leans on.
"""

import json
from dataclasses import dataclass, field
from typing import Self

from sqlalchemy import Connection, create_engine, text

from deploy.embedded import Addresses
from tests.world.store import MemoryKeyStore

_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'gate')
      AND c.relname NOT LIKE 'procrastinate%' AND c.relname <> 'alembic_version'
    ORDER BY array_position(ARRAY['procedure', 'envelope'], c.relname::text), c.relname
"""
_SEQUENCES = "SELECT schemaname, sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'public'"


@dataclass(frozen=True)
class Backup:
    """All rows of the vault and of its gate, and where the counters stood."""

    rows: dict[str, str] = field(repr=False)
    counters: dict[str, int] = field(compare=False)  # what is drawn is drawn, whatever becomes of it

    @classmethod
    def of(cls, addresses: Addresses) -> Self:
        """What is in the database now."""
        with _owner(addresses) as connection:
            names = [f"{schema}.{name}" for schema, name in connection.execute(text(_TABLES))]
            read = "SELECT coalesce(json_agg(to_jsonb(t)), '[]')::text FROM {} AS t"
            rows = {name: connection.execute(text(read.format(name))).scalar_one() for name in names}
            counters = {f"{schema}.{name}": value for schema, name, value in connection.execute(text(_SEQUENCES))}
        return cls(rows, counters)

    def put_back(self, addresses: Addresses, *, schemas: tuple[str, ...] = ("public", "gate")) -> None:
        """Make the database (or one role's part of it) what it was."""
        with _owner(addresses) as connection:
            names = [name for name in self.rows if name.partition(".")[0] in schemas]
            for name in names:
                connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
            connection.execute(text(f"TRUNCATE {', '.join(names)}"))
            fill = "INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, CAST(:rows AS jsonb))"
            for name in names:
                if json.loads(self.rows[name]):
                    connection.execute(text(fill.format(name)), {"rows": self.rows[name]})
            for name in names:
                connection.execute(text(f"ALTER TABLE {name} ENABLE TRIGGER USER"))
            if "public" in schemas:
                for name, value in self.counters.items():
                    connection.execute(
                        text("SELECT setval(:name, greatest(:value, 1), :value > 0)"), {"name": name, "value": value}
                    )


@dataclass(frozen=True)
class KeyBackup:
    """All wrapped keys at one moment."""

    keys: dict[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, store: MemoryKeyStore) -> Self:
        """What the key store holds now."""
        return cls(dict(store.keys))

    def put_back(self, store: MemoryKeyStore) -> None:
        """Make the key store what it was."""
        store.keys = dict(self.keys)


class _owner:  # noqa: N801 - used like a function
    """One transaction as the role that owns the tables."""

    def __init__(self, addresses: Addresses) -> None:
        self._engine = create_engine(addresses.owner_database_url)

    def __enter__(self) -> Connection:
        self._connection = self._engine.connect()
        self._connection.begin()
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        if kind is None:
            self._connection.commit()
        self._connection.close()
        self._engine.dispose()
