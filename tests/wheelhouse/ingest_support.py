"""Small wheels, and what a home holds: what the tests of ingest share."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from typing import Any

from cpufit_wheelhouse.catalog import Project, ProjectSnapshot
from cpufit_wheelhouse.home import Home
from cpufit_wheelhouse.ingest import Ingested

LINUX = "manylinux_2_17_x86_64"
NAME = f"demo-1.0-cp311-abi3-{LINUX}.whl"
X86 = frozenset({"x86_64"})


def wheel_bytes(
    filename: str = NAME,
    *,
    content: str = "first",
    native: bool = True,
    requires: tuple[str, ...] = (),
    name: str = "Demo",
    extra: dict[str, bytes] | None = None,
) -> bytes:
    """Return a whole wheel; ``extra`` members stand in .dist-info."""
    stem = filename.removesuffix(".whl")
    project, version, *_, python, abi, platform = stem.split("-")[:5]
    info = f"{project}-{version}.dist-info"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {entry}" for entry in requires)]
    tags = [f"Tag: {python}-{abi}-{tag}" for tag in platform.split(".")]
    members = {
        "demo.so" if native else "demo.py": (b"\x7fELF\x02\x01\x01\x00" if native else b"# ") + content.encode(),
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *metadata, "", ""]).encode(),
        f"{info}/WHEEL": "\n".join(["Wheel-Version: 1.0", "Root-Is-Purelib: false", *tags, ""]).encode(),
        **{f"{info}/{key}": value for key, value in (extra or {}).items()},
    }
    rows = [f"{key},sha256={urlsafe(value)},{len(value)}" for key, value in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in members.items():
            archive.writestr(zipfile.ZipInfo(key, (2026, 1, 1, 0, 0, 0)), value)
    return stream.getvalue()


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def sdist_bytes(name: str = "demo", version: str = "1.0") -> bytes:
    stream = io.BytesIO()
    # no date in it: the same source distribution has the same bytes
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        data = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n\n".encode()
        member = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def put(home: Home, data: bytes | None = None, filename: str = NAME, **options: Any) -> Ingested:
    with home.blobs.stage() as staged:
        staged.write(wheel_bytes(filename) if data is None else data)
        take = home.ingest.sdist if filename.endswith(".tar.gz") else home.ingest.wheel
        return take(staged, filename, **options)


def on_disk(home: Home) -> list[str]:
    return sorted(
        path.name for folder in ("blobs", "staging") for path in (home.path / folder).rglob("*") if path.is_file()
    )


def state(home: Home) -> tuple[list[str], tuple[Project, ...], list[ProjectSnapshot | None]]:
    projects = home.catalog.projects()
    return on_disk(home), projects, [home.catalog.snapshot(project.name) for project in projects]


def blob(home: Home, sha256: str) -> bytes:
    data = home.blobs.path(sha256).read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    return data
