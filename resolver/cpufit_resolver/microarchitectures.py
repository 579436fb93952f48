"""CPUs by the names that people and compilers give them: ``Nehalem``, ``sandybridge``, ``cortex-a72``.

Read from ``data/microarchitectures.json`` when first asked. An entry holds what every processor of the name has: where
some were sold without a feature (AES, cryptography on Arm), the name does not promise it; ``sandybridge+aes`` adds it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Mapping

from .features import architecture
from .profile import CpuProfile, parse_features


@dataclass(frozen=True)
class Microarchitecture:
    """One design of processors."""

    name: str
    profile: CpuProfile
    aliases: tuple[str, ...]
    source: str


@lru_cache(maxsize=1)
def microarchitectures() -> Mapping[str, Microarchitecture]:
    """Return every microarchitecture by its name, in the order of the data file."""
    text = (Path(__file__).parent / "data" / "microarchitectures.json").read_text(encoding="utf-8")
    found = {}
    for row in json.loads(text)["microarchitectures"]:
        profile = CpuProfile.parse(row["token"])
        found[row["name"]] = Microarchitecture(row["name"], profile, tuple(row["aliases"]), row["source"])
    return found


def named_profile(text: str) -> tuple[str, CpuProfile] | None:
    """Return the name and the profile of ``Nehalem`` or ``sandybridge+aes``; None where it begins with no such name.

    :raises UnknownCpuFeature: behind the name stands a feature that nobody knows
    """
    head, *more = re.split(r"[+ ]+", text.strip())
    found = _by_spelling().get(_spelling(head))
    if found is None:
        return None
    profile = found.profile
    extra = parse_features(more, architecture(profile.arch))
    return found.name, CpuProfile(arch=profile.arch, features=profile.features | extra)


def close_microarchitecture(text: str) -> str | None:
    """Return the name that was probably meant."""
    import difflib  # noqa: PLC0415  # only an error pays for it

    spellings = _by_spelling()
    close = difflib.get_close_matches(_spelling(re.split(r"[+ ]+", text.strip())[0]), list(spellings), n=1, cutoff=0.75)
    return spellings[close[0]].name if close else None


@lru_cache(maxsize=1)
def _by_spelling() -> Mapping[str, Microarchitecture]:
    return {_spelling(name): one for one in microarchitectures().values() for name in (one.name, *one.aliases)}


def _spelling(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
