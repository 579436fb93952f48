"""What pages are made of, read straight from a catalog of SQLite's.

A server that starts answers pages before SQLAlchemy is loaded, with what is read here, and the catalog reads its
snapshots by the same statements: rows of a project of thousands of files come as they are, and those that were read
before need not be parsed again. Nothing is written, and a catalog whose tables are not of this cpufit's revision is
left to who can bring them there.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import canonicalize_name

from . import rows
from .records import CatalogChanged, DerivedFile, NewDerived, ProjectSnapshot
from .revisions import newest_revision

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from .records import StoredFile

CATALOG = "catalog.sqlite3"
"""The name of the catalog's file in a home."""

_PATIENCE_SECONDS = 5.0
"""How long a reader waits for who has the whole catalog for itself, as while it is copied back."""
_LARGEST_CACHE_KIB = 2048
_DIGEST_BYTES = 16

_PROJECT_OF = "SELECT * FROM projects WHERE name = ?"
_FILES_OF = "SELECT * FROM files WHERE project_id = ? ORDER BY id"
_DERIVED_OF = "SELECT * FROM derived WHERE project_id = ? ORDER BY id"
_HIDINGS_OF = "SELECT * FROM hidings WHERE project_id = ? AND ended_at IS NULL ORDER BY id"
_FREEZES_OF = "SELECT * FROM freezes WHERE project_id = ? AND ended_at IS NULL ORDER BY id"

_Made = TypeVar("_Made")


class PageReader:
    """The projects of one catalog, for reading alone; safe for many threads, which take turns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use :meth:`open`, which looks at the tables."""
        self._connection = connection
        self._turn = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> PageReader | None:
        """Open a catalog; None where none can be read as it is: it may have to be made, or brought up to date.

        :param path: of its file
        """
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=_PATIENCE_SECONDS,
                check_same_thread=False,
            )
        except sqlite3.Error:
            return None
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{_LARGEST_CACHE_KIB}")
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.Error:
            found = []
        if found != [(newest_revision(),)]:
            connection.close()
            return None
        return cls(connection)

    def close(self) -> None:
        """Let go of the catalog."""
        with self._turn:
            self._connection.close()

    def serial(self, name: str) -> int | None:
        """Return a number that grows with each change of a project; None if it is not hosted."""
        with self._turn:
            found = self._connection.execute(
                "SELECT serial FROM projects WHERE name = ?", (canonicalize_name(name),)
            ).fetchone()
        return None if found is None else int(found[0])

    def names(self) -> tuple[str, ...]:
        """Return the normalised name of every hosted project, in order."""
        with self._turn:
            return tuple(name for (name,) in self._connection.execute("SELECT name FROM projects ORDER BY name"))

    def snapshot(self, name: str, known: Iterable[StoredFile] = ()) -> ProjectSnapshot | None:
        """Return a project, its files and its derived files as they are at one instant; None if it is not hosted.

        :param known: its files as they were once, of which those that are the same still are taken again
        """
        with self._turn:
            self._connection.execute("BEGIN")
            try:
                return read_snapshot(self._read, name, known)
            finally:
                self._connection.execute("ROLLBACK")

    def add_derived(
        self, project: str, new: NewDerived, *, before_commit: Callable[[], object] = lambda: None
    ) -> DerivedFile:
        """Refuse: what a page lists and is not there yet is made by who may write.

        :raises CatalogChanged: always
        """
        del before_commit
        raise CatalogChanged(f"{project}: {new.filename} is still to be made")

    def _read(self, query: str, value: object) -> Table:
        cursor = self._connection.execute(query, (value,))
        return [column[0] for column in cursor.description], cursor


Table = tuple[list[str], Iterable[tuple[Any, ...]]]
"""The names of columns, and rows as the driver gives them."""


def read_snapshot(
    read: Callable[[str, object], Table], name: str, known: Iterable[StoredFile] = ()
) -> ProjectSnapshot | None:
    """Return a project, its files and its derived files; None if it is not hosted.

    :param read: runs a query of SQLite with one value; all within one transaction, so that they are of one instant
    :param known: the project's files as they were once, of which those that are the same still are taken again
    """
    found = _made(read(_PROJECT_OF, canonicalize_name(name)), _PROJECTS, rows.project_of)
    if not found:
        return None
    (project,) = found
    return ProjectSnapshot(
        project=project,
        files=_files(read(_FILES_OF, project.id), project.name, known),
        derived=_made(read(_DERIVED_OF, project.id), _DERIVED, lambda row: rows.derived_of(row, project.name)),
        hidings=_made(read(_HIDINGS_OF, project.id), _HIDINGS, rows.hiding_of),
        freezes=_made(read(_FREEZES_OF, project.id), _FREEZES, rows.freeze_of),
    )


def _files(table: Table, project: NormalizedName, known: Iterable[StoredFile]) -> tuple[StoredFile, ...]:
    names, found = table
    reads = _reads(names, _FILES)
    before = {file.row: file for file in known if file.row}
    files = []
    for row in found:
        digest = blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
        files.append(before.get(digest) or rows.file_of(_as_row(names, row, reads), project, digest))
    return tuple(files)


def _made(
    table: Table, kinds: Mapping[str, Callable[[Any], object]], make: Callable[[Any], _Made]
) -> tuple[_Made, ...]:
    names, found = table
    reads = _reads(names, kinds)
    return tuple(make(_as_row(names, row, reads)) for row in found)


def _reads(names: list[str], kinds: Mapping[str, Callable[[Any], object]]) -> list[tuple[int, Callable[[Any], object]]]:
    return [(names.index(name), kind) for name, kind in kinds.items()]


def _as_row(names: list[str], row: Iterable[object], reads: list[tuple[int, Callable[[Any], object]]]) -> Any:
    return SimpleNamespace(**dict(zip(names, _parsed(row, reads), strict=True)))


def _parsed(row: Iterable[object], reads: list[tuple[int, Callable[[Any], object]]]) -> list[object]:
    values = list(row)
    for place, kind in reads:
        if values[place] is not None:
            values[place] = kind(values[place])
    return values


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


_PROJECTS: Mapping[str, Callable[[Any], object]] = {"variants": bool, "build_sdist": bool}
"""How a column is read that SQLite has no type for, by table; others come as they are."""
_FILES: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(("need", "need_evidence", "tags", "platforms", "build", "provenance"), json.loads),
    "has_native": bool,
    "uploaded_at": _moment,
}
_DERIVED: Mapping[str, Callable[[Any], object]] = {"properties": json.loads, "created_at": _moment}
_HIDINGS: Mapping[str, Callable[[Any], object]] = {"created_at": _moment, "ended_at": _moment}
_FREEZES: Mapping[str, Callable[[Any], object]] = {"candidates": json.loads, "created_at": _moment, "ended_at": _moment}
