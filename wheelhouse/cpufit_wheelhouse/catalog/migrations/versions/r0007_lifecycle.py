"""Yanked and deleted files, projects with a status, attested files, and tokens that may do one thing or another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cpufit_wheelhouse.catalog.schema import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is new; projects are active, no file is yanked, and every token may upload and read, as before."""
    op.add_column("projects", sa.Column("status", sa.String(16), nullable=False, server_default="active"))
    op.add_column("projects", sa.Column("status_reason", sa.Text(), nullable=True))
    op.add_column("files", sa.Column("yanked", sa.Text(), nullable=True))
    op.add_column("files", sa.Column("attestations_sha256", sa.String(64), nullable=True))
    op.add_column("tokens", sa.Column("scopes", sa.JSON(), nullable=False, server_default='["read", "upload"]'))
    op.add_column("tokens", sa.Column("expires_at", UtcDateTime(), nullable=True))
    op.add_column("tokens", sa.Column("last_used_at", UtcDateTime(), nullable=True))
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("project", sa.String(255), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("filename", sa.String(255), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("need_key", sa.Text(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index(op.f("ix_journal_project_journal_filename"), "journal", ["project", "filename"])
