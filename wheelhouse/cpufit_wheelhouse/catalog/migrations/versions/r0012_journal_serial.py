"""What the serial of a project was when something was done to it: a name that is hosted again counts on from there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing was ever deleted yet."""
    op.add_column("journal", sa.Column("serial", sa.BigInteger(), nullable=True))
