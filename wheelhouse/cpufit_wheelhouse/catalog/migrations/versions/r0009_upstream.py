"""Hosted projects that go on upstream, and what was found out about files that pass through."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; no hosted name is asked upstream, as before."""
    op.add_column("projects", sa.Column("upstream", sa.String(16), nullable=False, server_default="never"))
    op.create_table(
        "upstream_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("metadata_sha256", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upstream_files")),
        sa.UniqueConstraint("project", "sha256", "filename", name=op.f("uq_upstream_files_project_sha256_filename")),
    )
    op.create_index(op.f("ix_upstream_files_sha256"), "upstream_files", ["sha256"])
