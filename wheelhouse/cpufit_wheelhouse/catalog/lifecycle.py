"""The later life of files and projects: yanked (PEP 592), given a status (PEP 792), deleted.

Each change is one transaction with its rows of the journal. What is to be done to files is decided on a snapshot, whose
serial is handed back, as everywhere in the catalog. A deletion takes what was made of the file along: its labelled
forms, and the selectors and ``-variants.json`` files of its release, which are made anew for what is left. Verdicts
and overrides are of bytes, and hidings hold for the same file uploaded again: they stay, and so does the journal.

No blob is removed here: a kill may leave blobs that no row names, never a row without its blob. See
:mod:`cpufit_wheelhouse.sweeping`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, select, update

from . import freezes, journal, naming, schema, statements
from .engine import for_writing
from .records import Freeze, Project, ProjectStatus, StoredFile

_Value = TypeVar("_Value", int, str)


class LifecycleTable:
    """What can be done to the files and projects of one catalog after they came in."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def yank(self, project: str, files: Collection[StoredFile], *, seen: int, who: str, why: str) -> None:
        """Yank files: installers pass them over unless they are asked for by this very version (PEP 592).

        :param files: of this project; those that are yanked already get the new reason
        :param seen: the serial on which the decision rests
        :param why: the reason, which pages show
        :raises CatalogChanged: the project moved on since
        """
        with self._writer.begin() as connection:
            project_id = statements.claim(connection, project, seen, variants=False)
            _set_yanked(connection, files, why)
            journal.write(connection, project_id, "yank", who=who, why=why, files=files)

    def unyank(self, project: str, files: Collection[StoredFile], *, seen: int, who: str, why: str) -> None:
        """End the yanking of files; parameters and errors as for :meth:`yank`."""
        with self._writer.begin() as connection:
            project_id = statements.claim(connection, project, seen, variants=False)
            _set_yanked(connection, files, None)
            journal.write(connection, project_id, "unyank", who=who, why=why, files=files)

    def set_status(self, project: str, status: ProjectStatus, *, who: str, why: str) -> Project:
        """Give a project a status (PEP 792) and return the project; the same status and reason again are no change.

        :param why: the reason, which pages show but for an active project
        :raises NoSuchProject: it is not hosted
        """
        projects = schema.projects
        reason = None if status == "active" else why
        with self._writer.begin() as connection:
            found = statements.hosted(connection, project)
            if (found.status, found.status_reason) == (status, reason):
                return found
            values = {"status": status, "status_reason": reason, "serial": projects.c.serial + 1}
            connection.execute(update(projects).where(projects.c.id == found.id).values(values))
            journal.write(connection, found.id, "status", who=who, why=f"{status}: {why}")
            return statements.hosted(connection, project)

    def delete(self, project: str, files: Collection[StoredFile], *, seen: int, who: str, why: str) -> frozenset[str]:
        """Delete files and what was made of them; the project stays hosted, also with no file left.

        A freeze whose selector could choose one of them ends.

        :returns: the SHA-256 of the blobs that the rows named; other rows may name some of them still
        :raises CatalogChanged: the project moved on since
        """
        with self._writer.begin() as connection:
            project_id = statements.claim(connection, project, seen, variants=False)
            _end_freezes(connection, project_id, files, who=who, why=why)
            kept = frozenset(freeze.selector_sha256 for freeze in freezes.freezes_in_force(connection, project_id))
            blobs = _remove_files(connection, project_id, files, kept)
            journal.write(connection, project_id, "delete", who=who, why=why, files=files)
            return blobs

    def delete_project(
        self, project: str, files: Collection[StoredFile], *, seen: int, who: str, why: str
    ) -> frozenset[str]:
        """Delete a project with all that it has; from then on its name is not hosted here.

        Its hidings and freezes go with it. Its journal stays, and with it the memory of its files' names.

        :param files: all of its files
        :returns: as :meth:`delete`
        :raises CatalogChanged: the project moved on since
        """
        with self._writer.begin() as connection:
            project_id = statements.claim(connection, project, seen, variants=False)
            journal.write(connection, project_id, "delete", who=who, why=why, files=files)
            journal.write(connection, project_id, "delete-project", who=who, why=why)
            blobs = _remove_files(connection, project_id, files, kept=frozenset())
            blobs |= _removed(connection, schema.derived, schema.derived.c.project_id == project_id)
            for table in (schema.hidings, schema.freezes):
                connection.execute(delete(table).where(table.c.project_id == project_id))
            connection.execute(delete(schema.projects).where(schema.projects.c.id == project_id))
            return blobs

    def named(self, blobs: Iterable[str]) -> frozenset[str]:
        """Return those blobs, given by their SHA-256, that some row names."""
        with self._engine.begin() as connection:
            return naming.named(connection, blobs)

    def remove_unnamed(self, blobs: Iterable[str], remove: Callable[[str], object]) -> None:
        """Have those blobs removed that no row names, while no other writer can write a row that does.

        :param remove: called with the SHA-256 of each, inside the transaction
        """
        for some in _portions(sorted(set(blobs))):
            with self._writer.begin() as connection:
                named = naming.named(connection, some)
                for sha256 in some:
                    if sha256 not in named:
                        remove(sha256)


def _set_yanked(connection: Connection, files: Iterable[StoredFile], reason: str | None) -> None:
    for some in _portions(file.id for file in files):
        connection.execute(update(schema.files).where(schema.files.c.id.in_(some)).values(yanked=reason))


def _end_freezes(
    connection: Connection, project_id: int, files: Collection[StoredFile], *, who: str, why: str
) -> tuple[Freeze, ...]:
    """End the freezes whose selectors could choose one of these files: what they say is true no longer."""
    gone = {(file.version, file.sha256) for file in files}
    ended = tuple(
        freeze
        for freeze in freezes.freezes_in_force(connection, project_id)
        if any((freeze.version, sha256) in gone for sha256, _ in freeze.candidates)
    )
    for freeze in ended:
        freezes.end_in(connection, project_id, freeze.version, who=who, why=f"a file was deleted: {why}")
    return ended


def _remove_files(
    connection: Connection, project_id: int, files: Collection[StoredFile], kept: frozenset[str]
) -> frozenset[str]:
    """Remove files and what was made of them and of their releases, but for the selectors that a freeze keeps."""
    derived = schema.derived
    blobs: frozenset[str] = frozenset()
    for versions in _portions({file.version for file in files}):
        of_release = and_(derived.c.file_id.is_(None), derived.c.version.in_(versions), derived.c.sha256.not_in(kept))
        blobs |= _removed(connection, derived, and_(derived.c.project_id == project_id, of_release))
    for ids in _portions(file.id for file in files):
        blobs |= _removed(connection, derived, derived.c.file_id.in_(ids))
        blobs |= _removed(connection, schema.files, schema.files.c.id.in_(ids))
    return blobs


def _removed(connection: Connection, table: Table, which: ColumnElement[bool]) -> frozenset[str]:
    """Remove rows and return the blobs that they named."""
    rows = connection.execute(select(*naming.BLOBS[table]).where(which)).all()
    connection.execute(delete(table).where(which))
    return frozenset(sha256 for row in rows for sha256 in row if sha256 is not None)


def _portions(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    listed = list(values)
    return (listed[start : start + naming.AT_ONCE] for start in range(0, len(listed), naming.AT_ONCE))
