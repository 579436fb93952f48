"""The grammar of file names: wheels with or without a variant label, and source distributions.

Wheels follow the binary distribution format (section "File name convention") and PEP 825 (section "Variant wheel file
names")::

    {distribution}-{version}(-{build tag})?-{python tag}-{abi tag}-{platform tag}(-{variant label})?.whl

With six parts, the third tells which one is there: a build tag begins with a digit, a Python tag never does.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from cpufit_resolver.baseline import platform_baseline

from .errors import InvalidWheelName

MAX_FILENAME_LENGTH = 255
"""Longest file name, in characters (all are ASCII): what common file systems can store."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?")
_SDIST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9_.!+]+")
_BUILD = re.compile(r"([0-9]+)([A-Za-z0-9_.]*)")
_PYTHON = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_TAGS = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_LABEL = re.compile(r"[0-9a-z_.]+")
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFilename:
    """The parts of a wheel's file name; made by :func:`parse_wheel_filename` alone."""

    name: NormalizedName
    """The project, as an index knows it."""
    raw_name: str
    """The project as the file name writes it."""
    version: Version
    raw_version: str
    """The version as the file name writes it."""
    build: tuple[()] | tuple[int, str]
    """The build number and the text behind it; empty without a build tag."""
    raw_build: str
    pythons: tuple[str, ...]
    """Python tags, lower case, in the order of the file name; likewise the two below."""
    abis: tuple[str, ...]
    platforms: tuple[str, ...]
    raw_tags: str
    """The three tag parts as the file name writes them."""
    label: str | None
    """The variant label; None for an ordinary name."""

    def format(self) -> str:
        """Return the file name; for a parsed name exactly what was parsed."""
        parts = (self.raw_name, self.raw_version, self.raw_build, self.raw_tags, self.label or "")
        return "-".join(part for part in parts if part) + ".whl"

    @property
    def tags(self) -> frozenset[str]:
        """Every single tag that a compressed set stands for, as ``python-abi-platform``."""
        return frozenset("-".join(tag) for tag in itertools.product(self.pythons, self.abis, self.platforms))

    @property
    def dist_info(self) -> str:
        """The name that the ``.dist-info`` folder has by rule; some tools write it in another normal form."""
        return f"{self.raw_name}-{self.raw_version}.dist-info"

    def architectures(self) -> frozenset[str]:
        """Return every architecture behind the platform tags; empty for ``any`` and for unknown platforms."""
        return frozenset(arch for platform in self.platforms for arch in platform_baseline(platform))

    def ordinary(self) -> WheelFilename:
        """Return the name without its variant label."""
        return self if self.label is None else parse_wheel_filename(f"{self._head}-{self.raw_tags}.whl")

    def with_label(self, label: str) -> WheelFilename:
        """Return the name with a variant label in place of the one it has.

        :raises InvalidWheelName: the label does not follow the grammar, or the name grows too long
        """
        return parse_wheel_filename(f"{self._head}-{self.raw_tags}-{label}.whl")

    def with_platform(self, tag: str) -> WheelFilename:
        """Return the name with one platform tag, or a compressed set, in place of those it has.

        :raises InvalidWheelName: not a platform tag
        """
        python_and_abi = self.raw_tags.rsplit("-", 1)[0]
        return parse_wheel_filename(f"{self._head}-{python_and_abi}-{tag}{self._tail}")

    def with_project(self, name: str) -> WheelFilename:
        """Return the same wheel's name under another project, in the normal form of the binary distribution format.

        :raises InvalidWheelName: not a project name
        """
        if not _PROJECT.fullmatch(name):
            raise InvalidWheelName(f"{name!r} is not a project name", hint="letters, digits, '.', '_' and '-'")
        rest = self.format()[len(self.raw_name) :]
        return parse_wheel_filename(canonicalize_name(name).replace("-", "_") + rest)

    @property
    def _head(self) -> str:
        return "-".join(part for part in (self.raw_name, self.raw_version, self.raw_build) if part)

    @property
    def _tail(self) -> str:
        return ".whl" if self.label is None else f"-{self.label}.whl"


