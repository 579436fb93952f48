"""The command that mends it: the newest release that runs here, asked of an index; no name is ever made up."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from cpufit_pip_plugin.cpu_check.index import IndexProject, NoSuchProject
from cpufit_pip_plugin.cpu_check.judge import JudgedRelease, newest_fit

from .interpreter import Environment
from .judged import JudgedPackage, Mend

Ask = Callable[[str], IndexProject]
Judge = Callable[[IndexProject], Sequence[JudgedRelease]]


def mended(package: JudgedPackage, ask: Ask, judge: Judge, pip: str, option: str) -> JudgedPackage:
    """Return a package with the command that puts a release in its place which runs; unchanged where there is none.

    The package itself comes first, then the installed projects that ask for it: polars keeps its library in a project
    of another name, and an index may host the one without the other.

    :param ask: gives the index's word on a project
    :param judge: holds its releases against the CPU, newest first
    :param pip: how the environment's pip is called
    :param option: what pip has to be told besides, with a space before it
    :raises IndexCannotAnswer: the index has no use
    """
    for project in (package.name, *package.brought_by):
        try:
            found = ask(project)
        except NoSuchProject:
            continue
        newest = newest_fit(judge(found))
        if newest is not None:
            command = f"{pip} install --force-reinstall{option} {shlex.quote(f'{project}=={newest}')}"
            return replace(package, mend=Mend(project=project, version=newest, command=command))
    return package


def pip_of(environment: Environment) -> str:
    """Return how a person calls the pip of an environment."""
    if environment.python is None:
        return "pip"
    path = str(environment.python)
    return f"{path if re.fullmatch(r'[A-Za-z0-9_./+-]+', path) else shlex.quote(path)} -m pip"
