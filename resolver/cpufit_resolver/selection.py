"""Selection: which of a release's wheels a machine gets.

One implementation for the server, the command line and the selector; it takes values and returns values.

Order among the wheels that fit, best first: the higher level, then the more features asked for (what asks for more
was compiled to use more), then the interpreter's own order of tags, then the higher build tag (binary distribution
format, "File name convention"), then the file name. So the fastest wheel that runs wins, as PEP 825 "Variant
ordering" puts variants before platform tags. Import-only fits come last of all, and only where somebody asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterable, Sequence, Tuple, Union

from . import refusals
from .features import architecture
from .need import Need, missing_features
from .profile import CpuProfile
from .refusals import Refusal

BuildTag = Union[Tuple[()], Tuple[int, str]]


@dataclass(frozen=True)
class Candidate:
    """One wheel of a release, as selection sees it.

    ``tags`` are expanded (``cp311-cp311-manylinux_2_17_x86_64``); ``need`` None means unknown; ``key`` is for the
    caller, to find its own record again.
    """

    filename: str
    tags: frozenset[str]
    need: Need | None
    build: BuildTag = ()
    key: str = ""

    @property
    def platform_tags(self) -> frozenset[str]:
        """The platform parts of its tags."""
        return frozenset(tag.split("-", 2)[2] for tag in self.tags)


@dataclass(frozen=True)
class Selection:
    """What came of it: the wheels that fit, best first, and a reason for every other."""

    ranked: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]
    import_only: frozenset[str] = field(default_factory=frozenset)
    """File names among ``ranked`` whose use-part does not fit."""

    @property
    def chosen(self) -> Candidate | None:
        """The wheel to install, or None."""
        return self.ranked[0] if self.ranked else None


def need_rank(need: Need, arch: str) -> tuple[int, int]:
    """Return how demanding a need is on one architecture, to compare with others: level first, then features."""
    part = need.on(arch)
    if part is None:
        return (0, 0)
    table = architecture(arch)
    level = table.highest_level(part.features)
    position = next((i for i, known in enumerate(table.levels) if level is not None and known.name == level.name), 0)
    return (position, len(part.features))


def select(
    candidates: Iterable[Candidate],
    profile: CpuProfile,
    supported_tags: Sequence[str],
    *,
    allow_unknown: bool = False,
    allow_import_only: bool = False,
) -> Selection:
    """Choose among the wheels of one release for one CPU and one interpreter.

    :param supported_tags: the interpreter's tags, preferred first (``packaging.tags.sys_tags``)
    :param allow_unknown: the project's policy ``unknown = allow``
    :param allow_import_only: also take, last of all, a wheel of which only the import-part fits
    """
    order: dict[str, int] = {tag: index for index, tag in reversed(list(enumerate(supported_tags)))}
    fitting: list[tuple[tuple[int, tuple[int, int], int, BuildTag, str], Candidate]] = []
    refused: list[Refusal] = []
    partial = set()
    for candidate in candidates:
        best_tag = min((order[tag] for tag in candidate.tags if tag in order), default=None)
        if best_tag is None:
            refused.append(refusals.other_platform(candidate.filename))
            continue
        verdict = refuse(candidate, profile, allow_unknown=allow_unknown)
        whole = verdict is None
        if verdict is not None and allow_import_only and candidate.need is not None:
            verdict = refuse(candidate, profile, allow_unknown=allow_unknown, import_only=True)
        if verdict is not None:
            refused.append(verdict)
            continue
        if not whole:
            partial.add(candidate.filename)
        rank = (-1, -1) if candidate.need is None else need_rank(candidate.need, profile.arch)
        fitting.append(((int(whole), rank, -best_tag, candidate.build, candidate.filename), candidate))
    fitting.sort(key=lambda pair: pair[0], reverse=True)
    return Selection(
        ranked=tuple(candidate for _, candidate in fitting), refusals=tuple(refused), import_only=frozenset(partial)
    )


def refuse(
    candidate: Candidate, profile: CpuProfile, *, allow_unknown: bool = False, import_only: bool = False
) -> Refusal | None:
    """Return why a CPU cannot have a wheel, or None if it can; tags are not looked at."""
    if candidate.need is None:
        return None if allow_unknown else refusals.not_inspected(candidate.filename)
    missing = missing_features(candidate.need, profile, candidate.platform_tags, import_only=import_only)
    return refusals.needs_features(candidate.filename, missing, candidate.need.evidence) if missing else None
