"""Files that come in: what a new one meets, and its way into the catalog.

An upload asks for a few rows that indexes find, so that it costs the same whatever its project and the catalog hold.
The statements are made once: to make one anew takes as long as to execute it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from sqlalchemy import Connection, Engine, Row, bindparam, delete, func, insert, select, union_all, update
from sqlalchemy.exc import IntegrityError

from cpufit_resolver.need import Need
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.lookalikes import lookalike

from . import rows, schema, statements
from .bookkeeping import JournalEntry
from .groups import Folders, GroupedWriter
from .inspections import write_verdict
from .journal import deleted_in
from .records import UNKNOWN_KEY, CatalogChanged, NewDerived, NewFile, ProjectSnapshot, StoredFile

_T = TypeVar("_T")

_SPELLINGS = 8
"""How many ways to write one release are asked for by their text: nobody goes on beyond 1.0.0.0.0.0.0.0."""

_SPELLED = [f"version_{number}" for number in range(_SPELLINGS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked about a project besides its files: only rules that are in force need it."""

    sizes: bool = False
    """How many bytes the project has."""
    made_since: datetime | None = None
    """Aware; how many projects were made since then, where the file would make one."""
    lookalikes: bool = False
    """Which projects look like it, where the file would make one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What a new file meets, at one instant."""

    snapshot: ProjectSnapshot | None
    """The project with those of its files that the new one may have to do with, nothing derived, hidden or frozen; None
    if it is not hosted."""
    deleted: tuple[JournalEntry, ...] = ()
    """The deletions of the project's files of this name, also of a project that was deleted itself."""
    projects_made: int = 0
    lookalikes: tuple[str, ...] = ()

    @property
    def serial(self) -> int | None:
        """The project's serial; None if it is not hosted."""
        return None if self.snapshot is None else self.snapshot.project.serial


NOTHING_ASKED = Asked()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """What was decided of a file, on its way into the transaction that writes it."""

    derived: Sequence[NewDerived] = ()
    """What was made of the file, all of it."""
    variants: bool = False
    """Whether the project's variants are turned on."""
    verdict: Verdict | None = None
    """What the file's machine code was found to need, to be kept with it."""
    before_commit: Callable[[], Iterable[Path]] = tuple
    """Called when the rows are in and no other writer can take their place: moves the blobs in, and returns the folders
    that have to reach the disk before the commit."""


@dataclass(frozen=True, slots=True)
class Addition(FileChange):
    """A file that comes in."""

    project: str
    """Its name; as written here it is shown if the file makes the project."""
    new: NewFile
    seen: int | None
    """The serial on which the decision rests; None if the project was not hosted."""


@dataclass(frozen=True, slots=True)
class NeedChange(FileChange):
    """Another need of a file that is here."""

    file: StoredFile
    need: Need | None
    """None where it becomes unknown."""
    seen: int
    """The serial on which the decision rests."""


class Arrival:
    """One file's way in, inside the transaction that writes it: what is read there stays true until the commit."""

    def __init__(self, connection: Connection, folders: Folders) -> None:
        self._connection = connection
        self._folders = folders

    def serial(self, project: str) -> int | None:
        """Return a project's serial; None if it is not hosted."""
        return statements.serial_of(self._connection, canonicalize_name(project))

    def meeting(self, project: str, new: NewFile, asked: Asked = NOTHING_ASKED) -> Meeting:
        """Return what a new file meets."""
        return meet(self._connection, canonicalize_name(project), new, asked)

    def add(self, addition: Addition) -> StoredFile:
        """Add a file and what was derived of it; a project is made by its first file.

        :raises CatalogChanged: the project moved on since
        """
        new, connection = addition.new, self._connection
        project_id = statements.claim(connection, addition.project, addition.seen, variants=addition.variants)
        now = datetime.now(timezone.utc)
        row = {**rows.file_columns(new), "project_id": project_id, "uploaded_at": now}
        key: tuple[int, ...] = tuple(connection.execute(_INSERT, row).inserted_primary_key or ())
        statements.insert_derived(connection, addition.derived, project_id, key[0], now)
        self._finish(addition, new.sha256)
        return rows.stored(new, id=key[0], project=canonicalize_name(addition.project), uploaded_at=now)

    def change_need(self, change: NeedChange) -> StoredFile:
        """Change what a file needs, and replace what was derived of it.

        Labelled wheels of the old need go out of the catalog: their labels promise too much.

        :raises CatalogChanged: the project moved on since
        """
        file, need, connection, files = change.file, change.need, self._connection, schema.files
        project_id = statements.claim(connection, file.project, change.seen, variants=change.variants)
        columns = rows.need_columns(need, UNKNOWN_KEY if need is None else need.key)
        connection.execute(update(files).where(files.c.id == file.id).values(columns))
        connection.execute(delete(schema.derived).where(schema.derived.c.file_id == file.id))
        statements.insert_derived(connection, change.derived, project_id, file.id, datetime.now(timezone.utc))
        self._finish(change, file.sha256)
        return statements.find_file(connection, file.id)

    def _finish(self, change: FileChange, sha256: str) -> None:
        if change.verdict is not None:
            write_verdict(self._connection, sha256, change.verdict)
        self._folders.update(change.before_commit())


