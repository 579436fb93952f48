"""What is kept of inspections: verdicts by the wheel's bytes, operators' overrides, and files held until a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, Select, bindparam, delete, insert, select, update

from cpufit_resolver.need import Need
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.judgement import Override

from . import schema
from .engine import for_writing

OVERRIDE = "override by "
"""How the evidence begins that an operator's override gives."""

HeldState = Literal["waiting", "accepted", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHeld:
    """An uploaded wheel whose verdict takes longer than its uploader waited."""

    project: str
    """In normal form."""
    filename: str
    sha256: str
    size: int
    declared: str | None
    provenance: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFile(NewHeld):
    """A held file as the catalog has it."""

    id: int
    state: HeldState
    error: Mapping[str, str] | None
    """Why it was refused in the end."""
    created_at: datetime
    decided_at: datetime | None


class InspectionTable:
    """The verdicts, overrides and held files of one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def verdict(self, sha256: str) -> Verdict | None:
        """Return the verdict on these bytes; None while there is none."""
        with self._engine.begin() as connection:
            found = connection.execute(_VERDICT, {"of": sha256}).scalar_one_or_none()
        return None if found is None else Verdict.from_dict(found)

    def verdicts(self, project_id: int) -> dict[str, Verdict]:
        """Return the verdicts on a project's files, by SHA-256."""
        verdicts, files = schema.verdicts, schema.files
        query = select(verdicts.c.sha256, verdicts.c.verdict).where(
            verdicts.c.sha256.in_(select(files.c.sha256).where(files.c.project_id == project_id))
        )
        with self._engine.begin() as connection:
            return {row.sha256: Verdict.from_dict(row.verdict) for row in connection.execute(query)}

    def override(self, sha256: str) -> Override | None:
        """Return the override in force for these bytes."""
        with self._engine.begin() as connection:
            row = connection.execute(_OVERRIDE, {"of": sha256}).one_or_none()
        return None if row is None else _override(row)

    def overrides(self, *, ended: bool = False) -> tuple[Override, ...]:
        """Return every override in force, oldest first.

        :param ended: also those that were ended or replaced
        """
        query = select(schema.overrides).order_by(schema.overrides.c.id)
        if not ended:
            query = query.where(schema.overrides.c.revoked_at.is_(None))
        with self._engine.begin() as connection:
            return tuple(map(_override, connection.execute(query)))

    def overrides_in(self, project_id: int) -> dict[str, Override]:
        """Return the overrides in force on a project's files, by SHA-256."""
        files = schema.files
        with self._engine.begin() as connection:
            return overrides_on(connection, select(files.c.sha256).where(files.c.project_id == project_id))

    def set_override(self, sha256: str, need: Need, *, who: str, why: str) -> Override:
        """Record an override; an earlier one for these bytes ends, and stays on record."""
        new = new_override(sha256, need, who=who, why=why)
        row = {"sha256": sha256, "need": need.as_dict(), "who": who, "why": why, "created_at": new.created_at}
        with self._writer.begin() as connection:
            _end_overrides(connection, sha256, new.created_at)
            connection.execute(insert(schema.overrides), row)
        return new

    def end_override(self, sha256: str) -> bool:
        """End the override for these bytes; False where there is none."""
        with self._writer.begin() as connection:
            return _end_overrides(connection, sha256, datetime.now(timezone.utc)) > 0

    def hold(self, new: NewHeld, *, before_commit: Callable[[], object] = lambda: None) -> HeldFile:
        """Record a held file; the same bytes with the same name and declared need wait once.

        :param before_commit: brings its bytes to their place, while nobody can remove them as not waited for
        """
        held = schema.held
        same = select(held).where(
            held.c.sha256 == new.sha256,
            held.c.filename == new.filename,
            held.c.declared.is_not_distinct_from(new.declared),
            held.c.state == "waiting",
        )
        with self._writer.begin() as connection:
            row = connection.execute(same).first()
            if row is None:
                columns = {name: getattr(new, name) for name in _HELD_FIELDS}
                values = {**columns, "state": "waiting", "created_at": datetime.now(timezone.utc)}
                connection.execute(insert(held), values)
                row = connection.execute(same).one()
            before_commit()
            return _held(row)

    def while_not_waiting(self, sha256: str, act: Callable[[], object]) -> None:
        """Do something with the bytes of held files if none of them waits, while none can come to wait."""
        held = schema.held
        with self._writer.begin() as connection:
            waiting = select(held.c.id).where(held.c.sha256 == sha256, held.c.state == "waiting")
            if connection.execute(waiting.limit(1)).first() is None:
                act()

    def held(self, held_id: int | None = None, *, state: HeldState | None = None) -> tuple[HeldFile, ...]:
        """Return held files, oldest first: all, one, or those in a state."""
        held = schema.held
        query = select(held).order_by(held.c.id)
        if held_id is not None:
            query = query.where(held.c.id == held_id)
        if state is not None:
            query = query.where(held.c.state == state)
        with self._engine.begin() as connection:
            return tuple(map(_held, connection.execute(query)))

    def decide_held(self, held_id: int, state: HeldState, error: Mapping[str, str] | None = None) -> None:
        """Record what became of a held file."""
        held = schema.held
        values = {"state": state, "error": None if error is None else dict(error)}
        change = update(held).where(held.c.id == held_id, held.c.state == "waiting")
        with self._writer.begin() as connection:
            connection.execute(change.values({**values, "decided_at": datetime.now(timezone.utc)}))

    def forget_held(self, before: datetime) -> int:
        """Remove the rows of held files that were decided before a date; returns how many."""
        held = schema.held
        with self._writer.begin() as connection:
            return connection.execute(
                delete(held).where(held.c.state != "waiting", held.c.decided_at < before)
            ).rowcount


def new_override(sha256: str, need: Need, *, who: str, why: str) -> Override:
    """Return an override as it would be recorded now."""
    now = datetime.now(timezone.utc)
    return Override(sha256=sha256, need=_need(need.as_dict(), who, why), who=who, why=why, created_at=now)


def overrides_on(connection: Connection, sha256s: Select[tuple[str]]) -> dict[str, Override]:
    """Return the overrides in force for the bytes that a query names, by SHA-256."""
    overrides = schema.overrides
    query = select(overrides).where(overrides.c.revoked_at.is_(None), overrides.c.sha256.in_(sha256s))
    return {row.sha256: _override(row) for row in connection.execute(query)}


def write_verdict(connection: Connection, sha256: str, verdict: Verdict) -> None:
    """Store a verdict in its caller's transaction, in place of an earlier one."""
    verdicts = schema.verdicts
    values = {
        "verdict": verdict.as_dict(),
        "rules_version": verdict.rules_version,
        "inspected_at": datetime.now(timezone.utc),
    }
    if not connection.execute(update(verdicts).where(verdicts.c.sha256 == sha256).values(values)).rowcount:
        connection.execute(insert(verdicts), {"sha256": sha256, **values})


# those of each upload are made once
_VERDICT = select(schema.verdicts.c.verdict).where(schema.verdicts.c.sha256 == bindparam("of"))
_OVERRIDE = (
    select(schema.overrides)
    .where(schema.overrides.c.sha256 == bindparam("of"), schema.overrides.c.revoked_at.is_(None))
    .order_by(schema.overrides.c.id.desc())
    .limit(1)
)
_HELD_FIELDS = ("project", "filename", "sha256", "size", "declared", "provenance")


def _end_overrides(connection: Connection, sha256: str, now: datetime) -> int:
    overrides = schema.overrides
    change = update(overrides).where(overrides.c.sha256 == sha256, overrides.c.revoked_at.is_(None))
    return connection.execute(change.values(revoked_at=now)).rowcount


def _need(data: Any, who: str, why: str) -> Need:
    return Need.from_dict(data, source="declared", evidence=(f"{OVERRIDE}{who}: {why}",))


def _override(row: Row[Any]) -> Override:
    return Override(
        sha256=row.sha256,
        need=_need(row.need, row.who, row.why),
        who=row.who,
        why=row.why,
        created_at=row.created_at,
        ended_at=row.revoked_at,
    )


def _held(row: Row[Any]) -> HeldFile:
    return HeldFile(
        **{name: getattr(row, name) for name in _HELD_FIELDS},
        id=row.id,
        state=row.state,
        error=row.error,
        created_at=row.created_at,
        decided_at=row.decided_at,
    )
