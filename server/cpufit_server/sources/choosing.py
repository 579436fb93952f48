"""Which of the files that a source has are taken.

Pure: the files, the wishes and the tags of an interpreter go in, the chosen files come out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import NormalizedName
from packaging.version import Version

from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.filename import WheelFilename, parse_sdist_filename, parse_wheel_filename

from .errors import NothingMatches

_CPYTHON = re.compile(r"cp(\d)(\d+)(t?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A wheel or sdist that can be had, and what its source promises of it."""

    filename: str
    url: str
    """``http``, ``https`` or ``file``; without a fragment."""
    hashes: tuple[tuple[str, str], ...] = ()
    """Pairs of algorithm and hex digest."""
    size: int | None = None
    """Bytes."""
    requires_python: str | None = None

    @property
    def sha256(self) -> str | None:
        """The promised SHA-256, in hex; None where there is none."""
        return dict(self.hashes).get("sha256")

    @property
    def wheel(self) -> WheelFilename | None:
        """The parts of a wheel's name; None for an sdist, and for a name that no tool could install."""
        try:
            return parse_wheel_filename(self.filename)
        except WheelError:
            return None

    @property
    def release(self) -> tuple[NormalizedName, Version] | None:
        """Project and version that the file name tells; None where it tells none."""
        wheel = self.wheel
        if wheel is not None:
            return wheel.name, wheel.version
        try:
            sdist = parse_sdist_filename(self.filename)
        except WheelError:
            return None
        return sdist.name, sdist.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What somebody asks of the choice beyond the release."""

    all_files: bool = False
    platform: str | None = None
    """A pattern for platform tags: ``manylinux*_x86_64``."""
    python: str | None = None
    """An interpreter, ``cp311``: the wheels that it can use."""

    @property
    def narrowed(self) -> bool:
        """Whether the wheels of one platform or interpreter are asked for."""
        return self.platform is not None or self.python is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python for which pip would choose."""

    tags: Sequence[Tag] = field(repr=False)
    """Best first."""
    version: str


def choose(
    files: Iterable[SourceFile], name: NormalizedName, version: Version, wishes: Wishes, interpreter: Interpreter
) -> tuple[SourceFile, ...]:
    """Return the files of a release that are taken.

    Without a wish it is the one wheel that pip would take: the best tag of this interpreter, then the highest build
    number. A platform or an interpreter asked for takes every wheel of it; ``all_files`` takes sdists too.

    :raises NothingMatches: the source has no such release, or no such file of it
    """
    release = [file for file in files if file.release == (name, version)]
    if not release:
        raise NothingMatches(f"there is no {name}=={version} here", hint="see which versions the index has")
    taken: Iterable[SourceFile]
    if wishes.narrowed or wishes.all_files:
        taken = narrow(release, wishes)
    else:
        best = _pips_choice(release, interpreter)
        taken = () if best is None else (best,)
    chosen = tuple(taken)
    if not chosen:
        raise NothingMatches(
            f"{name}=={version} has {len(release)} files, and none {_wished(wishes)}",
            hint="--platform and --python ask for other wheels, --all-files for every file",
        )
    return chosen


def narrow(files: Iterable[SourceFile], wishes: Wishes) -> tuple[SourceFile, ...]:
    """Return the files of a folder or a release, sdists and wheels, that the wishes leave.

    A platform or an interpreter asked for leaves no sdist, unless ``all_files`` asks for everything beside.
    """
    return tuple(file for file in files if _is_left(file, wishes))


def _is_left(file: SourceFile, wishes: Wishes) -> bool:
    wheel = file.wheel
    if wheel is None:
        return wishes.all_files or not wishes.narrowed
    if wishes.platform is not None and not any(fnmatchcase(tag, wishes.platform) for tag in wheel.platforms):
        return False
    return wishes.python is None or _usable_by(wheel, wishes.python)


def _usable_by(wheel: WheelFilename, interpreter: str) -> bool:
    """Tell whether an interpreter can use a wheel, whatever the platform."""
    match = _CPYTHON.fullmatch(interpreter)
    if match is None:
        return interpreter in wheel.pythons
    version = (int(match.group(1)), int(match.group(2)))
    tags = [
        *cpython_tags(version, abis=[interpreter], platforms=["any"]),
        *compatible_tags(version, interpreter=interpreter.rstrip("t"), platforms=["any"]),
    ]
    usable = {(tag.interpreter, tag.abi) for tag in tags}
    return any((python, abi) in usable for python in wheel.pythons for abi in wheel.abis)


def _pips_choice(files: Iterable[SourceFile], interpreter: Interpreter) -> SourceFile | None:
    rank = {str(tag): place for place, tag in enumerate(interpreter.tags)}
    ranked = []
    for file in files:
        wheel = file.wheel
        # what carries a variant label is no wheel to pip
        if wheel is None or wheel.label is not None or not _allows(file.requires_python, interpreter.version):
            continue
        places = [rank[tag] for tag in wheel.tags if tag in rank]
        if places:
            ranked.append((-min(places), wheel.build, file.filename, file))
    return max(ranked, key=lambda entry: entry[:3])[3] if ranked else None


def _allows(requires_python: str | None, version: str) -> bool:
    """Tell whether a Python may install a file; pip takes a specifier that it cannot read for none."""
    try:
        return requires_python is None or SpecifierSet(requires_python).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def _wished(wishes: Wishes) -> str:
    if not wishes.narrowed:
        return "is a wheel that pip would take with this Python"
    parts = [
        None if wishes.platform is None else f"for the platform {wishes.platform}",
        None if wishes.python is None else f"for {wishes.python}",
    ]
    return "is a wheel " + " and ".join(part for part in parts if part)
