"""The command ``cpu-check``: arguments in, report and exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpufit_resolver import CpufitError, InvalidCpuToken
from cpufit_resolver.detection import DetectedCpu, detect

from .arguments import build_parser, read_arguments
from .asked import asked_cpu
from .bodies import cpu_body
from .exits import FITS, INDEX_CANNOT_ANSWER, NOBODY_READS, NOT_TOLD, NOTHING_FITS, USAGE
from .naming import detect_named
from .output import Output

if TYPE_CHECKING:
    import argparse

__all__ = [
    "FITS",
    "INDEX_CANNOT_ANSWER",
    "NOBODY_READS",
    "NOTHING_FITS",
    "NOT_TOLD",
    "USAGE",
    "build_parser",
    "cpu_body",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    arguments = read_arguments(argv)
    output = Output.of(as_json=arguments.json, quiet=arguments.quiet)
    try:
        code = _run_or_explain(arguments, output)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough: ``cpu-check | head -1``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    return code


def _run_or_explain(arguments: argparse.Namespace, output: Output) -> int:
    try:
        return _run(arguments, output)
    except CpufitError as error:
        if output.as_json:
            output.json({"error": error.as_dict()})
        else:
            print(f"cpu-check: {error}", file=sys.stderr)
        return _exit_code(error)


def _exit_code(error: CpufitError) -> int:
    if isinstance(error, InvalidCpuToken):
        return USAGE
    from .decoder import MachineCodeUnreadable  # noqa: PLC0415  # only a failure pays for it
    from .index import IndexCannotAnswer  # noqa: PLC0415  # as above

    if isinstance(error, MachineCodeUnreadable):
        return NOT_TOLD
    return INDEX_CANNOT_ANSWER if isinstance(error, IndexCannotAnswer) else USAGE


def _run(arguments: argparse.Namespace, output: Output) -> int:
    if arguments.environment is not None:
        from .environment import command  # noqa: PLC0415  # this mode alone reads what is installed

        return command.run(arguments, output)
    detector = detect if arguments.token or arguments.quiet else detect_named
    cpu = asked_cpu(arguments.cpu, arguments.project, detector)
    if arguments.token:
        print(cpu.profile.token)
        return FITS
    return _answer(arguments, cpu, output)


def _answer(arguments: argparse.Namespace, cpu: DetectedCpu, output: Output) -> int:
    if arguments.project is not None:
        from . import project  # noqa: PLC0415  # this mode alone loads packaging and httpx

        return project.run(arguments, arguments.project, cpu, output)
    if arguments.wheels:
        from . import wheels  # noqa: PLC0415  # as above

        return wheels.run(arguments, cpu, output)
    if arguments.requirement is not None:
        from . import requirements  # noqa: PLC0415  # as above

        return requirements.run(arguments, cpu, output)
    if arguments.diff is not None:
        from . import diff  # noqa: PLC0415  # as above

        return diff.run(arguments.diff, cpu, output)
    return _tell_cpu(cpu, output)


def _tell_cpu(cpu: DetectedCpu, output: Output) -> int:
    from .surroundings import warnings_for  # noqa: PLC0415  # --token needs none of it

    warnings = warnings_for(cpu, None)
    if output.as_json:
        output.json(cpu_body(cpu, warnings))
    else:
        from .report import cpu_lines  # noqa: PLC0415  # only this form needs it

        output.lines(cpu_lines(cpu, colour=output.colour), warnings)
    return FITS


if __name__ == "__main__":
    sys.exit(main())
