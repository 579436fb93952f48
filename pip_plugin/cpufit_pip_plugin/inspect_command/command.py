"""Arguments in, reports and exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cpufit_resolver import CpufitError

from .narration import narrating
from .probing import add_probe_options, probed
from .report import as_json, text_lines

if TYPE_CHECKING:
    from cpufit_wheelhouse.inspection.verdict import Verdict

KNOWN, UNDETERMINED, NO_WHEEL = 0, 1, 2


ARCHITECTURES = ("x86_64", "aarch64")


class InspectionUnavailable(CpufitError):
    """The libraries that read machine code are not installed."""

    code = "inspection-unavailable"
    usual_hint = "pip install 'cpufit[inspect]'"


class NothingToInspect(CpufitError):
    """A folder without wheels, or a path where nothing is."""

    code = "nothing-to-inspect"
    usual_hint = "give wheels, or folders with wheels in them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """One wheel and what was found."""

    path: Path
    verdict: Verdict | None = None
    error: CpufitError | None = None


def configure_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "inspect",
        help="read what wheels need from their machine code",
        description="Read the machine code of wheels and say which CPU features they need, and why.",
        epilog="exit codes: 0 every need is known; 1 one is undetermined; 2 usage, or a file that is no wheel",
    )
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL", help="wheels, or folders with wheels in them")
    parser.add_argument("--json", action="store_true", help="a JSON object on a line of its own for each wheel")
    parser.add_argument("--verbose", action="store_true", help="also what is no need: suspicions, warnings, notes")
    parser.add_argument(
        "--arch", choices=ARCHITECTURES, metavar="ARCH", help="tell of this architecture alone: x86_64, aarch64"
    )
    parser.add_argument(
        "--threads",
        type=_threads,
        default=min(os.cpu_count() or 1, 4),
        metavar="N",
        help="how many threads decode (default: the CPUs, at most 4)",
    )
    add_probe_options(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Inspect every wheel, report each as it is done, and return the exit code.

    :raises InspectionUnavailable: what reads machine code is not installed
    """
    code = KNOWN
    for done in _inspected(arguments):
        code = max(code, _code(done))
        if arguments.json:
            print(as_json(done.path.name, done.verdict, done.error, arch=arguments.arch), flush=True)
        elif done.error is not None:
            print(f"cpufit: {done.path}: {done.error} [{done.error.code}]", file=sys.stderr)
        elif done.verdict is not None:
            print("\n".join(text_lines(done.path.name, done.verdict, arguments.arch, verbose=arguments.verbose)))
    return code


def _code(done: Inspected) -> int:
    if done.error is not None:
        return NO_WHEEL
    return KNOWN if done.verdict is not None and done.verdict.known else UNDETERMINED


def _inspected(arguments: argparse.Namespace) -> Iterator[Inspected]:
    try:
        from cpufit_wheelhouse.inspection.wheel import inspect_wheel  # noqa: PLC0415 - numpy and numba take a second
    except ModuleNotFoundError as error:
        raise InspectionUnavailable(f"the module {error.name} is not installed") from error
    for given in arguments.wheels:
        try:
            paths = wheels_of(given)
        except NothingToInspect as error:
            yield Inspected(path=given, error=error)
            continue
        for path in paths:
            try:
                with narrating(path, plain=arguments.verbose) as progress:
                    verdict = inspect_wheel(path, path.name, threads=arguments.threads, progress=progress)
                verdict = probed(path, verdict, arguments)
            except CpufitError as error:
                yield Inspected(path=path, error=error)
                continue
            except ModuleNotFoundError as error:
                raise InspectionUnavailable(f"the module {error.name} is not installed") from error
            yield Inspected(path=path, verdict=verdict)


def wheels_of(given: Path) -> tuple[Path, ...]:
    """Return the wheels that an argument names: itself, or a folder's, by name.

    :raises NothingToInspect: it is not there, or a folder without wheels
    """
    if given.is_dir():
        found = tuple(sorted(given.glob("*.whl")))
        if not found:
            raise NothingToInspect("no wheel is in this folder")
        return found
    if not given.is_file():
        raise NothingToInspect("no file is here")
    return (given,)


def _threads(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError("between 1 and 256")
    return number
