"""Projects, files, derived files and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cpufit_wheelhouse.catalog.schema import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    _projects()
    _files()
    _derived()
    _tokens()


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("display_name", sa.String(255), nullable=False),
        sa.Column("variants", sa.Boolean(), nullable=False),
        sa.Column("unknown", sa.String(16), nullable=False),
        sa.Column("plain", sa.String(16), nullable=False),
        sa.Column("build_sdist", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("unknown IN ('refuse', 'allow')", name=op.f("ck_projects_unknown")),
        sa.CheckConstraint("plain IN ('ordinary', 'selector')", name=op.f("ck_projects_plain")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )


def _files() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("need_key", sa.Text(), nullable=False),
        sa.Column("need", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("need_source", sa.String(16), nullable=True),
        sa.Column("need_evidence", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("blake2", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metadata_sha256", sa.String(64), nullable=False),
        sa.Column("requires_python", sa.Text(), nullable=True),
        sa.Column("dependencies_key", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("platforms", sa.JSON(), nullable=False),
        sa.Column("build", sa.JSON(), nullable=False),
        sa.Column("has_native", sa.Boolean(), nullable=False),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.CheckConstraint("kind IN ('wheel', 'sdist')", name=op.f("ck_files_kind")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_files_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("project_id", "filename", "need_key", name=op.f("uq_files_project_id_filename_need_key")),
        sa.UniqueConstraint("project_id", "filename", "sha256", name=op.f("uq_files_project_id_filename_sha256")),
    )
    op.create_index(op.f("ix_files_sha256"), "files", ["sha256"])


def _derived() -> None:
    op.create_table(
        "derived",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=True),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("properties", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("metadata_sha256", sa.String(64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('labelled', 'variants-json', 'selector')", name=op.f("ck_derived_kind")),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_derived_file_id_files")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_derived_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derived")),
        sa.UniqueConstraint("file_id", "filename", name=op.f("uq_derived_file_id_filename")),
    )
    op.create_index(op.f("ix_derived_project_id"), "derived", ["project_id"])
    op.create_index(op.f("ix_derived_sha256"), "derived", ["sha256"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("projects", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_tokens_secret_sha256")),
    )
