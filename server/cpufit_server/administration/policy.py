"""A project's settings: what its policy lets in, and what of it is shown to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import Project
    from cpufit_wheelhouse.catalog.records import PlainPolicy, UnknownPolicy, UpstreamPolicy
    from cpufit_wheelhouse.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What is to change; None leaves what there is. See :class:`cpufit_wheelhouse.catalog.Project`."""

    variants: bool | None = None
    unknown: UnknownPolicy | None = None
    plain: PlainPolicy | None = None
    build_sdist: bool | None = None
    upstream: UpstreamPolicy | None = None
    instead: str | None = None
    """Empty for no project."""


def set_policy(home: Home, name: str, change: PolicyChange, *, who: str, why: str) -> Project:
    """Change a project's policy and return the project.

    :raises NoSuchProject: it is not hosted
    """
    return home.catalog.set_policy(
        name,
        variants=change.variants,
        unknown=change.unknown,
        plain=change.plain,
        build_sdist=change.build_sdist,
        upstream=change.upstream,
        instead=change.instead,
        said=(who, why),
    )


def policy_as_dict(project: Project) -> dict[str, object]:
    """Return what a machine reads of a project's policy."""
    return {
        "variants": project.variants,
        "unknown": project.unknown,
        "plain": project.plain,
        "build_sdist": project.build_sdist,
        "upstream": project.upstream,
    }