class ArrivalTable:
    """The files of one catalog as they come in."""

    def __init__(self, engine: Engine, grouped: GroupedWriter) -> None:
        self._engine = engine
        self._grouped = grouped

    def meeting(self, project: str, new: NewFile, asked: Asked = NOTHING_ASKED) -> Meeting:
        """Return what a new file meets at this instant; another may come in before it."""
        with self._engine.begin() as connection:
            return meet(connection, canonicalize_name(project), new, asked)

    @property
    def commits(self) -> int:
        """How many transactions brought files in since the catalog was opened."""
        return self._grouped.commits

    def add(self, addition: Addition) -> StoredFile:
        """Add a file as :meth:`Arrival.add` does, in a transaction of its own; errors as for :meth:`settle`."""
        return self.settle(addition.new.filename, lambda arrival: arrival.add(addition))

    def change_need(self, change: NeedChange) -> StoredFile:
        """Change a need as :meth:`Arrival.change_need` does, in a transaction of its own; errors as there."""
        return self.settle(change.file.filename, lambda arrival: arrival.change_need(change))

    def settle(self, filename: str, change: Callable[[Arrival], _T]) -> _T:
        """Let a change look and write in one transaction, and return what it returned when that is committed.

        :param change: quick: others wait for it; whatever it raises takes back what it wrote, and is raised here
        :raises CatalogChanged: another writer took its place
        """
        try:
            return self._grouped.make(lambda connection, folders: change(Arrival(connection, folders)))
        except IntegrityError as error:
            raise CatalogChanged(f"{filename}: another upload took its place") from error


def meet(connection: Connection, name: NormalizedName, new: NewFile, asked: Asked) -> Meeting:
    """Return what a new file meets in its caller's transaction."""
    project = statements.find_project(connection, name)
    deleted = deleted_in(connection, name, new.filename)
    if project is None:
        made, alike = 0, ()
        if asked.made_since is not None:
            made = connection.execute(_MADE, {"since": asked.made_since}).scalar_one()
        if asked.lookalikes:
            alike = tuple(connection.execute(_ALIKE, {"looks": lookalike(name)}).scalars())
        return Meeting(snapshot=None, deleted=deleted, projects_made=made, lookalikes=alike)
    written, longer = spellings(new.version)
    told = {"project": project.id, "filename": new.filename, "sha256": new.sha256}
    beyond = {"from": longer, "to": f"{longer[:-1]}1"}
    found = connection.execute(_NEAR, {**told, **beyond, **dict(zip(_SPELLED, written, strict=True))})
    files = tuple(rows.file_of(row, name) for row in found if row.project_id == project.id and _is_near(row, new))
    elsewhere = 0
    if asked.sizes:
        whole = connection.execute(_SIZE, {"project": project.id}).scalar_one()
        elsewhere = int(whole or 0) - sum(file.size for file in files)
    snapshot = ProjectSnapshot(project=project, files=files, derived=(), bytes_elsewhere=elsewhere)
    return Meeting(snapshot=snapshot, deleted=deleted)


def spellings(version: str) -> tuple[tuple[str, ...], str]:
    """Return the texts by which a release is told: 1, 1.0, 1.0.0 and so on, and what every longer one begins with.

    Specification: "Version specifiers", which pads the shorter of two releases with zeros to compare them.

    :param version: in normal form
    """
    parsed = Version(version)
    release = list(parsed.release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    behind = str(parsed)[len(epoch + ".".join(map(str, parsed.release))) :]
    shortest = epoch + ".".join(map(str, release))
    written = tuple(f"{shortest}{'.0' * zeros}{behind}" for zeros in range(_SPELLINGS))
    return written, shortest + ".0" * _SPELLINGS


def _is_near(row: Row[Any], new: NewFile) -> bool:
    """Tell whether a file that was found has to do with a new one: what begins like a release may be another."""
    if row.version == new.version or row.filename == new.filename or row.sha256 == new.sha256:
        return True
    return Version(row.version) == Version(new.version)


_files, _projects = schema.files, schema.projects
_INSERT = insert(_files)
_NEAR = (
    # each part has an index of its own; one condition of all parts would read the whole project
    select(_files)
    .where(
        _files.c.id.in_(
            union_all(
                select(_files.c.id).where(
                    _files.c.project_id == bindparam("project"), _files.c.filename == bindparam("filename")
                ),
                select(_files.c.id).where(_files.c.sha256 == bindparam("sha256")),
                select(_files.c.id).where(
                    _files.c.project_id == bindparam("project"),
                    _files.c.version.in_([bindparam(name, type_=_files.c.version.type) for name in _SPELLED]),
                ),
                select(_files.c.id).where(
                    _files.c.project_id == bindparam("project"),
                    _files.c.version >= bindparam("from"),
                    _files.c.version < bindparam("to"),
                ),
            )
        )
    )
    .order_by(_files.c.id)
)
_SIZE = select(func.sum(_files.c.size)).where(_files.c.project_id == bindparam("project"))
_MADE = select(func.count()).select_from(_projects).where(_projects.c.created_at >= bindparam("since"))
_ALIKE = select(_projects.c.name).where(_projects.c.lookalike == bindparam("looks"))
