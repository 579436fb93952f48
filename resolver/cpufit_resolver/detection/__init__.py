"""What this process may execute: probe (I/O) ─► parse (pure) ─► decide (pure), who may override it or ask for less.

::

    detect()                        this machine, in a few milliseconds
    profile_for(token, os.environ)  the CPU that an argument, CPUFIT_CPU or a file names, else detect()

Linux on x86 asks glibc first, whose answer holds under emulators, hypervisors and the system's XSAVE mask; then CPUID
together with ``/proc/cpuinfo``; then ``/proc/cpuinfo`` alone. Linux arm64 asks the auxiliary vector, macOS sysctl,
Windows ``IsProcessorFeaturePresent`` together with CPUID. Where nothing answers, the CPU is the baseline. What not
every core has that a process may run on does not count.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Callable, Mapping

from . import override
from .decide import EMULATOR, DetectedCpu, HiddenFeatures, decide
from .evidence import CpuidLeaf, HostEvidence
from .probe import probe
from .toml_subset import InvalidConfig
from .wishes import MoreThanTheCpuHas, find_wishes, reduced

__all__ = [
    "CpuidLeaf",
    "DetectedCpu",
    "HiddenFeatures",
    "HostEvidence",
    "InvalidConfig",
    "MoreThanTheCpuHas",
    "decide",
    "detect",
    "probe",
    "profile_for",
]


def detect(*, brand: bool = False) -> DetectedCpu:
    """Return what this process may execute.

    :param brand: a person will read the CPU's name. Then, where ``/proc/cpuinfo`` tells of another CPU than this
        process has, CPUID is asked for the name as well.
    :raises DetectionFailed: the architecture is in no table
    """
    evidence = probe()
    found = decide(evidence)
    if brand and not evidence.cpuid and any(hidden.by == EMULATOR for hidden in found.hidden):
        return decide(replace(evidence, cpuid=probe(cpuid=True).cpuid))
    return found


def profile_for(
    argument: str | None,
    environ: Mapping[str, str],
    detector: Callable[[], DetectedCpu] = detect,
    *,
    project: str | None = None,
    folder: Path | None = None,
) -> DetectedCpu:
    """Return the CPU that is meant: ``argument`` (a token), ``CPUFIT_CPU``, the file, else this machine's.

    The file is ``CPUFIT_CPU_FILE``, else ``cpufit/cpu`` in the user's settings folder. Of a CPU that no argument
    names, a ``cpufit.toml`` may ask for less (:mod:`.wishes`).

    :param project: what is to be installed; a wish for it counts
    :param folder: where a ``cpufit.toml`` is looked for, there and above; None for the user's settings alone
    :raises InvalidCpuToken: what was named cannot be read; ``where`` tells where it stands
    :raises InvalidConfig: a ``cpufit.toml`` cannot be understood
    :raises MoreThanTheCpuHas: it asks for more than the CPU has
    """
    cpu = override.profile_for(argument, environ, detector)
    if cpu.source == "argument":
        return cpu
    settings = override.settings_folder(environ, sys.platform, override.home_folder(environ))
    return reduced(cpu, find_wishes(environ, settings, folder), project)
