"""Projects as the views see them, made up: files of every kind, and what was derived of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from packaging.utils import canonicalize_name

from cpufit_resolver.need import BASELINE_NEED, Need, parse_need
from cpufit_server.views import Links
from cpufit_wheelhouse.catalog import DerivedFile, Project, ProjectSnapshot, StoredFile
from cpufit_wheelhouse.filename import parse_wheel_filename

LINKS = Links(root="../../", fresh="fresh")
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
LINUX = "cp311-cp311-manylinux_2_17_x86_64"


def project(**policy: Any) -> Project:
    """Return a project named ``fast``."""
    values: dict[str, Any] = {"variants": True, "unknown": "refuse", "plain": "ordinary", "build_sdist": False}
    return Project(id=1, name=canonicalize_name("fast"), display_name="fast", serial=1, **{**values, **policy})


def stored(filename: str, need: Need | str | None = BASELINE_NEED, **values: Any) -> StoredFile:
    """Return a file of it; a need may be written as a level."""
    kind = "wheel" if filename.endswith(".whl") else "sdist"
    parsed = parse_wheel_filename(filename) if kind == "wheel" else None
    if isinstance(need, str):
        need = parse_need(need, frozenset())
    digest = f"{abs(hash((filename, need))):064x}"
    return StoredFile(
        **{
            "id": abs(hash((filename, need))),
            "project": "fast",
            "version": str(parsed.version) if parsed else "1.0",
            "filename": filename,
            "kind": kind,
            "need": need,
            "sha256": digest,
            "blake2": digest,
            "size": 10,
            "metadata_sha256": digest[::-1],
            "requires_python": ">=3.9",
            "dependencies_key": "",
            "tags": tuple(sorted(parsed.tags)) if parsed else (),
            "platforms": parsed.platforms if parsed else (),
            "build": parsed.build if parsed else (),
            "has_native": need != BASELINE_NEED,
            "uploaded_at": NOW,
            "provenance": {},
            **values,
        }
    )


def wheel(
    tags: str = LINUX, need: Need | str | None = BASELINE_NEED, version: str = "1.0", **values: Any
) -> StoredFile:
    return stored(f"fast-{version}-{tags}.whl", need, **values)


SDIST = stored("fast-1.0.tar.gz", None)


def snapshot(*files: StoredFile, derived: tuple[DerivedFile, ...] = (), **policy: Any) -> ProjectSnapshot:
    return ProjectSnapshot(project=project(**policy), files=files, derived=derived)


def selector(version: str = "1.0") -> DerivedFile:
    return derive("selector", f"fast-{version}.tar.gz", version=version)


def derive(
    kind: str, filename: str, *, version: str = "1.0", source: StoredFile | None = None, **values: Any
) -> DerivedFile:
    return DerivedFile(
        **{
            "id": abs(hash(filename)),
            "project": "fast",
            "version": version,
            "kind": kind,
            "file_id": None if source is None else source.id,
            "filename": filename,
            "sha256": f"{abs(hash((filename, source and source.need))):064x}",
            "size": 5,
            "label": None,
            "properties": None,
            "metadata_sha256": None,
            "created_at": NOW,
            **values,
        }
    )


def labelled(source: StoredFile, label: str, level: str) -> DerivedFile:
    filename = source.filename.replace(".whl", f"-{label}.whl")
    properties = {"x86_64": {"level": [level]}}
    return derive("labelled", filename, source=source, label=label, properties=properties, metadata_sha256="ab" * 32)
