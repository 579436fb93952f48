"""Siblings: libraries that differ by the CPU they were made for, of which something outside them takes one.

rapidfuzz ships ``fuzz_cpp.so`` and ``fuzz_cpp_avx2.so`` and chooses in Python; others load ``libggml-cpu-haswell.so``
by name, or let glibc choose from ``glibc-hwcaps/x86-64-v3``. Such a family needs what its least demanding member needs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .cpu_words import CPU_WORD, PLAIN_WORD, promised, words_in

_CPU_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{CPU_WORD})(?![a-z0-9])", re.IGNORECASE)
_PLAIN_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{PLAIN_WORD})(?![a-z0-9])", re.IGNORECASE)
_HWCAPS = re.compile(r"(?:^|/)glibc-hwcaps/[^/]+/")
_HASH = re.compile(r"-[0-9a-f]{8}(?=\.so|\.dylib|\.dll|$)")
"""What auditwheel and delocate put into the names of the libraries that they bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Libraries of which one is chosen at run time."""

    key: str
    members: tuple[str, ...]
    """Sorted."""


def families(libraries: Iterable[str]) -> tuple[Family, ...]:
    """Return the families among a wheel's libraries: at least two names that differ by a word for a CPU alone.

    :param libraries: members' names in the wheel
    """
    groups: dict[str, set[str]] = {}
    marked: set[str] = set()
    names = sorted(set(libraries))
    for name in names:
        key, is_marked = _key(name)
        groups.setdefault(key, set()).add(name)
        if is_marked:
            marked.add(name)
    return tuple(
        Family(key=key, members=tuple(sorted(members)))
        for key, members in sorted(groups.items())
        if len(members) > 1 and members & marked
    )


def names_a_cpu(library: str) -> bool:
    """Tell whether a library's own name says for which CPU it is (``_raw_aesni.so``, ``_sha256_shani.so``)."""
    return bool(words_in(_HASH.sub("", library.rpartition("/")[2]).partition(".")[0]))


def least_demanding(family: Family, needs: Mapping[str, frozenset[str]], arch: str = "x86_64") -> str:
    """Return the member that runs on most CPUs: whose need is within the most others' needs, then the smallest.

    What a member's name promises counts as its need too: one that is named for AVX2 is not the one for all CPUs, even
    where reading found nothing in it.
    """
    asked = {name: needs[name] | promised(_HASH.sub("", name), arch) for name in family.members if name in needs}
    return min(asked, key=lambda name: (-sum(asked[name] <= asked[other] for other in asked), len(asked[name]), name))


def _key(name: str) -> tuple[str, bool]:
    plain = _HASH.sub("", _HWCAPS.sub("/", f"/{name}"))
    marked = bool(_HWCAPS.search(name))
    folder, _, leaf = plain.rpartition("/")
    stem, dot, rest = leaf.partition(".")
    # a version or an ABI tag behind the first dot says x86_64 on every platform: only the stem and the folders tell
    folder, in_folder = _CPU_TOKEN.subn("*", folder)
    stem, in_stem = _CPU_TOKEN.subn("*", stem)
    stem = _PLAIN_TOKEN.sub("*", stem)
    folder = posixpath.normpath(_PLAIN_TOKEN.sub("*", folder).replace("/*", "") or "/")
    stem = re.sub(r"(?:[-_.]*\*)+", "", stem)
    return f"{folder}/{stem}{dot}{rest}", marked or bool(in_folder or in_stem)
