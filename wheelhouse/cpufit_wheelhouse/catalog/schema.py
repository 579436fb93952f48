"""The tables of the catalog, in types that SQLite and PostgreSQL share.

A change here needs a revision in ``migrations/versions``; a test holds the two together.
"""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware date in UTC, also where the database forgets the zone, as SQLite does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class's signature
        """Turn an aware date into UTC.

        :raises ValueError: a date without a zone, which could mean any instant
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a date without a time zone")
        return value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class's signature
        """Give back the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("display_name", String(255), nullable=False),
    Column("variants", Boolean, nullable=False),
    Column("unknown", String(16), nullable=False),
    Column("plain", String(16), nullable=False),
    Column("build_sdist", Boolean, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("instead", String(255), nullable=True),
    Column("status", String(16), nullable=False, server_default="active"),
    Column("status_reason", Text, nullable=True),
    Column("upstream", String(16), nullable=False, server_default="never"),
    # the same for two names that a person could take for each other
    Column("lookalike", String(255), nullable=False, server_default=""),
    CheckConstraint("unknown IN ('refuse', 'allow')", name="unknown"),
    CheckConstraint("plain IN ('ordinary', 'selector')", name="plain"),
)
Index(None, projects.c.lookalike)
Index(None, projects.c.created_at)

files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("version", Text, nullable=False),
    Column("filename", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("need_key", Text, nullable=False),
    Column("need", JSON(none_as_null=True), nullable=True),
    Column("need_source", String(16), nullable=True),
    Column("need_evidence", JSON, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("blake2", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("metadata_sha256", String(64), nullable=False),
    Column("requires_python", Text, nullable=True),
    Column("dependencies_key", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("platforms", JSON, nullable=False),
    Column("build", JSON, nullable=False),
    Column("has_native", Boolean, nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("provenance", JSON, nullable=False),
    # the reason, which may be empty; NULL while it is not yanked
    Column("yanked", Text, nullable=True),
    Column("attestations_sha256", String(64), nullable=True),
    # Identity: two builds of one name differ in need, and the same bytes are never two builds.
    UniqueConstraint("project_id", "filename", "need_key"),
    UniqueConstraint("project_id", "filename", "sha256"),
    CheckConstraint("kind IN ('wheel', 'sdist')", name="kind"),
)
Index(None, files.c.sha256)
# a release's files, and with the size in it how many bytes a project has
Index(None, files.c.project_id, files.c.version, files.c.size)

derived = Table(
    "derived",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("version", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("file_id", Integer, ForeignKey("files.id"), nullable=True),
    Column("filename", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("label", Text, nullable=True),
    Column("properties", JSON(none_as_null=True), nullable=True),
    Column("metadata_sha256", String(64), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('labelled', 'variants-json', 'selector')", name="kind"),
    UniqueConstraint("file_id", "filename"),
)
Index(None, derived.c.project_id)
Index(None, derived.c.sha256)

freezes = Table(
    "freezes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("version", Text, nullable=False),
    Column("selector_sha256", String(64), nullable=False),
    # what the selector says each of its wheels needs: it is handed out only as long as all of it is true
    Column("candidates", JSON, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_who", Text, nullable=True),
    Column("ended_why", Text, nullable=True),
    Column("ended_at", UtcDateTime, nullable=True),
)
Index(None, freezes.c.project_id)

verdicts = Table(
    "verdicts",
    metadata,
    # of bytes, not of a file: the same wheel in two projects has one verdict
    Column("sha256", String(64), primary_key=True),
    Column("verdict", JSON, nullable=False),
    Column("rules_version", Integer, nullable=False),
    Column("inspected_at", UtcDateTime, nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("need", JSON, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime, nullable=True),
)
Index(None, overrides.c.sha256)

hidings = Table(
    "hidings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
)
Index(None, hidings.c.project_id)

held = Table(
    "held",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(255), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("declared", Text, nullable=True),
    Column("provenance", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", JSON(none_as_null=True), nullable=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("decided_at", UtcDateTime, nullable=True),
    CheckConstraint("state IN ('waiting', 'accepted', 'refused')", name="state"),
)
Index(None, held.c.sha256)

wanted = Table(
    "wanted",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("day", Date, nullable=False),
    # a digest of the columns below, which are too long to be an index
    Column("key", String(64), nullable=False),
    Column("project", String(255), nullable=False),
    Column("version", Text, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("cpu", Text, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("python", String(16), nullable=False),
    Column("platform", String(128), nullable=False),
    Column("demand", Integer, nullable=False),
    UniqueConstraint("day", "key"),
)
Index(None, wanted.c.project)

upstream_files = Table(
    "upstream_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(255), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("sha256", String(64), nullable=False),
    # of METADATA that was read out of the wheel, where the upstream offers none
    Column("metadata_sha256", String(64), nullable=True),
    UniqueConstraint("project", "sha256", "filename"),
)
Index(None, upstream_files.c.sha256)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret_sha256", String(64), nullable=False, unique=True),
    Column("projects", JSON(none_as_null=True), nullable=True),
    Column("description", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime, nullable=True),
    Column("scopes", JSON, nullable=False, server_default='["read", "upload"]'),
    Column("expires_at", UtcDateTime, nullable=True),
    Column("last_used_at", UtcDateTime, nullable=True),
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("happened_at", UtcDateTime, nullable=False),
    # by name: what is told here outlives the project
    Column("project", String(255), nullable=False),
    Column("action", String(32), nullable=False),
    Column("filename", String(255), nullable=True),
    Column("sha256", String(64), nullable=True),
    Column("need_key", Text, nullable=True),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    # of the project, after what was done; NULL in rows of older versions
    Column("serial", BigInteger, nullable=True),
)
Index(None, journal.c.project, journal.c.filename)
