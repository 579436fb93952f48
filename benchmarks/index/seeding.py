"""Filling a cpufit home without uploads: one wheel goes in through the front door, the others are written like it.

A hundred thousand uploads would take longer than everything that is measured. The bytes are hard links where the file
system has them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, insert, select

from cpufit_wheelhouse.admission.rules import Submission
from cpufit_wheelhouse.catalog import schema
from cpufit_wheelhouse.catalog.engine import open_engine
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.lookalikes import lookalike

from .data import Shelf, metadata_of

_AT_ONCE = 2000


def seed_home(path: Path, shelf: Shelf) -> None:
    """Make a home that hosts every file of a shelf; the server must not run."""
    project_row, file_row = _template(shelf)
    with open_home(path) as home:
        engine = open_engine(URL.create("sqlite", database=str(path / "catalog.sqlite3")))
        try:
            _write(engine, home, shelf, project_row, file_row)
        finally:
            engine.dispose()


def _template(shelf: Shelf) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows that an upload of a shelf's first file makes."""
    project, file = next(shelf.files())
    with tempfile.TemporaryDirectory() as scratch, open_home(Path(scratch)) as home:
        with home.blobs.stage() as staged:
            staged.write(file.read_bytes())
            home.ingest.wheel(
                staged, file.name, provenance={"source": "upload"}, submission=Submission(project=project)
            )
        engine = open_engine(URL.create("sqlite", database=str(Path(scratch) / "catalog.sqlite3")))
        try:
            with engine.begin() as connection:
                made = [connection.execute(select(table)).mappings().one() for table in (schema.projects, schema.files)]
        finally:
            engine.dispose()
    project_row, file_row = ({key: value for key, value in row.items() if key != "id"} for row in made)
    return project_row, file_row


def _write(engine: Engine, home: Home, shelf: Shelf, project_row: dict[str, Any], file_row: dict[str, Any]) -> None:
    ids = {name: number for number, name in enumerate(shelf.projects, 1)}
    projects = [
        {**project_row, "id": ids[name], "name": name, "display_name": name, "lookalike": lookalike(name)}
        for name in shelf.projects
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.projects), projects)
    for rows in _batches(_rows(home, shelf, ids, file_row)):
        with engine.begin() as connection:
            connection.execute(insert(schema.files), rows)


def _rows(home: Home, shelf: Shelf, ids: dict[str, int], file_row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for project, file in shelf.files():
        data, metadata = file.read_bytes(), metadata_of(file)
        sha256, metadata_sha256 = hashlib.sha256(data).hexdigest(), hashlib.sha256(metadata).hexdigest()
        _place(_blob(home, sha256), file, data)
        _place(_blob(home, metadata_sha256), None, metadata)
        yield {
            **file_row,
            "project_id": ids[project],
            "version": str(parse_wheel_filename(file.name).version),
            "filename": file.name,
            "sha256": sha256,
            "blake2": hashlib.blake2b(data, digest_size=32).hexdigest(),
            "size": len(data),
            "metadata_sha256": metadata_sha256,
        }


def _blob(home: Home, sha256: str) -> Path:
    # the store tells only where blobs are that it has; the layout is in its docstring
    return home.path / "blobs" / sha256[:2] / sha256[2:4] / sha256


def _place(target: Path, source: Path | None, data: bytes) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if source is not None:
            os.link(source, target)
            return
    except OSError:  # another file system, or one without links
        pass
    target.write_bytes(data)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
