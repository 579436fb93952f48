"""A project as it is at one instant, read through SQLAlchemy by the types of the columns: for any database.

SQLite's rows are read by :mod:`.reading`, which is faster and needs no SQLAlchemy; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from packaging.utils import canonicalize_name
from sqlalchemy import Connection, Table, select

from . import rows, schema, statements
from .freezes import freezes_in_force
from .hidings import hidden_in
from .records import ProjectSnapshot

_Made = TypeVar("_Made")


def snapshot_by_types(connection: Connection, name: str) -> ProjectSnapshot | None:
    """Return a project, its files and its derived files, in the caller's transaction; None if it is not hosted."""
    project = statements.find_project(connection, canonicalize_name(name))
    if project is None:
        return None

    def made(table: Table, make: Callable[[Any], _Made]) -> tuple[_Made, ...]:
        query = select(table).where(table.c.project_id == project.id).order_by(table.c.id)
        return tuple(map(make, connection.execute(query)))

    return ProjectSnapshot(
        project=project,
        files=made(schema.files, lambda row: rows.file_of(row, project.name)),
        derived=made(schema.derived, lambda row: rows.derived_of(row, project.name)),
        hidings=hidden_in(connection, project.id),
        freezes=freezes_in_force(connection, project.id),
    )
