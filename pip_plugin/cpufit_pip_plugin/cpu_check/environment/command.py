"""``cpu-check --environment``: the order of things."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cpufit_pip_plugin.cpu_check.bodies import cpu_body
from cpufit_pip_plugin.cpu_check.decoder import DecoderCannotRun, check_decoder
from cpufit_pip_plugin.cpu_check.exits import FITS, NOT_TOLD, NOTHING_FITS
from cpufit_pip_plugin.cpu_check.output import Output
from cpufit_pip_plugin.cpu_check.surroundings import warnings_for
from cpufit_resolver import CpufitError
from cpufit_resolver.detection import DetectedCpu, detect, profile_for
from cpufit_wheelhouse.installed import Installed, installed_in, required_by, unowned_natives

from .interpreter import Environment, find_environment, same_cpu
from .judged import JudgedPackage, Method, sorted_for_reading, worst
from .report import Report, report_lines

if TYPE_CHECKING:
    import argparse


_KIND = {"win32": "pe", "darwin": "macho"}.get(sys.platform, "elf")
"""What this system loads: pip's programs for Windows harm nobody elsewhere."""


class CannotTry(CpufitError):
    """Packages are to be tried where that cannot be done, or would tell of another CPU."""

    code = "cannot-try"
    usual_hint = "read their machine code on a newer machine, with --cpu"


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Judge what is installed, report, and return the exit code."""
    environment = find_environment(arguments.environment, os.environ)
    cpu = profile_for(arguments.cpu, os.environ, lambda: _cpu_of(environment, brand=not output.quiet))
    everything = tuple(one for place in environment.places for one in installed_in(place))
    packages = [one for one in everything if _KIND in one.kinds]
    method: Method = _method(arguments.trial, environment, cpu, output) if packages else "machine-code"
    if method == "trial":
        judged = _tried(environment, everything, packages, cpu, output)
    else:
        judged = _read(packages, cpu, output)
    askers = required_by(everything)
    judged = tuple(replace(one, brought_by=askers.get(one.name, ())) for one in judged)
    judged = _mended(sorted_for_reading(judged), environment, cpu, arguments.index)
    report = Report(
        environment=environment.shown,
        method=method,
        cpu=cpu,
        packages=judged,
        unowned=tuple(str(path) for place in environment.places for path in unowned_natives(place, everything)),
    )
    warnings = warnings_for(cpu, None)
    if output.as_json:
        output.json({**cpu_body(cpu, warnings), **report.as_dict()})
    else:
        output.lines(report_lines(report, colour=output.colour), warnings)
    return {"cannot-run": NOTHING_FITS, "not-told": NOT_TOLD, "runs": FITS}[worst(judged)]


def _cpu_of(environment: Environment, *, brand: bool) -> DetectedCpu:
    """Return the CPU of the environment's Python; where it is this process's, with its name."""
    here = detect(brand=brand)
    return environment.cpu if environment.cpu is not None and environment.cpu.profile != here.profile else here


def _method(asked: bool | None, environment: Environment, cpu: DetectedCpu, output: Output) -> Method:
    """Return how it can be told: by reading, unless somebody wants it tried or this CPU cannot run what reads.

    :raises CannotTry: trying is the only way, and there is no Python, or it has another CPU than the one that is meant
    :raises MachineCodeUnreadable: reading is the only way, and it cannot be done
    """
    if not asked:
        try:
            check_decoder()
        except DecoderCannotRun as error:
            if asked is False or not _can_try(environment, cpu):
                raise
            output.aside(f"cpu-check: {error.message}: each package is tried instead")
        else:
            return "machine-code"
    if environment.python is None:
        raise CannotTry("there is no Python to try them with", where=environment.shown)
    if not _can_try(environment, cpu):
        raise CannotTry(f"its Python does not run on the CPU that is meant, {cpu.profile.token}")
    return "trial"


def _can_try(environment: Environment, cpu: DetectedCpu) -> bool:
    return environment.python is not None and same_cpu(environment, cpu.profile)


def _read(packages: Sequence[Installed], cpu: DetectedCpu, output: Output) -> tuple[JudgedPackage, ...]:
    if not packages:
        return ()
    from .reading import read_packages  # noqa: PLC0415  # numpy and numba take a second

    return read_packages(packages, cpu.profile, quiet=output.quiet)


def _tried(
    environment: Environment,
    everything: Sequence[Installed],
    packages: Sequence[Installed],
    cpu: DetectedCpu,
    output: Output,
) -> tuple[JudgedPackage, ...]:
    from .trial import try_packages  # noqa: PLC0415  # rare

    return try_packages(environment, everything, packages, cpu.profile, lambda text: output.aside(f"  trying {text}"))


def _mended(
    packages: tuple[JudgedPackage, ...], environment: Environment, cpu: DetectedCpu, index: str | None
) -> tuple[JudgedPackage, ...]:
    if not any(one.state == "cannot-run" for one in packages):
        return packages
    from .asking import mend_all  # noqa: PLC0415  # httpx takes 100 ms

    return mend_all(packages, environment, cpu.profile, index)
