"""Asking an index what would run instead."""

from __future__ import annotations

import os
from collections.abc import Sequence

from packaging.tags import compatible_tags, cpython_tags, sys_tags

from cpufit_pip_plugin.cpu_check.index import (
    IndexCannotAnswer,
    IndexProject,
    InvalidIndexUrl,
    fetch_project,
)
from cpufit_pip_plugin.cpu_check.judge import JudgedRelease, judge_project
from cpufit_pip_plugin.cpu_check.project import index_option
from cpufit_pip_plugin.cpu_check.surroundings import NoIndex, index_address
from cpufit_resolver import CpuProfile

from .interpreter import Environment
from .judged import JudgedPackage
from .mending import mended, pip_of


def mend_all(
    packages: Sequence[JudgedPackage], environment: Environment, profile: CpuProfile, given: str | None
) -> tuple[JudgedPackage, ...]:
    """Return the packages, those that cannot run with the command that mends it where an index knows one.

    An index that only pip's settings name may be any index: if it cannot tell, nothing is said of it.

    :param given: the index that the person named
    :raises IndexCannotAnswer: that one has no use
    """
    try:
        address = index_address(given)
    except (NoIndex, InvalidIndexUrl):
        if given is not None:
            raise
        return tuple(packages)
    tags, python = _tags(environment.version), environment.version or "3"

    def ask(project: str) -> IndexProject:
        return fetch_project(address, project, os.environ)

    def judge(project: IndexProject) -> tuple[JudgedRelease, ...]:
        return judge_project(project, profile, tags, f"{python}.0" if python.count(".") == 1 else python)

    pip, option = pip_of(environment), index_option(address)
    try:
        return tuple(mended(one, ask, judge, pip, option) if one.state == "cannot-run" else one for one in packages)
    except IndexCannotAnswer:
        if given is not None or os.environ.get("CPUFIT_INDEX"):
            raise
        return tuple(packages)


def _tags(version: str | None) -> list[str]:
    """Return the wheel tags of a Python on this system, by its version."""
    own = [str(tag) for tag in sys_tags()]
    if version is None:
        return own
    numbers = tuple(int(part) for part in version.split("."))
    plain = {tag for tag in own if tag.startswith(f"cp{numbers[0]}{numbers[1]}-cp{numbers[0]}{numbers[1]}")}
    if plain:
        return own
    foreign = [*cpython_tags(numbers), *compatible_tags(numbers, f"cp{numbers[0]}{numbers[1]}")]
    return [str(tag) for tag in foreign]
