"""Distributions installed in a folder of Python's: which they are, and what native libraries each of them brought.

Nothing is imported and nothing is run. A distribution's files are those that its RECORD lists (specification "Recording
installed projects"), under the names that they had in the wheel; what an installer made itself is left out.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .errors import InvalidWheelName, RecordMismatch
from .filename import WheelFilename, parse_wheel_filename
from .inspection.statements import MAX_STATEMENT_BYTES, is_statement
from .native import PREFIX_LENGTH, NativeKind, native_kind
from .record import parse_record

LIBRARY_NAME = re.compile(r"\.(?:so(?:\.[0-9.]+)?|pyd|dll|dylib)$", re.IGNORECASE)
"""How native libraries end that nobody's RECORD lists; what a RECORD lists is known by its first bytes."""

_LAUNCHERS = ("console_scripts", "gui_scripts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that Python imports from, and where its installation puts the rest of a wheel."""

    site: Path
    prefix: Path
    scripts: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution as it lies on the disk."""

    name: str
    """Normalised."""
    version: str
    wheel: WheelFilename
    """The name of a wheel that would be this: project, version and tags; the file itself may have had another one."""
    files: Mapping[str, Path]
    """Every file that is there, by its name in the wheel."""
    natives: tuple[str, ...]
    """Of these, what holds machine code."""
    kinds: frozenset[NativeKind]
    """Of which systems that is: pip carries programs for Windows everywhere."""
    requires: frozenset[str]
    """The projects that it asks for, extras included, normalised."""
    recorded: bool = True
    """Whether there is a RECORD. Without one nobody says which files are its."""


def installed_in(place: Place) -> tuple[Installed, ...]:
    """Return the distributions of a folder, by name."""
    folders = [*place.site.glob("*.dist-info"), *place.site.glob("*.egg-info")]
    found = [_read(folder, place) for folder in sorted(folders) if folder.is_dir()]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))


def unowned_natives(place: Place, owned: Iterable[Installed]) -> tuple[Path, ...]:
    """Return the native libraries of a folder that no distribution's RECORD lists."""
    known = {os.path.realpath(one.files[name]) for one in owned for name in one.natives}
    named = (path for path in sorted(place.site.rglob("*")) if LIBRARY_NAME.search(path.name))
    return tuple(path for path in named if os.path.realpath(path) not in known and kind_of(path) is not None)


def kind_of(path: Path) -> NativeKind | None:
    """Return what kind of machine code a file holds, by its first bytes; what cannot be opened holds none."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            return native_kind(file.read(PREFIX_LENGTH))
    except OSError:
        return None


def statement_texts(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each statement among some files."""
    for name, path in files.items():
        if is_statement(name):
            with suppress(OSError):
                if path.stat().st_size <= MAX_STATEMENT_BYTES:
                    yield name, path.read_bytes().decode("utf-8", "replace")


def _read(folder: Path, place: Place) -> Installed | None:
    distribution = PathDistribution(folder)
    # a folder without METADATA is what an interrupted removal leaves
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
    name, version = (_field(text or "", field) for field in ("Name", "Version"))
    if not name or not version:
        return None
    record = distribution.read_text("RECORD")
    files = _files(record, folder, place, _launchers(distribution)) if record else {}
    kinds = {name: kind for name, path in files.items() if (kind := kind_of(path)) is not None}
    return Installed(
        name=canonicalize_name(name),
        version=version,
        wheel=_wheel_name(name, version, distribution.read_text("WHEEL") or ""),
        files=files,
        natives=tuple(sorted(kinds)),
        kinds=frozenset(kinds.values()),
        requires=_required(distribution.requires or ()),
        recorded=bool(record),
    )


def _field(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(\S.*?)\s*$", text, re.MULTILINE | re.IGNORECASE)
    return found.group(1) if found else ""


def _launchers(distribution: PathDistribution) -> frozenset[str]:
    """Return the commands that installers write themselves: on Windows these are programs, of pip's and not its."""
    return frozenset(point.name for point in distribution.entry_points if point.group in _LAUNCHERS)


def _files(record: str, folder: Path, place: Place, launchers: frozenset[str]) -> dict[str, Path]:
    try:
        rows = parse_record(record.encode("utf-8"))
    except RecordMismatch:
        return {}
    data = f"{folder.name.removesuffix('.dist-info')}.data"
    files = {}
    for row in rows:
        # strings, for most of ten thousand files are none that matter; and what Python compiled is the installer's
        if row.name.endswith(".pyc"):
            continue
        text = os.path.normpath(os.path.join(place.site, row.name))  # noqa: PTH118  # as above
        head, leaf = os.path.split(text)
        if leaf.removesuffix(".exe") in launchers and Path(head) == place.scripts:
            continue
        if os.path.isfile(text):  # noqa: PTH113  # as above
            inside = not (row.name.startswith("..") or os.path.isabs(row.name))  # noqa: PTH117  # as above
            path = Path(text)
            files[row.name if inside else _name_in_wheel(path, place, data)] = path
    return files


def _name_in_wheel(path: Path, place: Place, data: str) -> str:
    """Return what a file outside the folder was called, by where installers put a wheel's other parts."""
    for root, part in ((place.scripts, f"{data}/scripts/"), (place.prefix, f"{data}/data/")):
        if path.is_relative_to(root):
            return part + path.relative_to(root).as_posix()
    return path.as_posix()


def _required(lines: Iterable[str]) -> frozenset[str]:
    names = set()
    for line in lines:
        with suppress(InvalidRequirement):
            names.add(canonicalize_name(Requirement(line).name))
    return frozenset(names)


def _wheel_name(name: str, version: str, wheel: str) -> WheelFilename:
    tags = re.findall(r"^Tag:\s*([^-\s]+)-([^-\s]+)-(\S+)\s*$", wheel, re.MULTILINE)
    parts = [".".join(dict.fromkeys(column)) for column in zip(*tags, strict=True)] or ["py3", "none", "any"]
    stem = f"{canonicalize_name(name).replace('-', '_')}-{version.replace('-', '_')}"
    for text in (f"{stem}-{'-'.join(parts)}.whl", f"{stem}-py3-none-any.whl"):
        with suppress(InvalidWheelName):
            return parse_wheel_filename(text)
    return parse_wheel_filename(f"{canonicalize_name(name).replace('-', '_')}-0-py3-none-any.whl")


def required_by(distributions: Iterable[Installed]) -> dict[str, tuple[str, ...]]:
    """Return, for each project, the installed projects that ask for it."""
    pairs = sorted({(need, one.name) for one in distributions for need in one.requires})
    return {
        name: tuple(asker for _, asker in group) for name, group in itertools.groupby(pairs, key=lambda pair: pair[0])
    }
