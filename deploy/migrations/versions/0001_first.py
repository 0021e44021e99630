# SPDX-License-Identifier: EUPL-1.2
"""The first tables: the vault's, the jobs', the gate's."""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JOB_TABLES = ("procrastinate_jobs", "procrastinate_events", "procrastinate_periodic_defers", "procrastinate_workers")


def upgrade() -> None:
    """Make everything; the roles exist already or are the operator's to make."""
    here = Path(__file__)
    connection = op.get_bind()
    for statement in (
        SchemaManager.get_schema(),
        here.with_suffix(".sql").read_text(),
        here.with_name("0001_gate.sql").read_text(),
        _job_rights(),
    ):
        connection.exec_driver_sql(statement.replace("%", "%%"))  # the driver reads % as a placeholder


def _job_rights() -> str:
    tables = ", ".join(JOB_TABLES)
    return f"""
        ALTER TABLE procrastinate_jobs SET (autovacuum_vacuum_scale_factor = 0.01);
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'bidvault_api') THEN
                GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO bidvault_api;
                GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO bidvault_api;
            END IF;
        END $$;
    """
