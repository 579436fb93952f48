"""The statements of which the catalog's transactions consist; each runs in its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from sqlalchemy import Connection, Select, Table, bindparam, func, insert, select, update

from cpufit_wheelhouse.errors import NoSuchProject
from cpufit_wheelhouse.lookalikes import lookalike

from . import rows, schema
from .records import CatalogChanged, NewDerived, Project, StoredFile

_DEFAULT_POLICY = {"variants": False, "unknown": "refuse", "plain": "ordinary", "build_sdist": False}

# Those of each upload are made once. No parameter is called as a column is: an update would take it for a value.
_named = schema.projects.c.name == bindparam("known")
_PROJECT = select(schema.projects).where(_named)
_SERIAL = select(schema.projects.c.serial).where(_named)
_PROJECT_ID = select(schema.projects.c.id).where(_named)
_LAST_SERIAL = select(func.max(schema.journal.c.serial)).where(schema.journal.c.project == bindparam("known"))
_CLAIM = (
    update(schema.projects)
    .where(_named, schema.projects.c.serial == bindparam("seen"))
    .values(serial=schema.projects.c.serial + 1)
)
_CLAIM_WITH_VARIANTS = _CLAIM.values(variants=True)


def find_project(connection: Connection, name: NormalizedName) -> Project | None:
    """Return a project by its normalised name."""
    row = connection.execute(_PROJECT, {"known": name}).one_or_none()
    return None if row is None else rows.project_of(row)


def serial_of(connection: Connection, name: NormalizedName) -> int | None:
    """Return a project's serial, by its normalised name; None if it is not hosted."""
    return connection.execute(_SERIAL, {"known": name}).scalar_one_or_none()


def hosted(connection: Connection, name: str) -> Project:
    """Return a hosted project by its name in any spelling.

    :raises NoSuchProject: it is not hosted
    """
    found = find_project(connection, canonicalize_name(name))
    if found is None:
        raise NoSuchProject(f"no project {name!r} is hosted here")
    return found


def insert_project(connection: Connection, name: str, *, variants: bool = False) -> int:
    """Make a project with the default policy; returns its id.

    Where a project of this name was deleted, the serial counts on from its last one: pages are known by it.
    """
    known = canonicalize_name(name)
    row = {
        **_DEFAULT_POLICY,
        "name": known,
        "lookalike": lookalike(known),
        "display_name": name,
        "variants": variants,
        "serial": (connection.execute(_LAST_SERIAL, {"known": known}).scalar() or 0) + 1,
        "created_at": datetime.now(timezone.utc),
    }
    return inserted(connection, schema.projects, row)


def claim(connection: Connection, name: str, seen: int | None, *, variants: bool) -> int:
    """Lock a project for this transaction, and see that it is as it was; returns its id.

    :raises CatalogChanged: its serial is not ``seen`` any more
    :raises IntegrityError: ``seen`` is None, and the project exists by now
    """
    if seen is None:
        return insert_project(connection, name, variants=variants)
    known = canonicalize_name(name)
    change = _CLAIM_WITH_VARIANTS if variants else _CLAIM
    if connection.execute(change, {"known": known, "seen": seen}).rowcount != 1:
        raise CatalogChanged(f"the project {name!r} changed meanwhile")
    return int(connection.execute(_PROJECT_ID, {"known": known}).scalar_one())


def bump(connection: Connection, project_id: int) -> None:
    """Tell the world that a project changed."""
    projects = schema.projects
    connection.execute(update(projects).where(projects.c.id == project_id).values(serial=projects.c.serial + 1))


def inserted(connection: Connection, table: Table, row: dict[str, object]) -> int:
    """Insert a row and return its id."""
    key: tuple[int, ...] = tuple(connection.execute(insert(table), row).inserted_primary_key or ())
    return key[0]


def insert_derived(
    connection: Connection, derived: Iterable[NewDerived], project_id: int, file_id: int | None, now: datetime
) -> None:
    """Insert what was derived of a file, or of a release if ``file_id`` is None."""
    for new in derived:
        row = {**rows.derived_columns(new), "project_id": project_id, "file_id": file_id, "created_at": now}
        connection.execute(insert(schema.derived), row)


def with_project(table: Table) -> Select[Any]:
    """Return a query of a table's rows with their project's name."""
    query = select(table, schema.projects.c.name.label("project_name"))
    return query.join(schema.projects, table.c.project_id == schema.projects.c.id)


def find_file(connection: Connection, file_id: int) -> StoredFile:
    """Return a file by its id."""
    row = connection.execute(with_project(schema.files).where(schema.files.c.id == file_id)).one()
    return rows.file_of(row, row.project_name)
