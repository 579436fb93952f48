"""The CPU profile: an architecture and the features that a process may use, and the token that writes it down.

Grammar of a token::

    token   = level *( "+" feature )
    level   = a level's name from ``data/levels.json``: x86_64_v2, aarch64_8_2a, s390x
    feature = [a-z0-9_]+

Canonical form: the highest level, then the features beyond it, sorted: ``x86_64_v2+aes+avx``. A URL query and a form
turn ``+`` into a space, so a space separates as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable

from .errors import InvalidCpuToken, UnknownCpuFeature
from .features import Architecture, architecture, architecture_of_level, close_names

MAX_TOKEN_LENGTH = 1024
"""Longest token read, in characters; a machine with everything there is today needs about 500."""

_TOKEN = re.compile(r"[A-Za-z0-9_.]+(?:[+ ]+[A-Za-z0-9_.]+)*")


def format_token(arch: str, features: frozenset[str]) -> str:
    """Return the canonical token of a set of features.

    Features below the architecture's first level cannot be lacking: every CPU of it has them.

    :raises UnknownCpuFeature: the architecture is in no table
    """
    table = architecture(arch)
    everything = features | table.floor
    level = table.highest_level(everything) or table.levels[0]
    return "+".join([level.name, *sorted(everything - level.features)])


def parse_token(token: str, *, strict: bool = True) -> tuple[str, frozenset[str]]:
    """Return the architecture and the features of a token.

    :param strict: refuse a feature that no table has. Otherwise it is dropped: a machine that reports a feature newer
        than our tables still counts for all the others.
    :raises InvalidCpuToken: the token does not follow the grammar or is too long
    :raises UnknownCpuFeature: its level, or when strict one of its features, is in no table
    """
    text = token.strip()
    if len(text) > MAX_TOKEN_LENGTH:
        raise InvalidCpuToken(f"CPU token longer than {MAX_TOKEN_LENGTH} characters")
    if not _TOKEN.fullmatch(text):
        raise InvalidCpuToken(f"not a CPU token: {text!r}", hint=_how_to_write(text))
    head, *names = re.split(r"[+ ]+", text)
    table = architecture_of_level(head.lower())
    level = None if table is None else table.level(head.lower())
    if table is None or level is None:
        raise UnknownCpuFeature(f"unknown CPU level {head!r}", hint="for example x86_64_v2 or aarch64_8_2a")
    return table.name, level.features | parse_features(names, table, strict=strict)


def _how_to_write(text: str) -> str:
    # compilers and the psABI write x86-64-v3
    meant = text.lower().replace("-", "_")
    if _TOKEN.fullmatch(meant) and architecture_of_level(re.split(r"[+ ]", meant)[0]) is not None:
        return f"with '_' instead of '-': {meant}"
    return "write a level and features: x86_64_v2+avx+f16c"


def parse_features(names: Iterable[str], table: Architecture, *, strict: bool = True) -> frozenset[str]:
    """Return the canonical names of features of one architecture; aliases such as ``lzcnt`` are understood.

    :raises UnknownCpuFeature: when strict, a name that the architecture's table does not have
    """
    features: set[str] = set()
    for name in names:
        canonical = table.canonical(name)
        if canonical is not None:
            features.add(canonical)
        elif strict:
            raise UnknownCpuFeature(f"unknown CPU feature {name!r} for {table.name}", hint=close_names(name, table))
    return frozenset(features)


@dataclass(frozen=True)
class CpuProfile:
    """What one process on one machine may execute."""

    arch: str
    features: frozenset[str]

    @classmethod
    def parse(cls, token: str, *, strict: bool = True) -> CpuProfile:
        """Return the profile that a token writes down; see :func:`parse_token` for what is raised."""
        arch, features = parse_token(token, strict=strict)
        return cls(arch=arch, features=features)

    @classmethod
    def baseline(cls, arch: str) -> CpuProfile:
        """Return the profile of the least CPU of an architecture."""
        return cls(arch=arch, features=architecture(arch).floor)

    @property
    def token(self) -> str:
        """The canonical token."""
        return format_token(self.arch, self.features)

    @property
    def level(self) -> str | None:
        """The name of the highest level that this CPU reaches."""
        level = architecture(self.arch).highest_level(self.features)
        return None if level is None else level.name

    def reduced_to(self, relevant: frozenset[str]) -> CpuProfile:
        """Return this profile with only the features that matter to somebody.

        Two machines that differ in nothing that a project's files need share one rendered page.
        """
        return CpuProfile(arch=self.arch, features=self.features & relevant)
