"""``candidates.json``, read once: the release as the index knew it when it made this selector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from .vendored import Candidate, Need, parse_wheel_filename


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch, and how to know that it is the right one; ``size`` is in bytes."""

    filename: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class WheelFile(RemoteFile):
    """A wheel of the release; ``need`` None means unknown."""

    metadata_sha256: str
    need: Need | None

    @property
    def candidate(self) -> Candidate:
        """The wheel as selection sees it; its key is the hash, since two builds may share one file name."""
        return as_candidate(self.filename, self.need, key=self.sha256)


@dataclass(frozen=True)
class Release:
    """One release of one project."""

    project: str
    version: str
    api_url: str
    cpufit: str
    allow_unknown: bool
    wheels: tuple[WheelFile, ...]
    source: RemoteFile | None
    wanted: bool = False
    """Whether the index counts refusals."""

    def wheel(self, sha256: str) -> WheelFile:
        """Return the wheel of that hash."""
        return next(wheel for wheel in self.wheels if wheel.sha256 == sha256)


def as_candidate(filename: str, need: Need | None, *, key: str = "") -> Candidate:
    """Return a wheel as selection sees it.

    :raises InvalidWheelFilename: the name is not one of the binary distribution format
    """
    _, _, build, tags = parse_wheel_filename(filename)
    return Candidate(filename=filename, tags=frozenset(map(str, tags)), need=need, build=build, key=key)


def read_release(path: Path | None = None) -> Release:
    """Return the release of this selector; ``candidates.json`` lies beside the backend's folder."""
    place = path or Path(__file__).resolve().parent.parent / "candidates.json"
    document = json.loads(place.read_text(encoding="utf-8"))
    return Release(
        project=document["project"],
        version=document["version"],
        api_url=document["api_url"],
        cpufit=document["cpufit"],
        allow_unknown=document["allow_unknown"],
        wheels=tuple(_wheel(row) for row in document["candidates"]),
        source=None if document["source"] is None else RemoteFile(**document["source"]),
        wanted=document["wanted"],
    )


def _wheel(row: Mapping[str, Any]) -> WheelFile:
    need = None
    if row["need"] is not None:
        need = Need.from_dict(row["need"], source=row["need_source"], evidence=row["evidence"])
    return WheelFile(
        filename=row["filename"],
        url=row["url"],
        sha256=row["sha256"],
        size=row["size"],
        metadata_sha256=row["metadata_sha256"],
        need=need,
    )
