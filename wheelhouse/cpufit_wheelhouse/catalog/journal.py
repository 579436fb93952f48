"""The journal: who did what to a project, when and why. Rows are written with what they tell of, and never removed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from sqlalchemy import Connection, Engine, Row, bindparam, insert, select

from . import schema
from .bookkeeping import JournalAction, JournalEntry
from .records import StoredFile


class JournalTable:
    """The journal of one catalog; it also tells of projects that are hosted no longer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, project: str, *, limit: int | None = None) -> tuple[JournalEntry, ...]:
        """Return what was done to a project, in any spelling, newest first.

        :param limit: the most entries
        """
        journal = schema.journal
        query = select(journal).where(journal.c.project == canonicalize_name(project)).order_by(journal.c.id.desc())
        with self._engine.begin() as connection:
            return tuple(map(_entry, connection.execute(query.limit(limit))))

    def deleted(self, project: str, filename: str) -> tuple[JournalEntry, ...]:
        """Return the deletions of a project's files of one name, oldest first."""
        with self._engine.begin() as connection:
            return deleted_in(connection, canonicalize_name(project), filename)


def deleted_in(connection: Connection, project: NormalizedName, filename: str) -> tuple[JournalEntry, ...]:
    """Return the deletions of a project's files of one name, oldest first, in its caller's transaction."""
    return tuple(map(_entry, connection.execute(_DELETED, {"of": project, "called": filename})))


def write(
    connection: Connection,
    project_id: int,
    action: JournalAction,
    *,
    who: str,
    why: str,
    files: Iterable[StoredFile] = (),
) -> None:
    """Write down what is done in its caller's transaction: one row for each file, or one of the project's own.

    :param files: those to which it is done; none where it is done to the project
    """
    projects = schema.projects
    project = connection.execute(select(projects.c.name, projects.c.serial).where(projects.c.id == project_id)).one()
    row: dict[str, object] = {
        "happened_at": datetime.now(timezone.utc),
        "project": project.name,
        "action": action,
        "serial": project.serial,
        "who": who,
        "why": why,
    }
    facts: list[dict[str, str | None]] = [
        {"filename": file.filename, "sha256": file.sha256, "need_key": file.need_key} for file in files
    ]
    connection.execute(insert(schema.journal), [row | fact for fact in (facts or [_OF_THE_PROJECT])])


_DELETED = (
    select(schema.journal)
    .where(
        schema.journal.c.project == bindparam("of"),
        schema.journal.c.filename == bindparam("called"),
        schema.journal.c.action == "delete",
    )
    .order_by(schema.journal.c.id)
)
_OF_THE_PROJECT: dict[str, str | None] = {"filename": None, "sha256": None, "need_key": None}


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        happened_at=row.happened_at,
        project=row.project,
        action=row.action,
        filename=row.filename,
        sha256=row.sha256,
        need_key=row.need_key,
        who=row.who,
        why=row.why,
    )
