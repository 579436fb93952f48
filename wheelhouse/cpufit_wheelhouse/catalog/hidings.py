"""Which files an operator hides: from every view of one project, with who said so, when and why.

A hiding is of bytes in a project, as an override is, so that it also holds for the same file uploaded again. Nothing
is removed: a hidden file keeps its identity, and whoever has its address still gets it.
"""

from __future__ import annotations

from datetime import datetime, timezone

from packaging.utils import canonicalize_name
from sqlalchemy import Connection, Engine, insert, select, update

from . import journal, rows, schema, statements
from .engine import for_writing
from .records import Hiding, Project, StoredFile


class HidingTable:
    """The hidings of one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def hide(self, project: str, sha256: str, *, who: str, why: str) -> Hiding | None:
        """Hide the file with these bytes from every view of a project; None where it is hidden already.

        :raises NoSuchProject: the project is not hosted
        """
        hidings = schema.hidings
        with self._writer.begin() as connection:
            found = statements.hosted(connection, project)
            if any(hiding.sha256 == sha256 for hiding in hidden_in(connection, found.id)):
                return None
            new = Hiding(sha256=sha256, who=who, why=why, created_at=datetime.now(timezone.utc))
            row = {"sha256": sha256, "who": who, "why": why, "created_at": new.created_at}
            connection.execute(insert(hidings), {**row, "project_id": found.id})
            # pages are kept under the project's serial: this is what takes effect at once
            statements.bump(connection, found.id)
            journal.write(connection, found.id, "hide", who=who, why=why, files=_files(connection, found, sha256))
        return new

    def show(self, project: str, sha256: str, *, who: str = "", why: str = "") -> bool:
        """End the hiding of these bytes; False where they are not hidden.

        :param who: who says so, for the journal
        :raises NoSuchProject: the project is not hosted
        """
        hidings = schema.hidings
        with self._writer.begin() as connection:
            found = statements.hosted(connection, project)
            known = (hidings.c.project_id == found.id, hidings.c.sha256 == sha256, hidings.c.ended_at.is_(None))
            change = update(hidings).where(*known).values(ended_at=datetime.now(timezone.utc))
            ended = connection.execute(change).rowcount > 0
            if ended:
                statements.bump(connection, found.id)
                journal.write(connection, found.id, "unhide", who=who, why=why, files=_files(connection, found, sha256))
        return ended

    def of(self, project: str) -> tuple[Hiding, ...]:
        """Return every hiding that a project ever had, oldest first; those that ended have a date of it."""
        hidings, projects = schema.hidings, schema.projects
        query = select(hidings).join(projects, hidings.c.project_id == projects.c.id).order_by(hidings.c.id)
        with self._engine.begin() as connection:
            return tuple(
                map(
                    rows.hiding_of, connection.execute(query.where(projects.c.name == canonicalize_name(project))).all()
                )
            )


def hidden_in(connection: Connection, project_id: int) -> tuple[Hiding, ...]:
    """Return the hidings in force in a project, in its caller's transaction."""
    hidings = schema.hidings
    query = select(hidings).where(hidings.c.project_id == project_id, hidings.c.ended_at.is_(None))
    return tuple(map(rows.hiding_of, connection.execute(query.order_by(hidings.c.id)).all()))


def _files(connection: Connection, project: Project, sha256: str) -> tuple[StoredFile, ...]:
    files = schema.files
    query = select(files).where(files.c.project_id == project.id, files.c.sha256 == sha256)
    return tuple(rows.file_of(row, project.name) for row in connection.execute(query))
