"""The data that every index gets: small wheels in folders, one folder for each project, and one large wheel."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LARGE = "bench-large"
"""The project of the large wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A folder with one folder for each project, as directory servers want it."""

    path: Path
    projects: tuple[str, ...]

    def files(self) -> Iterator[tuple[str, Path]]:
        """Give each project and file."""
        for project in self.projects:
            for file in sorted((self.path / project).iterdir()):
                yield project, file


def fill_shelf(path: Path, counts: Mapping[str, int], *, large_bytes: int = 0) -> Shelf:
    """Write wheels of about one kilobyte, each a release of its own.

    :param counts: how many files each project has
    :param large_bytes: the size of the wheel of the project :data:`LARGE`; 0 for none
    """
    for project, count in counts.items():
        (path / project).mkdir(parents=True)
        for number in range(count):
            name, data = wheel(project, f"1.{number}")
            (path / project / name).write_bytes(data)
    if large_bytes:
        (path / LARGE).mkdir(parents=True)
        name, data = wheel(LARGE, "1.0", payload=large_bytes)
        (path / LARGE / name).write_bytes(data)
    return Shelf(path=path, projects=(*counts, *([LARGE] if large_bytes else [])))


def wheel(project: str, version: str, *, payload: int = 0) -> tuple[str, bytes]:
    """Return a pure Python wheel's name and bytes, like no other's.

    :param payload: bytes of a member that cannot be compressed
    """
    module = project.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    members = {
        f"{module}/__init__.py": f"TOKEN = {os.urandom(16).hex()!r}\n".encode(),
        **({f"{module}/payload.bin": os.urandom(payload)} if payload else {}),
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\nRequires-Python: >=3.8\n"
            "Requires-Dist: packaging>=20\n"
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_record_hash(data)},{len(data)}" for name, data in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return f"{module}-{version}-py3-none-any.whl", target.getvalue()


def metadata_of(path: Path) -> bytes:
    """Return a wheel's METADATA."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
