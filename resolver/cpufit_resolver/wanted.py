"""What is told of a CPU that gets nothing of a release, so that somebody builds for it, and no more than that takes.

Clients tell it to an index that takes reports, and an index that sees it for itself counts it in the same words.
"""

from __future__ import annotations

from typing import Iterable

from .features import architecture
from .need import Need
from .profile import CpuProfile
from .refusals import NEEDS_FEATURES, Refusal


def told_cpu(profile: CpuProfile, relevant: frozenset[str]) -> str:
    """Return the token under which a CPU is counted: its levels, and what some file of the project asks for."""
    levels = (level.features for level in architecture(profile.arch).levels)
    return profile.reduced_to(relevant.union(*levels)).token


def least_missing(lacking: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what the least demanding wheel lacks; nothing where no wheel lacks anything.

    :param lacking: the features that a CPU does not have, sorted, for each wheel
    """
    return min(lacking, key=lambda missing: (len(missing), missing), default=())


def report_body(
    project: str,
    version: str,
    profile: CpuProfile,
    refusals: Iterable[Refusal],
    needs: Iterable[Need],
    *,
    best_tag: str,
    python: str,
) -> dict[str, object]:
    """Return the JSON form of what an index is told of one release.

    :param project: in normal form
    :param refusals: why nothing of the release fits
    :param needs: what is known of the wheels that the CPU is told for
    :param best_tag: the interpreter's most preferred tag
    :param python: its version
    """
    missing = least_missing(refusal.missing for refusal in refusals if refusal.code == NEEDS_FEATURES)
    relevant: list[frozenset[str]] = [need.relevant_features for need in needs]
    return {
        "project": project,
        "version": version,
        "cpu": told_cpu(profile, frozenset().union(*relevant)),
        "missing": list(missing),
        "python": ".".join(python.split(".")[:2]),
        "platform": best_tag.split("-", 2)[2],
    }
