"""Asking for less than the CPU has, for everything or for one package: ``cpufit.toml``.

::

    cpu = "x86_64_v3"                       # for whatever is installed

    [packages]
    polars = "x86_64_v2+avx"                # for this one

The file lies in the working folder or in one above it, and in the user's settings folder; what the nearer one says
counts. A wish for another architecture says nothing about this one.
"""

# ruff: noqa: TID252  # inside the selector this package has another name, so its parent must be relative
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterable, Iterator, Mapping

from ..errors import CpufitError
from ..profile import CpuProfile
from .decide import DetectedCpu
from .toml_subset import InvalidConfig, Value, read_tables, refuse_others

FILENAME = "cpufit.toml"
CONFIG_VARIABLE = "CPUFIT_CONFIG"
"""Names the one file to read, in place of those that would be looked for; empty for none."""
SOURCE = "cpufit.toml"
"""What :attr:`DetectedCpu.source` says where a wish counts."""
MAX_BYTES = 64 << 10
"""The longest file read; a wish takes some thirty bytes."""


class MoreThanTheCpuHas(CpufitError):
    """A wish for features that the CPU does not have: what it leads to would die here."""

    code = "more-than-the-cpu-has"


@dataclass(frozen=True)
class Wishes:
    """What somebody asks for; packages by their normal names."""

    cpu: Value | None = None
    packages: Mapping[str, Value] = field(default_factory=dict)

    def over(self, farther: Wishes) -> Wishes:
        """Return these wishes, and where they say nothing the farther ones."""
        return Wishes(cpu=self.cpu or farther.cpu, packages={**farther.packages, **self.packages})


def read_wishes(text: str, name: str) -> Wishes:
    """Return what a ``cpufit.toml`` asks for.

    :param name: how messages call the file
    :raises InvalidConfig: it cannot be understood
    """
    tables = read_tables(text, name)
    for table, values in tables.items():
        if table not in ("", "packages"):
            raise InvalidConfig(f"unknown table [{table}]", where=name, hint="there is [packages]")
        for value in values.values():
            _profiles(value)
    refuse_others(tables[""], ("cpu",))
    packages: dict[str, Value] = {}
    for key, value in tables.get("packages", {}).items():
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", key):
            raise InvalidConfig(f"not a package's name: {key!r}", where=value.where)
        if normalised(key) in packages:
            raise InvalidConfig(f"{normalised(key)} is said twice", where=value.where)
        packages[normalised(key)] = value
    return Wishes(cpu=tables[""].get("cpu"), packages=packages)


def normalised(name: str) -> str:
    """Return a package's name as all spellings of it have it (name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _profiles(value: Value) -> dict[str, CpuProfile]:
    """Return what a wish asks for, by architecture: one token, or one for each, separated by commas."""
    found: dict[str, CpuProfile] = {}
    for token in value.text.split(","):
        try:
            profile = CpuProfile.parse(token)
        except CpufitError as error:
            raise InvalidConfig(error.message, where=value.where, hint=error.hint) from error
        if profile.arch in found:
            raise InvalidConfig(f"two tokens for {profile.arch}: {value.text!r}", where=value.where)
        found[profile.arch] = profile
    return found


def reduced(cpu: DetectedCpu, wishes: Wishes, project: str | None) -> DetectedCpu:
    """Return the CPU as somebody wants it treated; unchanged where no wish is about it.

    A wish for the package comes before ``cpu``, and ``CPUFIT_CPU`` or the file with a token, which are about this one
    run or machine, come before ``cpu`` too.

    :param project: what is to be installed, in any spelling; None where nothing is
    :raises MoreThanTheCpuHas: the wish is for more
    """
    wish = None if project is None else wishes.packages.get(normalised(project))
    what = f"the wish for {project}"
    if wish is None and cpu.source not in ("environment", "file"):
        wish, what = wishes.cpu, "the wish"
    profile = None if wish is None else _profiles(wish).get(cpu.profile.arch)
    if wish is None or profile is None:
        return cpu
    more = profile.features - cpu.profile.features
    if more:
        raise MoreThanTheCpuHas(
            f"{what} is {profile.token}, and this CPU does not have {', '.join(sorted(more))}",
            where=wish.where,
            hint=f"ask for less than the CPU has, {cpu.profile.level} for example, or take the line away",
        )
    return replace(cpu, profile=profile, source=SOURCE, hidden=())


def config_paths(settings: Path, folder: Path | None) -> Iterator[Path]:
    """Yield where a ``cpufit.toml`` may lie, the nearest place first.

    :param settings: cpufit's folder among the user's settings
    :param folder: where to look, there and in each folder above; None for the user's settings alone
    """
    if folder is not None:
        yield from (place / FILENAME for place in (folder, *folder.parents))
    yield settings / FILENAME


def find_wishes(environ: Mapping[str, str], settings: Path, folder: Path | None) -> Wishes:
    """Return what the nearest file and the user's own ask for.

    :raises InvalidConfig: one of them cannot be understood, or the one that ``CPUFIT_CONFIG`` names cannot be read
    """
    named = environ.get(CONFIG_VARIABLE)
    if named is not None:
        text = _read(Path(named)) if named else ""
        if text is None:
            raise InvalidConfig(f"{named} cannot be read", where=CONFIG_VARIABLE)
        return read_wishes(text, named)
    *around, own = config_paths(settings, folder)
    return _nearest(around).over(_nearest([own]))


def _nearest(paths: Iterable[Path]) -> Wishes:
    for path in paths:
        text = _read(path)
        if text is not None:
            return read_wishes(text, str(path))
    return Wishes()


def _read(path: Path) -> str | None:
    """Return the text of a file; None where there is none that may be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return None
    if len(data) > MAX_BYTES:
        raise InvalidConfig(f"longer than {MAX_BYTES} bytes", where=str(path))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidConfig("not UTF-8", where=str(path)) from None
