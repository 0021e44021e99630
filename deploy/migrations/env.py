# SPDX-License-Identifier: EUPL-1.2
"""Alembic's entry: runs the revisions in one transaction over the address it was given."""

from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
