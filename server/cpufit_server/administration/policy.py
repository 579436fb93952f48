"""A project's settings: what its policy lets in, and what of it is shown to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import PolicyChange, Project
    from cpufit_wheelhouse.home import Home


def set_policy(home: Home, name: str, change: PolicyChange, *, who: str, why: str) -> Project:
    """Change a project's policy and return the project.

    :raises NoSuchProject: it is not hosted
    """
    return home.catalog.set_policy(name, change, said=(who, why))


def policy_as_dict(project: Project) -> dict[str, object]:
    """Return what a machine reads of a project's policy."""
    return {
        "variants": project.variants,
        "unknown": project.unknown,
        "plain": project.plain,
        "build_sdist": project.build_sdist,
        "upstream": project.upstream,
    }
