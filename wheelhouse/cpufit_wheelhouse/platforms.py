"""When one wheel can be installed wherever another can: its tags cover the other's.

Platform compatibility tags specification: a ``manylinux_2_17`` wheel installs on every glibc from 2.17 on, a
``macosx_11_0`` one on every macOS from 11.0 on, a ``cp39-abi3`` one on every CPython from 3.9 on. So of two wheels of
one release the one with the lower number covers the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LEGACY = (
    ("manylinux2014_", "manylinux_2_17_"),
    ("manylinux2010_", "manylinux_2_12_"),
    ("manylinux1_", "manylinux_2_5_"),
)
"""PEP 600, "Legacy manylinux tags"."""

_VERSIONED = re.compile(r"(manylinux|musllinux|macosx|ios|android)_(\d+)_(?:(\d+)_)?([a-z]\w*)")
_MAC_ARCHITECTURES = {
    "universal2": ("arm64", "x86_64"),
    "universal": ("i386", "ppc", "ppc64", "x86_64"),
    "intel": ("i386", "x86_64"),
    "fat": ("i386", "ppc"),
    "fat3": ("i386", "ppc", "x86_64"),
    "fat32": ("i386", "ppc"),
    "fat64": ("ppc64", "x86_64"),
}
_CPYTHON = re.compile(r"cp3(\d+)")


@dataclass(frozen=True, slots=True)
class Platform:
    """One system on one architecture, from a version on."""

    family: str
    version: tuple[int, int]
    arch: str

    def covers(self, other: Platform) -> bool:
        """Tell whether what is built for this platform installs on every machine of the other."""
        if self.family == "any":
            return True
        if self.arch != other.arch:
            return False
        if self.family == "linux":
            return other.family in ("linux", "manylinux", "musllinux")
        return self.family == other.family and self.version <= other.version


@lru_cache(maxsize=4096)
def platforms_of(platform_tag: str) -> tuple[Platform, ...]:
    """Return what one platform tag stands for: one platform, or one for each architecture of a macOS fat binary."""
    tag = platform_tag
    for old, new in _LEGACY:
        if tag.startswith(old):
            tag = new + tag[len(old) :]
    match = _VERSIONED.fullmatch(tag)
    if match is not None:
        family, major, minor, arch = match.groups()
        arches = _MAC_ARCHITECTURES.get(arch, (arch,)) if family == "macosx" else (arch,)
        return tuple(Platform(family, (int(major), int(minor or 0)), one) for one in arches)
    if tag.startswith("linux_"):
        return (Platform("linux", (0, 0), tag[len("linux_") :]),)
    return (Platform(tag, (0, 0), ""),)


def covers(tags: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether wheels with these expanded tags, taken together, install wherever one with the other tags does.

    Tags are written as ``cp39-abi3-manylinux_2_17_x86_64``.
    """
    own = [target for tag in tags for target in _targets(tag)]
    return all(any(_covers(target, wanted) for target in own) for tag in others for wanted in _targets(tag))


_Target = tuple[str, str, Platform]


@lru_cache(maxsize=4096)
def _targets(tag: str) -> tuple[_Target, ...]:
    interpreter, abi, platform = tag.split("-", 2)
    return tuple((interpreter, abi, one) for one in platforms_of(platform))


@lru_cache(maxsize=65536)
def _covers(target: _Target, wanted: _Target) -> bool:
    return target[2].covers(wanted[2]) and _python_covers(*target[:2], *wanted[:2])


def _python_covers(interpreter: str, abi: str, other_interpreter: str, other_abi: str) -> bool:
    if (interpreter, abi) == (other_interpreter, other_abi):
        return True
    if (interpreter, abi) == ("py3", "none"):
        return re.fullmatch(r"(py|cp|pp|graalpy)3\d*", other_interpreter) is not None
    if abi != "abi3" or other_abi not in ("abi3", "none", other_interpreter):
        return False
    lowest, asked = _CPYTHON.fullmatch(interpreter), _CPYTHON.fullmatch(other_interpreter)
    return lowest is not None and asked is not None and int(lowest.group(1)) <= int(asked.group(1))
