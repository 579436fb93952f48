"""What a platform tag promises: its architectures, and the features that every CPU behind it has."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Mapping, Pattern

from .profile import parse_token


@lru_cache(maxsize=1)
def _rows() -> tuple[tuple[Pattern[str], str, str], ...]:
    text = (Path(__file__).parent / "data" / "baselines.json").read_text(encoding="utf-8")
    rows: list[Mapping[str, str]] = json.loads(text)["baselines"]
    return tuple((re.compile(row["platform"]), row["architecture"], row["floor"]) for row in rows)


def _with_groups(template: str, groups: tuple[str, ...]) -> str:
    return re.sub(r"\{(\d)\}", lambda match: groups[int(match.group(1)) - 1], template)


@lru_cache(maxsize=1024)
def platform_baseline(platform_tag: str) -> Mapping[str, frozenset[str]]:
    """Return, for each architecture behind one platform tag, the features that all its CPUs have.

    ``any`` and a tag that no row knows promise nothing: the result is empty, and an architecture's own floor holds.
    """
    found: dict[str, frozenset[str]] = {}
    for pattern, arch_template, floor_template in _rows():
        match = pattern.fullmatch(platform_tag)
        if match is not None:
            arch, features = parse_token(_with_groups(floor_template, match.groups()))
            found[_with_groups(arch_template, match.groups()) or arch] = features
    return found


def shared_baseline(platform_tags: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return, for each architecture, what every one of these platform tags promises.

    A wheel under a compressed tag set may be installed under any of them, so only the common part counts: nothing,
    where ``any`` or a tag that no row knows is one of them.
    """
    shared: dict[str, frozenset[str]] = {}
    for promised in map(platform_baseline, platform_tags):
        if not promised:
            return {}
        for arch, features in promised.items():
            shared[arch] = shared[arch] & features if arch in shared else features
    return shared
