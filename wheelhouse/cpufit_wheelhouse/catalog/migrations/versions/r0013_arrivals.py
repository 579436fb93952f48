"""What an upload asks of a catalog is found by an index, however many files and projects there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes; names are in normal form, so that SQL can tell how they look."""
    op.add_column("projects", sa.Column("lookalike", sa.String(255), nullable=False, server_default=""))
    op.execute(
        "UPDATE projects SET lookalike = "
        "replace(replace(replace(replace(name, '-', ''), 'l', '1'), 'i', '1'), 'o', '0')"
    )
    op.create_index(op.f("ix_projects_lookalike"), "projects", ["lookalike"])
    op.create_index(op.f("ix_projects_created_at"), "projects", ["created_at"])
    op.create_index(op.f("ix_files_project_id_files_version_files_size"), "files", ["project_id", "version", "size"])
