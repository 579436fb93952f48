"""How much a catalog holds, in a few sums."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from . import schema
from .bookkeeping import CatalogFigures


def read_figures(connection: Connection) -> CatalogFigures:
    """Return how much there is, in the caller's transaction."""
    files, projects, held = schema.files, schema.projects, schema.held
    kinds = select(files.c.kind, func.count(), func.sum(files.c.size)).group_by(files.c.kind)
    hosted = select(func.count(), func.coalesce(func.sum(projects.c.serial), 0)).select_from(projects)
    waiting = select(func.count()).select_from(held).where(held.c.state == "waiting")
    by_kind = {kind: (count, size) for kind, count, size in connection.execute(kinds)}
    count, changes = connection.execute(hosted).one()
    return CatalogFigures(
        projects=count,
        files={kind: by_kind.get(kind, (0, 0))[0] for kind in ("wheel", "sdist")},
        size=sum(size for _, size in by_kind.values()),
        held=connection.execute(waiting).scalar_one(),
        changes=changes,
    )
