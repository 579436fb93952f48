"""Frozen releases: made, ended and listed; a row is never removed, so who froze what, when and why stays known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from packaging.utils import canonicalize_name
from sqlalchemy import Connection, Engine, insert, select, update

from . import journal, rows, schema, statements
from .engine import for_writing
from .records import Freeze, StoredFile


class FreezeTable:
    """The freezes of one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def set(
        self,
        project: str,
        version: str,
        selector_sha256: str,
        candidates: Iterable[StoredFile],
        *,
        seen: int,
        who: str,
        why: str,
    ) -> Freeze:
        """Freeze a release, ending an earlier freeze of it.

        :param candidates: the wheels that the selector may choose
        :param seen: the project's serial on which the decision rests
        :raises CatalogChanged: the project moved on since
        """
        now = datetime.now(timezone.utc)
        known = sorted({(file.sha256, file.need_key) for file in candidates})
        row = {
            "version": version,
            "selector_sha256": selector_sha256,
            "candidates": [list(pair) for pair in known],
            "who": who,
            "why": why,
            "created_at": now,
        }
        with self._writer.begin() as connection:
            project_id = statements.claim(connection, project, seen, variants=False)
            end_in(connection, project_id, version, who=who, why=why, now=now)
            connection.execute(insert(schema.freezes), {**row, "project_id": project_id})
            journal.write(connection, project_id, "freeze", who=who, why=f"{version}: {why}")
        return Freeze(
            version=version,
            selector_sha256=selector_sha256,
            candidates=tuple(known),
            who=who,
            why=why,
            created_at=now,
        )

    def end(self, project: str, version: str, *, who: str, why: str) -> bool:
        """End the freeze of a release; False where there is none in force."""
        with self._writer.begin() as connection:
            found = statements.find_project(connection, canonicalize_name(project))
            if found is None:
                return False
            ended = end_in(connection, found.id, version, who=who, why=why)
            if ended:
                statements.bump(connection, found.id)
                journal.write(connection, found.id, "unfreeze", who=who, why=f"{version}: {why}")
        return ended > 0

    def of(self, project: str) -> tuple[Freeze, ...]:
        """Return all that there ever were of a project, oldest first."""
        projects, freezes = schema.projects, schema.freezes
        query = select(freezes).join(projects, freezes.c.project_id == projects.c.id).order_by(freezes.c.id)
        with self._engine.begin() as connection:
            found = connection.execute(query.where(projects.c.name == canonicalize_name(project))).all()
        return tuple(map(rows.freeze_of, found))


def freezes_in_force(connection: Connection, project_id: int) -> tuple[Freeze, ...]:
    """Return a project's freezes that were not ended."""
    freezes = schema.freezes
    query = select(freezes).where(freezes.c.project_id == project_id, freezes.c.ended_at.is_(None))
    return tuple(map(rows.freeze_of, connection.execute(query.order_by(freezes.c.id))))


def end_in(
    connection: Connection, project_id: int, version: str, *, who: str, why: str, now: datetime | None = None
) -> int:
    """End the freeze of a release in its caller's transaction; returns how many were in force, which is one or none."""
    freezes = schema.freezes
    in_force = (freezes.c.project_id == project_id, freezes.c.version == version, freezes.c.ended_at.is_(None))
    values = {"ended_at": now or datetime.now(timezone.utc), "ended_who": who, "ended_why": why}
    return connection.execute(update(freezes).where(*in_force).values(values)).rowcount
