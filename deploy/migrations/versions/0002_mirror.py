# SPDX-License-Identifier: EUPL-1.2
"""The mirror's tables, and the triggers that note what was written since the last copy."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Everything written from now on is noted; what is there already is noted at once."""
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text().replace("%", "%%"))
