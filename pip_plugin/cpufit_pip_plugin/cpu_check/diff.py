"""``cpu-check --diff TOKEN``: what another CPU has that this one lacks, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpufit_resolver import CpuProfile, InvalidCpuToken
from cpufit_resolver.detection.override import named_cpu

from .bodies import cpu_body
from .exits import FITS, NOTHING_FITS
from .report import shown_cpu
from .surroundings import warnings_for
from .table import GREEN, RED, table

if TYPE_CHECKING:
    from cpufit_resolver.detection import DetectedCpu

    from .output import Output


class AnotherArchitecture(InvalidCpuToken):
    """Two CPUs that share no feature."""

    code = "another-architecture"


def run(token: str, cpu: DetectedCpu, output: Output) -> int:
    """Compare, report, and return the exit code: 0 where this CPU has all that the other has.

    :raises InvalidCpuToken: the other cannot be read, or is of another architecture
    """
    other = named_cpu(token, "--diff", "argument")
    lacking, beyond = differences(cpu.profile, other.profile)
    warnings = warnings_for(cpu, None)
    if output.as_json:
        about = {"other": other.profile.token, "lacking": list(lacking), "beyond": list(beyond)}
        output.json({**cpu_body(cpu, warnings), "diff": about})
    else:
        rows = [
            ("it has, this lacks", " ".join(lacking) or "nothing"),
            ("this has, it lacks", " ".join(beyond) or "nothing"),
        ]
        colours = [RED if lacking else GREEN, GREEN]
        head = [f"this CPU: {shown_cpu(cpu)}", f"the other: {shown_cpu(other)}", ""]
        output.lines([*head, *table(rows, colours, colour=output.colour), "", _sentence(lacking)], warnings)
    return NOTHING_FITS if lacking else FITS


def _sentence(lacking: tuple[str, ...]) -> str:
    if not lacking:
        return "Whatever runs on the other runs on this CPU."
    return "What was built for the other may die on this CPU."


def differences(here: CpuProfile, other: CpuProfile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the other has that is lacking here, and what is here beyond it.

    :raises AnotherArchitecture: nothing of the one could run on the other
    """
    if here.arch != other.arch:
        raise AnotherArchitecture(
            f"{other.arch} and {here.arch} have no feature in common", where="--diff", hint=f"name a CPU of {here.arch}"
        )
    return tuple(sorted(other.features - here.features)), tuple(sorted(here.features - other.features))
