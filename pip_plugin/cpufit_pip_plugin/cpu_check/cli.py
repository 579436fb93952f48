"""The command ``cpu-check``: arguments in, report and exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cpufit_resolver import CpufitError, CpuProfile, InvalidCpuToken
from cpufit_resolver.detection import DetectedCpu, detect, profile_for

if TYPE_CHECKING:
    from .index import IndexAddress, IndexProject
    from .installers import Surroundings, Warned
    from .judge import JudgedRelease

FITS, NOTHING_FITS, USAGE, INDEX_CANNOT_ANSWER = 0, 1, 2, 3
NOBODY_READS = 141
"""As a shell tells of a command that SIGPIPE ended."""


class NoIndex(CpufitError):
    """A project was asked for, and nobody says where."""

    code = "no-index"


class InvalidProjectName(CpufitError):
    """What was given as a project is no project's name."""

    code = "invalid-project-name"


def build_parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="cpu-check",
        description="What this CPU can run and, with a project, which of its releases fit.",
        epilog="exit codes: 0 fits, or the CPU was told; 1 no release fits; 2 usage; 3 the index cannot answer",
    )
    parser.add_argument("project", nargs="?", metavar="PROJECT", help="judge every release of this project")
    parser.add_argument(
        "--index",
        metavar="URL",
        help="the cpufit index; default: CPUFIT_INDEX, then the index that pip is told to use",
    )
    parser.add_argument("--cpu", metavar="TOKEN", help="ask for another CPU, for example x86_64_v2+avx")
    parser.add_argument("--all", action="store_true", help="also list wheels for other platforms and Pythons")
    parser.add_argument(
        "--import-only",
        action="store_true",
        default=os.environ.get("CPUFIT_ALLOW_IMPORT_ONLY") in ("1", "true", "yes"),
        help="where nothing fits, take a wheel that can be imported though some of its operations die "
        "(also: CPUFIT_ALLOW_IMPORT_ONLY=1)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON (schema: cpu-check.schema.json)")
    form.add_argument("--token", action="store_true", help="print the CPU token alone")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.project is None and (arguments.index or arguments.all):
        parser.error("--index and --all go with a PROJECT")
    if arguments.project is not None and arguments.token:
        parser.error("--token goes without a PROJECT")
    try:
        code = _run_or_explain(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough: ``cpu-check | head -1``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    return code


def _run_or_explain(arguments: argparse.Namespace) -> int:
    try:
        return _run(arguments)
    except CpufitError as error:
        _print_error(error, as_json=arguments.json)
        return _exit_code(error)


def _exit_code(error: CpufitError) -> int:
    if isinstance(error, InvalidCpuToken):
        return USAGE
    from .index import IndexCannotAnswer  # noqa: PLC0415  # only a failure pays for it

    return INDEX_CANNOT_ANSWER if isinstance(error, IndexCannotAnswer) else USAGE


def _print_error(error: CpufitError, *, as_json: bool) -> None:
    if as_json:
        _print_json({"error": error.as_dict()})
    else:
        print(f"cpu-check: {error}", file=sys.stderr)


def _print_json(body: dict[str, object]) -> None:
    import json  # noqa: PLC0415  # only this form needs it

    print(json.dumps(body, indent=2))


def _run(arguments: argparse.Namespace) -> int:
    cpu = profile_for(arguments.cpu, os.environ, partial(detect, brand=not arguments.token))
    if arguments.token:
        print(cpu.profile.token)
        return FITS
    if arguments.project is not None:
        return _run_project(arguments, cpu)
    warnings = _warnings(cpu, None)
    if arguments.json:
        _print_json(cpu_body(cpu, warnings))
        return FITS
    from .report import cpu_lines  # noqa: PLC0415  # only this form needs it

    print("\n".join(cpu_lines(cpu, colour=_colour())))
    _print_warnings(warnings)
    return FITS


def cpu_body(cpu: DetectedCpu, warnings: Sequence[Warned]) -> dict[str, object]:
    """Return the JSON object that describes a CPU."""
    return {
        "profile": cpu.profile.token,
        "features": sorted(cpu.profile.features),
        "level": cpu.profile.level,
        "arch": cpu.profile.arch,
        "brand": cpu.brand,
        "source": cpu.source,
        "hidden": [
            {"by": hidden.by, "features": sorted(hidden.features), "sentence": hidden.sentence} for hidden in cpu.hidden
        ],
        "warnings": [warning.as_dict() for warning in warnings],
    }


def _run_project(arguments: argparse.Namespace, cpu: DetectedCpu) -> int:
    from .index import fetch_project  # noqa: PLC0415  # this mode alone loads packaging and httpx
    from .judge import newest_fit  # noqa: PLC0415  # as above

    address = _address(arguments.index)
    name = _project_name(arguments.project)
    project = fetch_project(address, name, os.environ)
    releases = _judge(project, cpu.profile, everything=arguments.all, import_only=arguments.import_only)
    newest = newest_fit(releases)
    warnings = _warnings(cpu, address)
    if arguments.json:
        rows = [release.as_dict() for release in releases]
        about = {"project": name, "index": address.shown, "newest_fit": newest, "releases": rows}
        _print_json({**cpu_body(cpu, warnings), **about})
    else:
        from .report import project_lines  # noqa: PLC0415  # only this form needs it

        lines = project_lines(
            name, cpu, address.shown, releases, newest, option=_index_option(address), colour=_colour()
        )
        print("\n".join(lines))
        _print_warnings(warnings)
    return FITS if newest is not None else NOTHING_FITS


def _project_name(given: str) -> str:
    from packaging.utils import InvalidName, canonicalize_name  # noqa: PLC0415  # as above

    try:
        return canonicalize_name(given, validate=True)
    except InvalidName as error:
        raise InvalidProjectName(
            f"{given!r} is not a project's name", hint="give the name alone, such as polars: every release is judged"
        ) from error


def _index_option(address: IndexAddress) -> str:
    """Return what pip has to be told to ask this index; nothing where it asks it anyway."""
    from .index import InvalidIndexUrl, read_address  # noqa: PLC0415  # as above
    from .installers import pip_index  # noqa: PLC0415  # as above

    told = pip_index(os.environ, _pip_files())
    try:
        if told and read_address(told).base == address.base:
            return ""
    except InvalidIndexUrl:  # a folder, for one
        pass
    return f" --index-url {address.shown}/simple/"


def _judge(
    project: IndexProject, profile: CpuProfile, *, everything: bool, import_only: bool
) -> tuple[JudgedRelease, ...]:
    import platform  # noqa: PLC0415  # this mode alone needs it

    from packaging.tags import sys_tags  # noqa: PLC0415  # as above

    from .judge import foreign_tags, judge_project  # noqa: PLC0415  # as above

    tags = [str(tag) for tag in sys_tags()]
    if detect().profile.arch != profile.arch:
        tags = foreign_tags(tags, (file for _, files in project.releases for file in files), profile.arch)
    return judge_project(
        project, profile, tags, platform.python_version(), everything=everything, import_only=import_only
    )


def _pip_files() -> list[tuple[str, str]]:
    from .installers import pip_config_paths, read_existing  # noqa: PLC0415  # --token needs none of it

    return read_existing(pip_config_paths(_surroundings()))


def _surroundings() -> Surroundings:
    from .installers import Surroundings  # noqa: PLC0415  # as above

    home = Path(os.environ.get("HOME") or os.environ.get("USERPROFILE") or "~")
    return Surroundings(
        environ=os.environ, platform=sys.platform, home=home, prefix=Path(sys.prefix), folder=Path.cwd()
    )


def _address(given: str | None) -> IndexAddress:
    from .index import read_address  # noqa: PLC0415  # as above
    from .installers import pip_index  # noqa: PLC0415  # as above

    url = given or os.environ.get("CPUFIT_INDEX") or pip_index(os.environ, _pip_files())
    if not url:
        raise NoIndex("no index to ask", hint="give --index URL, or set CPUFIT_INDEX, or pip's index-url")
    return read_address(url)


def _warnings(cpu: DetectedCpu, address: IndexAddress | None) -> list[Warned]:
    from cpufit_pip_plugin.telling.user_data import VARIABLE, token_in  # noqa: PLC0415  # as above

    from .installers import extra_index_warnings, read_existing, uv_config_paths  # noqa: PLC0415  # as above

    own = None if address is None else f"{address.base}/simple"
    uv_files = read_existing(uv_config_paths(_surroundings()))
    found = extra_index_warnings(os.environ, _pip_files(), uv_files, own)
    told = token_in(os.environ.get(VARIABLE, ""))
    claims = [(VARIABLE, told), ("the index URL", address.token if address is not None else None)]
    return found + [warning for where, token in claims for warning in _overclaims(cpu, where, token)]


def _overclaims(cpu: DetectedCpu, where: str, token: str | None) -> list[Warned]:
    from .installers import Warned  # noqa: PLC0415  # as above

    if not token or cpu.source in ("argument", "environment", "file"):
        return []
    try:
        told = CpuProfile.parse(token, strict=False)
    except InvalidCpuToken:
        told = cpu.profile
    missing = told.features - cpu.profile.features
    if told.arch == cpu.profile.arch and not missing:
        return []
    lacking = ", ".join(sorted(missing)) if told.arch == cpu.profile.arch else told.arch
    message = f"{where} tells of another CPU, with {lacking}: wheels that die here may be installed"
    return [Warned(code="profile-of-another-cpu", message=message, where=where)]


def _print_warnings(warnings: Sequence[Warned]) -> None:
    for warning in warnings:
        print(f"cpu-check: warning: {warning.message}", file=sys.stderr)


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    sys.exit(main())
