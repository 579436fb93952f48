"""The arguments of ``cpu-check``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from .exits import EPILOG


def build_parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="cpu-check",
        description="What this CPU can run: a project's releases, requirements, wheels, or what is installed.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "subjects",
        nargs="*",
        metavar="PROJECT|WHEEL",
        help="a project, of which every release is judged; or wheels (*.whl), whose machine code is read",
    )
    _add_questions(parser)
    _add_index_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON (schema: cpu-check.schema.json)")
    form.add_argument("--token", action="store_true", help="print the CPU token alone")
    form.add_argument("--quiet", action="store_true", help="print nothing: the exit code tells; errors are told")
    return parser


def _add_questions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--environment",
        nargs="?",
        const="",
        metavar="PYTHON",
        help="judge the native libraries installed in an environment: that of a Python (a program or a folder), "
        "without one the active virtual environment, else the one of this command",
    )
    parser.add_argument(
        "-r", "--requirement", metavar="FILE", help="judge each project that a requirements file names, on the index"
    )
    parser.add_argument(
        "--diff", metavar="TOKEN", help="tell what another CPU has that this one lacks, and the other way round"
    )
    parser.add_argument(
        "--cpu", metavar="TOKEN", help="ask for another CPU, for example x86_64_v2+avx, Nehalem or cortex-a72"
    )
    parser.add_argument(
        "--try",
        dest="trial",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="with --environment: import each package in a process of its own instead of reading its machine code "
        "(this runs the packages); default: only where this CPU cannot run what reads machine code",
    )


def _add_index_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--index",
        metavar="URL",
        help="the cpufit index; default: CPUFIT_INDEX, then the index that pip is told to use",
    )
    parser.add_argument("--all", action="store_true", help="also list wheels for other platforms and Pythons")
    parser.add_argument(
        "--import-only",
        action="store_true",
        default=os.environ.get("CPUFIT_ALLOW_IMPORT_ONLY") in ("1", "true", "yes"),
        help="where nothing fits, take a wheel that can be imported though some of its operations die "
        "(also: CPUFIT_ALLOW_IMPORT_ONLY=1)",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="where nothing of the newest release fits, tell the index of it",
    )


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; ends the process where they contradict each other.

    Of what is left, at most one of ``project``, ``wheels``, ``environment``, ``requirement`` and ``diff`` is set.
    """
    parser = build_parser()
    found = parser.parse_args(argv)
    wheels = [subject for subject in found.subjects if subject.endswith(".whl")]
    projects = [subject for subject in found.subjects if not subject.endswith(".whl")]
    if len(projects) > 1 or (projects and wheels):
        parser.error("one PROJECT, or wheels")
    found.project, found.wheels = (projects[0] if projects else None), wheels
    questions = {
        "a PROJECT": found.project,
        "a WHEEL": wheels or None,
        "--environment": found.environment,
        "-r": found.requirement,
        "--diff": found.diff,
    }
    asked = [name for name, value in questions.items() if value is not None]
    if len(asked) > 1:
        parser.error(f"one question at a time: {' or '.join(asked)}")
    if found.index and not {"a PROJECT", "-r", "--environment"} & set(asked):
        parser.error("--index goes with a PROJECT, -r or --environment")
    if (found.all or found.report) and found.project is None:
        parser.error("--index, --all and --report go with a PROJECT")
    if found.token and asked:
        parser.error(f"--token goes without {asked[0]}")
    if found.trial is not None and found.environment is None:
        parser.error("--try goes with --environment")
    return found
