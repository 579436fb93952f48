"""Architectures, their levels and their features: the words of every CPU token, read once from ``data/levels.json``.

Names are Linux's (``/proc/cpuinfo`` flags, HWCAP names), but ``sse3`` for what Linux calls ``pni``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Mapping

from .errors import UnknownCpuFeature


@dataclass(frozen=True)
class Level:
    """A named set of features of one architecture: everything that a CPU of this level has."""

    name: str
    features: frozenset[str]
    source: str


@dataclass(frozen=True)
class Architecture:
    """One instruction set: its levels in rising order, and every feature name that a token may use."""

    name: str
    levels: tuple[Level, ...]
    vocabulary: frozenset[str]
    aliases: Mapping[str, str]

    @property
    def floor(self) -> frozenset[str]:
        """The features that every CPU of this architecture has."""
        return self.levels[0].features

    def level(self, name: str) -> Level | None:
        """Return the level of that name, or None."""
        return next((level for level in self.levels if level.name == name), None)

    def highest_level(self, features: frozenset[str]) -> Level | None:
        """Return the last level all of whose features are among these, or None below the floor."""
        return next((level for level in reversed(self.levels) if level.features <= features), None)

    def canonical(self, feature: str) -> str | None:
        """Return the name used here for a feature's name or alias, in any case; None if nobody knows it."""
        name = feature.strip().lower()
        name = self.aliases.get(name, name)
        return name if name in self.vocabulary else None


def _read_architecture(name: str, row: Mapping[str, object]) -> Architecture:
    known: dict[str, frozenset[str]] = {}
    levels = []
    for entry in row["levels"]:  # type: ignore[attr-defined]  # the schema of the data file says it is a list
        features = known.get(entry.get("extends", ""), frozenset()) | frozenset(entry["adds"])
        known[entry["name"]] = features
        levels.append(Level(name=entry["name"], features=features, source=entry["source"]))
    vocabulary = frozenset(row["features"]).union(*known.values())  # type: ignore[call-overload]  # as above
    aliases: Mapping[str, str] = row["aliases"]  # type: ignore[assignment]  # as above
    return Architecture(name=name, levels=tuple(levels), vocabulary=vocabulary, aliases=aliases)


@lru_cache(maxsize=1)
def architectures() -> Mapping[str, Architecture]:
    """Return every architecture by name, from the data file; read at the first call, never at import."""
    text = (Path(__file__).parent / "data" / "levels.json").read_text(encoding="utf-8")
    return {name: _read_architecture(name, row) for name, row in json.loads(text)["architectures"].items()}


def architecture(name: str) -> Architecture:
    """Return one architecture.

    :raises UnknownCpuFeature: no table has it
    """
    try:
        return architectures()[name]
    except KeyError:
        raise UnknownCpuFeature(
            f"unknown architecture {name!r}", hint=f"known: {', '.join(sorted(architectures()))}"
        ) from None


def architecture_of_level(level: str) -> Architecture | None:
    """Return the architecture that has a level of this name, or None."""
    return next((arch for arch in architectures().values() if arch.level(level) is not None), None)


def close_names(name: str, table: Architecture) -> str:
    """Return a hint that names the feature or level probably meant, or where to look."""
    import difflib  # noqa: PLC0415  # only an error pays for it

    known = sorted(table.vocabulary.union(level.name for level in table.levels))
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "features are named as Linux names them in /proc/cpuinfo"
