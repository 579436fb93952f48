"""From values to rows and back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from packaging.utils import NormalizedName

from cpufit_resolver.need import Need

from .records import DerivedFile, Freeze, Hiding, NewDerived, NewFile, Project, StoredFile

if TYPE_CHECKING:
    from sqlalchemy import Row

_FILE_FIELDS = (
    "kind",
    "version",
    "filename",
    "sha256",
    "blake2",
    "size",
    "metadata_sha256",
    "requires_python",
    "dependencies_key",
    "has_native",
    "attestations_sha256",
)
_DERIVED_FIELDS = ("version", "kind", "filename", "sha256", "size", "label", "properties", "metadata_sha256")


def project_of(row: Row[Any]) -> Project:
    """Return the project that a row of ``projects`` holds."""
    return Project(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        variants=row.variants,
        unknown=row.unknown,
        plain=row.plain,
        build_sdist=row.build_sdist,
        serial=row.serial,
        instead=row.instead,
        status=row.status,
        status_reason=row.status_reason,
        upstream=row.upstream,
    )


def need_columns(need: Need | None, key: str) -> dict[str, object]:
    """Return the four columns that hold a need."""
    return {
        "need_key": key,
        "need": None if need is None else need.as_dict(),
        "need_source": None if need is None else need.source,
        "need_evidence": [] if need is None else list(need.evidence),
    }


def file_columns(new: NewFile) -> dict[str, object]:
    """Return the columns of a row of ``files``, but for its project and date."""
    return {
        **{field: getattr(new, field) for field in _FILE_FIELDS},
        **need_columns(new.need, new.need_key),
        "tags": list(new.tags),
        "platforms": list(new.platforms),
        "build": list(new.build),
        "provenance": dict(new.provenance),
    }


def file_of(row: Row[Any], project: NormalizedName, digest: bytes = b"") -> StoredFile:
    """Return the file that a row of ``files`` holds.

    :param digest: tells the row from any other
    """
    return StoredFile(
        **{field: getattr(row, field) for field in _FILE_FIELDS},
        id=row.id,
        project=project,
        need=_need_of(row),
        tags=tuple(row.tags),
        platforms=tuple(row.platforms),
        build=(row.build[0], row.build[1]) if row.build else (),
        uploaded_at=row.uploaded_at,
        provenance=row.provenance,
        yanked=row.yanked,
        row=digest,
    )


def stored(new: NewFile, *, id: int, project: NormalizedName, uploaded_at: datetime) -> StoredFile:  # noqa: A002  # as the column
    """Return the file that a row of ``files`` holds which was made of a new one in this instant."""
    return StoredFile(
        **{field: getattr(new, field) for field in (*_FILE_FIELDS, "need", "tags", "platforms", "build")},
        provenance=dict(new.provenance),
        id=id,
        project=project,
        uploaded_at=uploaded_at,
    )


def _need_of(row: Row[Any]) -> Need | None:
    if row.need is None:
        return None
    return Need.from_dict(row.need, source=row.need_source, evidence=row.need_evidence)


def derived_columns(new: NewDerived) -> dict[str, object]:
    """Return the columns of a row of ``derived``, but for its project, file and date."""
    return {field: getattr(new, field) for field in _DERIVED_FIELDS}


def derived_of(row: Row[Any], project: NormalizedName) -> DerivedFile:
    """Return the derived file that a row of ``derived`` holds."""
    return DerivedFile(
        **{field: getattr(row, field) for field in _DERIVED_FIELDS},
        id=row.id,
        project=project,
        file_id=row.file_id,
        created_at=row.created_at,
    )


def hiding_of(row: Row[Any]) -> Hiding:
    """Return the hiding that a row of ``hidings`` holds."""
    return Hiding(sha256=row.sha256, who=row.who, why=row.why, created_at=row.created_at, ended_at=row.ended_at)


def freeze_of(row: Row[Any]) -> Freeze:
    """Return the freeze that a row of ``freezes`` holds."""
    return Freeze(
        version=row.version,
        selector_sha256=row.selector_sha256,
        candidates=tuple((sha256, need_key) for sha256, need_key in row.candidates),
        who=row.who,
        why=row.why,
        created_at=row.created_at,
        ended_who=row.ended_who,
        ended_why=row.ended_why,
        ended_at=row.ended_at,
    )
