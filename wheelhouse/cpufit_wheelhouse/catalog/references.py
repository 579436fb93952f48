"""Which blobs the catalog's rows name, asked by a piece of the hash so that a large catalog takes little memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    Integer,
    delete,
    literal,
    null,
    select,
    union_all,
    update,
)

from . import naming, schema, statements
from .engine import for_writing

Role = Literal[
    "file", "metadata", "attestations", "labelled", "variants-json", "selector", "labelled-metadata", "freeze", "thaw"
]
"""What a blob is to the row that names it; ``thaw`` is a freeze that ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A row's word that there is a blob."""

    sha256: str
    role: Role
    row_id: int
    """Of the table that the role tells."""
    project: str
    filename: str
    """Of a freeze, the version."""
    size: int | None
    """In bytes, where the row tells."""

    @property
    def needed(self) -> bool:
        """Whether the row is wrong without the blob."""
        return self.role != "thaw"

    def __str__(self) -> str:
        """Return what a person reads."""
        what = "" if self.role == "file" else f" ({self.role})"
        return f"{self.project} {self.filename}{what}"

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {"project": self.project, "filename": self.filename, "role": self.role}


class ReferenceTable:
    """The blobs that one catalog names, and the mending of rows whose blobs are lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def beginning_with(self, prefix: str) -> tuple[Reference, ...]:
        """Return every reference to a blob whose SHA-256 begins with these digits."""
        last = prefix + "g"  # behind every hexadecimal digit

        def in_range(column: ColumnElement[Any]) -> ColumnElement[bool]:
            return (column >= prefix) & (column < last)

        with self._engine.begin() as connection:
            return _read(connection, in_range)

    def to(self, sha256: str) -> tuple[Reference, ...]:
        """Return every reference to one blob."""
        with self._engine.begin() as connection:
            return _read(connection, lambda column: column == sha256)

    def held(self) -> dict[str, int]:
        """Return the held files that wait for their verdict: size by SHA-256."""
        held = schema.held
        with self._engine.begin() as connection:
            query = select(held.c.sha256, held.c.size).where(held.c.state == "waiting")
            return {row.sha256: row.size for row in connection.execute(query)}

    def while_unnamed(self, sha256: str, act: Callable[[], object]) -> bool:
        """Do something with a blob that no row names, while none can come to name it; False where one does."""
        with self._writer.begin() as connection:
            if naming.named(connection, [sha256]):
                return False
            act()
            return True

    def impossible(self) -> tuple[Reference, ...]:
        """Return the derived files that cannot be: what they were made of is not there, or no longer calls for them.

        A labelled wheel belongs to a wheel of its own project, with label and properties; the files of a release to a
        project that has such a release.
        """
        derived, files, projects = schema.derived, schema.files, schema.projects
        source = (
            select(files.c.id)
            .where(files.c.id == derived.c.file_id, files.c.project_id == derived.c.project_id)
            .exists()
        )
        release = (
            select(files.c.id)
            .where(files.c.project_id == derived.c.project_id, files.c.version == derived.c.version)
            .exists()
        )
        labelled = derived.c.kind == "labelled"
        whole = derived.c.label.is_not(None) & derived.c.properties.is_not(None)
        query = (
            select(derived, projects.c.name.label("project_name"))
            .join(projects, derived.c.project_id == projects.c.id)
            .where((labelled & ~(source & whole)) | (~labelled & ~release))
            .order_by(derived.c.id)
        )
        with self._engine.begin() as connection:
            return tuple(
                Reference(
                    sha256=row.sha256,
                    role=row.kind,
                    row_id=row.id,
                    project=row.project_name,
                    filename=row.filename,
                    size=row.size,
                )
                for row in connection.execute(query)
            )

    def forget(self, lost: Reference, *, who: str, why: str) -> None:
        """Let a row no longer name a blob that is gone: attestations, a derived file, or a freeze's selector."""
        now = datetime.now(timezone.utc)
        freezes = schema.freezes
        ended = {"ended_at": now, "ended_who": who, "ended_why": why}
        with self._writer.begin() as connection:
            if lost.role == "attestations":
                connection.execute(
                    update(schema.files).where(schema.files.c.id == lost.row_id).values(attestations_sha256=None)
                )
            elif lost.role == "freeze":
                connection.execute(update(freezes).where(freezes.c.id == lost.row_id).values(ended))
            elif lost.role in ("labelled", "labelled-metadata", "variants-json", "selector"):
                connection.execute(delete(schema.derived).where(schema.derived.c.id == lost.row_id))
            _bump(connection, lost.project)

    def correct_size(self, wrong: Reference, size: int) -> None:
        """Write the size that a blob has, in bytes, into the row that tells another one."""
        table = schema.files if wrong.role == "file" else schema.derived
        with self._writer.begin() as connection:
            connection.execute(update(table).where(table.c.id == wrong.row_id).values(size=size))
            _bump(connection, wrong.project)


def _bump(connection: Connection, project: str) -> None:
    found = connection.execute(select(schema.projects.c.id).where(schema.projects.c.name == project))
    statements.bump(connection, found.scalar_one())


def _read(
    connection: Connection, condition: Callable[[ColumnElement[Any]], ColumnElement[bool]]
) -> tuple[Reference, ...]:
    return tuple(
        Reference(
            sha256=row.sha256,
            role=row.role,
            row_id=row.row_id,
            project=row.project,
            filename=row.filename,
            size=row.size,
        )
        for row in connection.execute(_query(condition))
    )


def _query(condition: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> CompoundSelect[Any]:
    files, derived, freezes, projects = schema.files, schema.derived, schema.freezes, schema.projects
    none = null().cast(Integer)
    in_force = freezes.c.ended_at.is_(None)
    named: tuple[tuple[Any, Any, Any, Any, Any], ...] = (
        (files, files.c.sha256, literal("file"), files.c.filename, files.c.size),
        (files, files.c.metadata_sha256, literal("metadata"), files.c.filename, none),
        (files, files.c.attestations_sha256, literal("attestations"), files.c.filename, none),
        (derived, derived.c.sha256, derived.c.kind, derived.c.filename, derived.c.size),
        (derived, derived.c.metadata_sha256, literal("labelled-metadata"), derived.c.filename, none),
        (freezes, freezes.c.selector_sha256, literal("freeze"), freezes.c.version, none),
        (freezes, freezes.c.selector_sha256, literal("thaw"), freezes.c.version, none),
    )
    parts = []
    for table, column, role, filename, size in named:
        query = select(
            column.label("sha256"),
            role.label("role"),
            table.c.id.label("row_id"),
            projects.c.name.label("project"),
            filename.label("filename"),
            size.label("size"),
        )
        query = query.join_from(table, projects, table.c.project_id == projects.c.id).where(condition(column))
        if table is freezes:
            query = query.where(in_force if role.value == "freeze" else ~in_force)
        parts.append(query)
    return union_all(*parts)
