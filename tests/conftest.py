"""The one fixture that every package's tests share: small, whole wheels on disk."""

from __future__ import annotations

import base64
import hashlib
import itertools
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f'"{name}",sha256={digest},{len(data)}' if "," in name else f"{name},sha256={digest},{len(data)}"


class WheelFactory:
    """Builds wheels that are right in every point but those that a test asks to be wrong."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / f"wheel-{number}" for number in itertools.count())

    def __call__(
        self,
        *,
        name: str = "small",
        version: str = "1.0",
        build: str = "",
        tags: str = "py3-none-any",
        label: str | None = None,
        members: Mapping[str, bytes] | None = None,
        entries: Sequence[tuple[zipfile.ZipInfo, bytes]] = (),
        metadata: Sequence[str] = (),
        wheel_lines: Sequence[str] | None = None,
        variant_json: bytes | None = None,
        dist_info: str | None = None,
        record: Callable[[list[str]], list[str]] = lambda lines: lines,
        compression: int = zipfile.ZIP_DEFLATED,
    ) -> Path:
        """Return the path of a new wheel, whose last part is its file name.

        ``entries`` are members whose zip headers the test wants to choose; they are listed in RECORD as the others
        are. ``record`` edits RECORD's lines. ``wheel_lines`` are the ``Tag`` lines of WHEEL.
        """
        folder = dist_info or f"{name}-{version}.dist-info"
        contents = dict(members or {f"{name}/__init__.py": b"answer = 42\n"})
        pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
        expanded = [f"Tag: {p}-{a}-{f}" for p, a, f in itertools.product(pythons, abis, platforms)]
        tag_lines = expanded if wheel_lines is None else wheel_lines
        head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        contents[f"{folder}/METADATA"] = "\n".join([*(metadata or head), "", "A description.", ""]).encode()
        contents[f"{folder}/WHEEL"] = "\n".join(
            ["Wheel-Version: 1.0", "Generator: cpufit tests", "Root-Is-Purelib: true", *tag_lines, ""]
        ).encode()
        if variant_json is not None:
            contents[f"{folder}/variant.json"] = variant_json
        lines = [record_line(member, data) for member, data in contents.items()]
        lines += [record_line(info.filename, data) for info, data in entries if not info.is_dir()]
        parts = (name, version, build, tags, label or "")
        path = next(self._folders) / ("-".join(part for part in parts if part) + ".whl")
        path.parent.mkdir(parents=True)
        with zipfile.ZipFile(path, "w", compression) as archive:
            for member, data in contents.items():
                archive.writestr(member, data)
            for info, data in entries:
                archive.writestr(info, data)
            archive.writestr(f"{folder}/RECORD", "\n".join([*record(lines), f"{folder}/RECORD,,", ""]))
        return path


@pytest.fixture
def wheel_factory(tmp_path: Path) -> Callable[..., Path]:
    return WheelFactory(tmp_path)
