# SPDX-License-Identifier: EUPL-1.2
"""Migrations of the database, run at every start under the owner's role.

Rules
  1. Only the owner's role changes tables; the API's and the gate's roles own nothing.
  2. A migration that was released is never edited; a new one follows it.

Left to others: the roles themselves (deploy.embedded for the embedded database, an operator for an outside one).
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

MIGRATION_LOCK = 0x6278_6D69  # one migrating process at a time


def configuration(owner_url: str) -> Config:
    """Alembic's configuration for a database, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = owner_url
    return config


def migrate(owner_url: str) -> None:
    """Bring the database to the newest revision; does nothing when it is there."""
    engine = create_engine(owner_url)
    try:
        with engine.connect() as guard:
            guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
            config = configuration(owner_url)
            if _revision(owner_url) != ScriptDirectory.from_config(config).get_current_head():
                command.upgrade(config, "head")
    finally:
        engine.dispose()


def _revision(owner_url: str) -> str | None:
    engine = create_engine(owner_url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
