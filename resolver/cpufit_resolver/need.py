"""The need: per architecture, the features that a wheel must find, in two parts, and where we know it from.

``import`` holds the features without which the import dies, ``use`` those without which some operation dies. A wheel
fits when both are there. A wheel that nobody judged has no :class:`Need` at all: it is *unknown*, written ``None``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, Mapping

from .baseline import shared_baseline
from .errors import InvalidCpuToken
from .features import architecture, architecture_of_level
from .profile import CpuProfile, format_token, parse_features, parse_token

SOURCES = ("baseline", "declared", "inspected", "probed")
"""Where a need can come from: no native code at all, somebody's word, the machine code, a run on an emulated CPU."""


@dataclass(frozen=True)
class ArchNeed:
    """What a wheel needs on one architecture; both parts hold the architecture's floor."""

    at_import: frozenset[str]
    at_use: frozenset[str]

    @property
    def features(self) -> frozenset[str]:
        """Everything that must be there."""
        return self.at_import | self.at_use


@dataclass(frozen=True)
class Need:
    """What a wheel needs, architecture by architecture.

    Equality is about what is needed; where we know it from does not make two needs different.
    """

    by_arch: tuple[tuple[str, ArchNeed], ...] = ()
    source: str = field(default="baseline", compare=False)
    evidence: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, parts: Mapping[str, ArchNeed], *, source: str, evidence: Iterable[str] = ()) -> Need:
        """Return a need from its parts; each is widened by its architecture's floor."""
        widened = {
            arch: ArchNeed(
                at_import=part.at_import | architecture(arch).floor, at_use=part.at_use | architecture(arch).floor
            )
            for arch, part in parts.items()
        }
        return cls(by_arch=tuple(sorted(widened.items())), source=source, evidence=tuple(evidence))

    @classmethod
    def uniform(cls, arch: str, features: frozenset[str], *, source: str, evidence: Iterable[str] = ()) -> Need:
        """Return a need whose import and use are the same, on one architecture."""
        return cls.of({arch: ArchNeed(at_import=features, at_use=features)}, source=source, evidence=evidence)

    @property
    def key(self) -> str:
        """The text by which two needs are the same or not: ``x86_64_v3``, ``any`` for a wheel that needs nothing.

        Where use asks for more than import, it follows a slash; architectures are joined by a comma.
        """
        parts = []
        for arch, part in self.by_arch:
            at_import, everything = format_token(arch, part.at_import), format_token(arch, part.features)
            parts.append(at_import if at_import == everything else f"{at_import}/{everything}")
        return ",".join(parts) or "any"

    @property
    def relevant_features(self) -> frozenset[str]:
        """Every feature that this need asks for, on whichever architecture."""
        return frozenset().union(*(part.features for _, part in self.by_arch))

    def on(self, arch: str) -> ArchNeed | None:
        """Return the part for one architecture; None if the wheel says nothing of it."""
        return dict(self.by_arch).get(arch)

    def as_dict(self) -> dict[str, dict[str, str]]:
        """Return the JSON form: ``{"x86_64": {"import": TOKEN, "use": TOKEN}}``."""
        return {
            arch: {"import": format_token(arch, part.at_import), "use": format_token(arch, part.features)}
            for arch, part in self.by_arch
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Mapping[str, str]], *, source: str = "declared", evidence: Iterable[str] = ()
    ) -> Need:
        """Return a need from its JSON form.

        :raises InvalidCpuToken: a token cannot be read, or belongs to another architecture than its key
        """
        parts = {}
        for arch, tokens in data.items():
            halves = []
            for half in ("import", "use"):
                token_arch, features = parse_token(tokens[half])
                if token_arch != arch:
                    raise InvalidCpuToken(f"{tokens[half]!r} is not a token of {arch}", where=half)
                halves.append(features)
            parts[arch] = ArchNeed(at_import=halves[0], at_use=halves[1])
        return cls.of(parts, source=source, evidence=evidence)


BASELINE_NEED = Need()
"""The need of a wheel without native code: nothing, anywhere."""


def parse_need(text: str, architectures: frozenset[str]) -> Need:
    """Return the need that somebody declares: tokens or features, for a wheel of these architectures.

    ``x86_64_v2+avx+f16c`` is a token; ``avx f16c`` or ``avx,f16c`` names features of the wheel's only architecture;
    ``x86_64_v3,aarch64_8_2a`` gives one token for each architecture of a universal2 wheel.

    :raises InvalidCpuToken: it cannot be read, names no architecture of the wheel, or leaves the architecture open
    """
    parts: dict[str, frozenset[str]] = {}
    loose: list[str] = []
    for word in (word.strip() for word in re.split(r"[,;]", text)):
        if not word:
            continue
        head = re.split(r"[+ ]", word)[0].lower()
        if architecture_of_level(head) is None:
            loose.extend(name for name in re.split(r"[+ ]+", word) if name)
            continue
        arch, features = parse_token(word)
        if arch in parts:
            raise InvalidCpuToken(f"two tokens for {arch} in {text!r}")
        parts[arch] = features
    if loose:
        only = _only_architecture(text, frozenset(parts) or architectures)
        parts[only] = parts.get(only, frozenset()) | parse_features(loose, architecture(only))
    if not parts:
        raise InvalidCpuToken("an empty need", hint="write a token (x86_64_v2+avx) or features (avx,f16c)")
    foreign = frozenset(parts) - architectures if architectures else frozenset()
    if foreign:
        raise InvalidCpuToken(
            f"the need {text!r} is for {', '.join(sorted(foreign))}, the wheel for {', '.join(sorted(architectures))}"
        )
    return Need.of(
        {arch: ArchNeed(f, f) for arch, f in parts.items()}, source="declared", evidence=(f"declared: {text}",)
    )


def _only_architecture(text: str, architectures: frozenset[str]) -> str:
    if len(architectures) != 1:
        raise InvalidCpuToken(
            f"{text!r} names features without a level, and the wheel does not tell one architecture",
            hint="write a token for each architecture: x86_64_v3,aarch64_8_2a",
        )
    return next(iter(architectures))


def missing_features(
    need: Need, profile: CpuProfile, platform_tags: Iterable[str], *, import_only: bool = False
) -> frozenset[str]:
    """Return what a CPU lacks to run a wheel; empty means that the wheel fits.

    What a platform tag promises is never lacking, except on the profile's own architecture: there the profile, which
    was measured, is the whole truth. A need on another architecture is held against the tag's baseline.
    """
    floors = shared_baseline(platform_tags)
    lacking: frozenset[str] = frozenset()
    own = need.on(profile.arch)
    if own is not None:
        return (own.at_import if import_only else own.features) - profile.features
    for arch, part in need.by_arch:
        lacking |= part.features - floors.get(arch, architecture(arch).floor)
    return lacking


def is_ordinary(need: Need, platform_tags: Iterable[str]) -> bool:
    """Tell whether a wheel runs on every CPU that its platform tags promise."""
    floors = shared_baseline(platform_tags)
    return all(part.features <= floors.get(arch, architecture(arch).floor) for arch, part in need.by_arch)