def parse_wheel_filename(text: str) -> WheelFilename:
    """Return the parts of a wheel's file name.

    :raises InvalidWheelName: it follows neither the binary distribution format nor PEP 825; path separators, control
        characters and whatever else is not ASCII are in neither
    """
    _check_length(text)
    if not text.endswith(".whl"):
        raise _invalid(text, "does not end in .whl")
    parts = text.removesuffix(".whl").split("-")
    build, label = "", None
    if len(parts) == 7:
        build, label = parts.pop(2), parts.pop()
    elif len(parts) == 6 and parts[2][:1].isdigit():
        build = parts.pop(2)
    elif len(parts) == 6:
        label = parts.pop()
    if len(parts) != 5:
        raise _invalid(text, "a wheel's name has five parts joined by '-', six or seven with build tag and label")
    name, version, python, abi, platform = parts
    _check_parts(text, name, (python, abi, platform), label)
    return WheelFilename(
        name=canonicalize_name(name),
        raw_name=name,
        version=_version(text, version),
        raw_version=version,
        build=_build(text, build),
        raw_build=build,
        pythons=tuple(python.lower().split(".")),
        abis=tuple(abi.lower().split(".")),
        platforms=tuple(platform.lower().split(".")),
        raw_tags=f"{python}-{abi}-{platform}",
        label=label,
    )


def _check_parts(text: str, name: str, tags: tuple[str, str, str], label: str | None) -> None:
    if not _NAME.fullmatch(name) or "__" in name:
        raise _invalid(text, f"{name!r} is not a project name")
    python, abi, platform = tags
    if not _PYTHON.fullmatch(python):
        raise _invalid(text, f"{python!r} is not a Python tag")
    for kind, tag in (("ABI", abi), ("platform", platform)):
        if not _TAGS.fullmatch(tag):
            raise _invalid(text, f"{tag!r} is not an {kind} tag" if kind == "ABI" else f"{tag!r} is not a {kind} tag")
    if label is not None and not _LABEL.fullmatch(label):
        raise _invalid(text, f"{label!r} is not a variant label", hint="lower-case letters, digits, '_' and '.'")


def _build(text: str, build: str) -> tuple[()] | tuple[int, str]:
    if not build:
        return ()
    match = _BUILD.fullmatch(build)
    if match is None:
        raise _invalid(text, f"{build!r} is not a build tag", hint="a build tag begins with a digit")
    return int(match.group(1)), match.group(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SdistFilename:
    """The parts of a source distribution's file name; made by :func:`parse_sdist_filename` alone."""

    name: NormalizedName
    raw_name: str
    version: Version
    raw_version: str

    def format(self) -> str:
        """Return the file name; for a parsed name exactly what was parsed."""
        return f"{self.raw_name}-{self.raw_version}.tar.gz"


def parse_sdist_filename(text: str) -> SdistFilename:
    """Return the parts of a source distribution's file name (source distribution format, section "File name").

    Names from before PEP 625, with ``-`` in the project's part, are read too: the version stands behind the last one.

    :raises InvalidWheelName: it is no such name
    """
    _check_length(text)
    if not text.endswith(".tar.gz"):
        raise _invalid(text, "a source distribution ends in .tar.gz")
    name, dash, version = text.removesuffix(".tar.gz").rpartition("-")
    if not dash or not _SDIST_NAME.fullmatch(name):
        raise _invalid(text, "a source distribution is called {name}-{version}.tar.gz")
    return SdistFilename(
        name=canonicalize_name(name), raw_name=name, version=_version(text, version), raw_version=version
    )


def version_in(filename: str) -> Version | None:
    """Return the version that a wheel's or a source distribution's name tells; None for any other name."""
    parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
    try:
        return parse(filename).version
    except InvalidWheelName:
        return None


def _check_length(text: str) -> None:
    if len(text) > MAX_FILENAME_LENGTH:
        raise InvalidWheelName(f"a file name longer than {MAX_FILENAME_LENGTH} characters", where=text[:60] + "…")


def _version(text: str, version: str) -> Version:
    if _VERSION.fullmatch(version):
        try:
            return Version(version)
        except InvalidVersion:
            pass
    raise _invalid(text, f"{version!r} is not a version")


def _invalid(text: str, message: str, *, hint: str | None = None) -> InvalidWheelName:
    return InvalidWheelName(message, where=ascii(text)[1:-1], hint=hint)
