"""One project: its releases asked of an index and held against a CPU."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

from packaging.tags import sys_tags
from packaging.utils import InvalidName, canonicalize_name

from cpufit_resolver import CpufitError, CpuProfile
from cpufit_resolver.detection import DetectedCpu, detect

from .bodies import cpu_body
from .exits import FITS, NOTHING_FITS
from .index import IndexAddress, IndexCannotAnswer, IndexProject, InvalidIndexUrl, fetch_project, read_address
from .installers import pip_index
from .judge import JudgedRelease, foreign_tags, judge_project, newest_fit
from .output import Output
from .report import importable_lines, project_lines
from .reporting import newest_unmet, report_of, send_report
from .surroundings import index_address, pip_files, warnings_for

if TYPE_CHECKING:
    import argparse


class InvalidProjectName(CpufitError):
    """What was given as a project is no project's name."""

    code = "invalid-project-name"


def run(arguments: argparse.Namespace, project: str, cpu: DetectedCpu, output: Output) -> int:
    """Judge every release of a project, report, and return the exit code."""
    address = index_address(arguments.index)
    name = _project_name(project)
    found = fetch_project(address, name, os.environ)
    releases = judge_releases(found, cpu.profile, everything=arguments.all, import_only=arguments.import_only)
    newest = newest_fit(releases)
    other = _instead(address, found, cpu.profile) if newest is None else None
    reported = _report(address, found, releases, cpu.profile) if arguments.report else None
    warnings = warnings_for(cpu, address)
    if output.as_json:
        rows = [release.as_dict() for release in releases]
        about = {"project": name, "index": address.shown, "newest_fit": newest, "releases": rows}
        told: dict[str, object] = {} if reported is None else {"reported": reported}
        if other is not None:
            told["instead"] = {"project": other[0], "newest_fit": other[1]}
        output.json({**cpu_body(cpu, warnings), **about, **told})
    else:
        lines = project_lines(
            name, cpu, address.shown, releases, newest, option=index_option(address), colour=output.colour
        )
        if other is not None:
            lines.append(f"The project {other[0]} fits: pip install '{'=='.join(other)}'{index_option(address)}")
        if newest is None:
            lines += importable_lines(judge_releases(found, cpu.profile, everything=False, import_only=True))
        if reported is not None:
            lines.append("The index was told what is wanted." if reported else "The index was told nothing.")
        output.lines(lines, warnings)
    return FITS if newest is not None else NOTHING_FITS


def _project_name(given: str) -> str:
    try:
        return canonicalize_name(given, validate=True)
    except InvalidName as error:
        raise InvalidProjectName(
            f"{given!r} is not a project's name", hint="give the name alone, such as polars: every release is judged"
        ) from error


def index_option(address: IndexAddress) -> str:
    """Return what pip has to be told to ask this index; nothing where it asks it anyway."""
    told = pip_index(os.environ, pip_files())
    try:
        if told and read_address(told).base == address.base:
            return ""
    except InvalidIndexUrl:  # a folder, for one
        pass
    return f" --index-url {address.shown}/simple/"


def judge_releases(
    project: IndexProject, profile: CpuProfile, *, everything: bool, import_only: bool
) -> tuple[JudgedRelease, ...]:
    """Return the verdict on each release for this Python, newest first; see :func:`.judge.judge_project`."""
    return judge_project(
        project,
        profile,
        _tags(project, profile),
        platform.python_version(),
        everything=everything,
        import_only=import_only,
    )


def _tags(project: IndexProject, profile: CpuProfile) -> list[str]:
    tags = [str(tag) for tag in sys_tags()]
    if detect().profile.arch != profile.arch:
        tags = foreign_tags(tags, (file for _, files in project.releases for file in files), profile.arch)
    return tags


def _instead(address: IndexAddress, project: IndexProject, profile: CpuProfile) -> tuple[str, str] | None:
    """Return the project that the index names for other CPUs, and the newest release of it that fits; None if none."""
    if project.instead is None:
        return None
    try:
        other = fetch_project(address, project.instead, os.environ)
    except IndexCannotAnswer:  # a refusal without advice is still a refusal
        return None
    newest = newest_fit(judge_releases(other, profile, everything=False, import_only=False))
    return None if newest is None else (other.name, newest)


def _report(
    address: IndexAddress, project: IndexProject, releases: Sequence[JudgedRelease], profile: CpuProfile
) -> bool:
    """Tell the index that its newest release is wanted; False where it is no refusal, or the index does not take it."""
    unmet = newest_unmet(releases)
    if unmet is None:
        return False
    body = report_of(project, unmet, profile, _tags(project, profile)[0], platform.python_version())
    return send_report(address, body, os.environ)
