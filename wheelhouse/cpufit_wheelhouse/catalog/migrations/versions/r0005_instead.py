"""The project that an operator names for CPUs which a project has nothing for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; no project names another one yet."""
    op.add_column("projects", sa.Column("instead", sa.String(255), nullable=True))
