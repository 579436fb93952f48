"""The catalog of files, kept in a database, one transaction per change.

Writers do not lock while they think. Whoever changes a project's files reads a :class:`ProjectSnapshot`, decides, and
hands the snapshot's serial back with the change; if the project moved on meanwhile, ``CatalogChanged`` is raised
and nothing was written, so that it decides anew. A large wheel is hashed and rewritten with no transaction open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import final

from packaging.utils import canonicalize_name
from sqlalchemy import URL, Connection, Engine, select, update
from sqlalchemy.exc import IntegrityError

from cpufit_wheelhouse.inspection.verdict import Verdict

from . import rows, schema, statements
from .arrivals import ArrivalTable
from .bookkeeping import USUAL_SCOPES, CatalogFigures, TokenGrant, TokenScope
from .demands import DemandTable
from .engine import copy_database, for_writing, migrate, open_engine
from .figures import read_figures
from .freezes import FreezeTable
from .groups import GroupedWriter
from .hidings import HidingTable
from .inspections import InspectionTable, write_verdict
from .journal import JournalTable
from .journal import write as write_journal
from .lifecycle import LifecycleTable
from .reading import Table, read_snapshot
from .records import (
    CatalogChanged,
    DerivedFile,
    DerivedKind,
    NewDerived,
    PolicyChange,
    Project,
    ProjectSnapshot,
    StoredFile,
)
from .references import ReferenceTable
from .snapshots import snapshot_by_types
from .tokens import TokenTable
from .upstream import UpstreamTable

NO_CHANGE = PolicyChange()


@final
class Catalog:
    """The files, projects and tokens of one index; safe for many threads and processes at once."""

    def __init__(self, engine: Engine) -> None:
        """Use :meth:`open`, which brings the tables up to date."""
        self._engine = engine
        self._writer = for_writing(engine)
        self._tokens = TokenTable(engine)
        self.arrivals = ArrivalTable(engine, GroupedWriter(self._writer))
        self.inspections = InspectionTable(engine)
        self.hidings = HidingTable(engine)
        self.demands = DemandTable(engine)
        self.freezes = FreezeTable(engine)
        self.lifecycle = LifecycleTable(engine)
        self.journal = JournalTable(engine)
        self.upstream = UpstreamTable(engine)
        self.references = ReferenceTable(engine)

    @classmethod
    def open(cls, url: str | URL) -> Catalog:
        """Open the catalog behind a database URL of SQLAlchemy's form, and bring its tables up to date.

        :raises StoreError: a newer cpufit wrote it
        """
        engine = open_engine(url)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def copy_to(self, target: Path) -> None:
        """Write the catalog as it is at one instant into a new file, beside whoever writes to it.

        :raises StoreError: it is in a database that has its own ways of being copied
        """
        copy_database(self._engine, target)

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Reading. A name may be given in any spelling.

    def project(self, name: str) -> Project | None:
        """Return a hosted project, or None."""
        with self._engine.begin() as connection:
            return statements.find_project(connection, canonicalize_name(name))

    def projects(self) -> tuple[Project, ...]:
        """Return every hosted project, by name."""
        with self._engine.begin() as connection:
            return tuple(map(rows.project_of, connection.execute(select(schema.projects).order_by("name"))))

    def names(self) -> tuple[str, ...]:
        """Return the normalised name of every hosted project, in order: cheaper by far than :meth:`projects`."""
        with self._engine.begin() as connection:
            return tuple(connection.execute(select(schema.projects.c.name).order_by("name")).scalars())

    def serial(self, name: str) -> int | None:
        """Return a number that grows with each change of a project; None if it is not hosted. One cheap query."""
        with self._engine.begin() as connection:
            return statements.serial_of(connection, canonicalize_name(name))

    def snapshot(self, name: str, known: Iterable[StoredFile] = ()) -> ProjectSnapshot | None:
        """Return a project, its files and its derived files as they are at one instant; None if it is not hosted.

        :param known: its files as they were once, of which those that are the same still are taken again
        """
        with self._engine.begin() as connection:
            if self._engine.dialect.name != "sqlite":
                return snapshot_by_types(connection, name)
            return read_snapshot(partial(_read, connection), name, known)

    def files(self, name: str) -> tuple[StoredFile, ...]:
        """Return a project's files in the order of arrival; none for a project that is not hosted."""
        snapshot = self.snapshot(name)
        return () if snapshot is None else snapshot.files

    def derived(self, name: str) -> tuple[DerivedFile, ...]:
        """Return what was derived of a project's files, in order; none for a project that is not hosted."""
        snapshot = self.snapshot(name)
        return () if snapshot is None else snapshot.derived

    def figures(self) -> CatalogFigures:
        """Return how much the catalog holds."""
        with self._engine.begin() as connection:
            return read_figures(connection)

    def find_file(self, sha256: str) -> tuple[StoredFile, ...]:
        """Return every file with these bytes; one wheel may stand in several projects."""
        query = statements.with_project(schema.files).where(schema.files.c.sha256 == sha256).order_by(schema.files.c.id)
        with self._engine.begin() as connection:
            return tuple(rows.file_of(row, row.project_name) for row in connection.execute(query))

    def find_derived(self, sha256: str, kind: DerivedKind | None = None) -> tuple[DerivedFile, ...]:
        """Return every derived file with these bytes, of one kind or of any."""
        derived = schema.derived
        query = statements.with_project(derived).where(derived.c.sha256 == sha256).order_by(derived.c.id)
        if kind is not None:
            query = query.where(derived.c.kind == kind)
        with self._engine.begin() as connection:
            return tuple(rows.derived_of(row, row.project_name) for row in connection.execute(query))

    # Changing projects.

    def ensure_project(self, name: str, change: PolicyChange = NO_CHANGE) -> Project:
        """Return a project, making it where it is missing; a policy that is given is set either way.

        :param name: what is shown if the project is made here
        """
        try:
            with self._writer.begin() as connection:
                if statements.find_project(connection, canonicalize_name(name)) is None:
                    statements.insert_project(connection, name)
        except IntegrityError:  # another writer made it in this instant, and that is as good
            pass
        return self.set_policy(name, change)

    def set_policy(self, name: str, change: PolicyChange, *, said: tuple[str, str] | None = None) -> Project:
        """Change a project's policy, and return the project.

        :param said: who changes it and why, for the journal
        :raises NoSuchProject: it is not hosted
        """
        projects, given = schema.projects, change.values()
        with self._writer.begin() as connection:
            project = statements.hosted(connection, name)
            if any(getattr(project, key) != value for key, value in given.items()):
                columns = {**given, "serial": projects.c.serial + 1}
                connection.execute(update(projects).where(projects.c.id == project.id).values(columns))
                if said is not None:
                    write_journal(connection, project.id, "settings", who=said[0], why=said[1])
                project = statements.hosted(connection, name)
        return project

    # Changing files; for those that come in, and for needs, see cpufit_wheelhouse.catalog.arrivals.

    def keep_verdict(self, sha256: str, verdict: Verdict) -> None:
        """Keep a verdict that changes no file's need."""
        with self._writer.begin() as connection:
            write_verdict(connection, sha256, verdict)

    def add_derived(
        self, project: str, new: NewDerived, *, before_commit: Callable[[], object] = lambda: None
    ) -> DerivedFile:
        """Add a selector or a variants file; the same one twice is one.

        :param before_commit: moves its blob in; called when it is sure that the row will name it
        :raises NoSuchProject: the project is not hosted
        :raises CatalogChanged: its release is not there any more
        """
        name, derived, files = canonicalize_name(project), schema.derived, schema.files
        with self._writer.begin() as connection:
            found = statements.hosted(connection, project)
            # The project's row is locked before looking, so that two writers of one selector do not both find none.
            statements.bump(connection, found.id)
            release = select(files.c.id).where(files.c.project_id == found.id, files.c.version == new.version)
            if connection.execute(release.limit(1)).first() is None:
                raise CatalogChanged(f"{project} has no release {new.version} any more")
            query = select(derived).where(
                derived.c.project_id == found.id,
                derived.c.kind == new.kind,
                derived.c.filename == new.filename,
                derived.c.sha256 == new.sha256,
            )
            # also for a row that is there: its blob may have been lost
            before_commit()
            row = connection.execute(query).first()
            if row is not None:
                connection.rollback()
                return rows.derived_of(row, name)
            statements.insert_derived(connection, [new], found.id, None, datetime.now(timezone.utc))
            return rows.derived_of(connection.execute(query).one(), name)

    # Tokens; see cpufit_wheelhouse.catalog.tokens.

    def create_token(
        self,
        projects: tuple[str, ...] | None,
        description: str,
        *,
        scopes: frozenset[TokenScope] = USUAL_SCOPES,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a token and return its secret; ``projects`` None makes it one for every project."""
        return self._tokens.create(projects, description, scopes=scopes, expires_at=expires_at)

    def check_token(self, secret: str) -> TokenGrant | None:
        """Return what a secret allows; None for an unknown or revoked one. Whether it has expired is in the grant."""
        return self._tokens.check(secret)

    def tokens(self) -> tuple[TokenGrant, ...]:
        """Return every token, revoked ones too, oldest first."""
        return self._tokens.all()

    def note_token_uses(self, uses: Mapping[int, datetime]) -> None:
        """Write down when tokens were used last, by their ids."""
        self._tokens.note_uses(uses)

    def revoke_token(self, token_id: int) -> bool:
        """End a token; False where no valid one has this id."""
        return self._tokens.revoke(token_id)


def _read(connection: Connection, query: str, value: object) -> Table:
    found = connection.exec_driver_sql(query, (value,))
    return list(found.keys()), map(tuple, found)
