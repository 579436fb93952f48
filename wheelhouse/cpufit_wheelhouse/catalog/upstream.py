"""What was found out about files that pass through from another index: their METADATA, and what they need."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, insert, select, update

from cpufit_resolver.need import Need
from cpufit_wheelhouse.inspection.verdict import Verdict

from . import schema
from .engine import for_writing
from .inspections import overrides_on, write_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFile:
    """A file of another index about which something is known here."""

    project: str
    """In normal form."""
    filename: str
    sha256: str
    metadata_sha256: str | None
    """Of METADATA that was read out of it; None where nobody did."""
    verdict: Verdict | None
    """None while it was not inspected."""
    need: Need | None
    """By an operator's override in force, else by the verdict; None while unknown."""


class UpstreamTable:
    """The files of another index in one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def files(self, project: str) -> tuple[UpstreamFile, ...]:
        """Return the files of a project about which something is known.

        :param project: in normal form
        """
        files, verdicts = schema.upstream_files, schema.verdicts
        query = (
            select(files, verdicts.c.verdict)
            .outerjoin(verdicts, verdicts.c.sha256 == files.c.sha256)
            .where(files.c.project == project)
            .order_by(files.c.id)
        )
        with self._engine.begin() as connection:
            found = connection.execute(query).all()
            overrides = overrides_on(connection, select(files.c.sha256).where(files.c.project == project))
        return tuple(_file(row, None if row.sha256 not in overrides else overrides[row.sha256].need) for row in found)

    def names(self, sha256: str) -> tuple[str, ...]:
        """Return the names of the files with these bytes about which something is known."""
        files = schema.upstream_files
        query = select(files.c.filename).where(files.c.sha256 == sha256).order_by(files.c.id)
        with self._engine.begin() as connection:
            return tuple(dict.fromkeys(connection.execute(query).scalars()))

    def record(
        self,
        project: str,
        filename: str,
        sha256: str,
        *,
        metadata_sha256: str | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Record what was found out about a file; what is None stays as it was."""
        with self._writer.begin() as connection:
            _ensure(connection, project, filename, sha256)
            if metadata_sha256 is not None:
                files = schema.upstream_files
                same = (files.c.project == project, files.c.sha256 == sha256, files.c.filename == filename)
                connection.execute(update(files).where(*same).values(metadata_sha256=metadata_sha256))
            if verdict is not None:
                write_verdict(connection, sha256, verdict)


def _ensure(connection: Connection, project: str, filename: str, sha256: str) -> None:
    files = schema.upstream_files
    row = {"project": project, "filename": filename, "sha256": sha256}
    known = select(files.c.id).where(*(files.c[name] == value for name, value in row.items()))
    if connection.execute(known).first() is None:
        connection.execute(insert(files), row)


def _file(row: Row[tuple[object, ...]], overridden: Need | None) -> UpstreamFile:
    verdict = None if row.verdict is None else Verdict.from_dict(row.verdict)
    return UpstreamFile(
        project=row.project,
        filename=row.filename,
        sha256=row.sha256,
        metadata_sha256=row.metadata_sha256,
        verdict=verdict,
        need=overridden if overridden is not None or verdict is None else verdict.need,
    )
