"""Whether this process can run what reads machine code: numpy, numba and iced-x86 are wheels with needs of their own.

On a CPU older than they are, importing them would end this very process by SIGILL. So a child tries first.
"""

from __future__ import annotations

import os
import subprocess
import sys

from cpufit_resolver import CpufitError, CpuProfile
from cpufit_resolver.detection import detect

_IMPORT = "import numpy, numba, iced_x86"
_ENOUGH = "x86_64_v3"
"""From this level on nobody is asked first, which takes a second: the newest wheels of all three need less."""


class MachineCodeUnreadable(CpufitError):
    """What reads machine code is not installed."""

    code = "inspection-unavailable"
    usual_hint = "pip install 'cpufit[inspect]'"


class DecoderCannotRun(MachineCodeUnreadable):
    """What reads machine code is installed, and needs more than this CPU has."""

    code = "inspection-cannot-run"


def check_decoder() -> None:
    """Return where machine code can be read by this process.

    :raises MachineCodeUnreadable: something for it is not installed
    :raises DecoderCannotRun: the CPU of this process cannot run it
    """
    missing = _not_installed()
    if missing is not None:
        raise MachineCodeUnreadable(f"the module {missing} is not installed")
    profile = detect().profile
    if not _is_new(profile) and not _child_survives():
        raise DecoderCannotRun(
            f"this CPU ({profile.token}) cannot run numpy, numba or iced-x86, which read machine code",
            hint=f"on a newer machine, read it for this one: cpu-check --cpu {profile.token} …",
        )


def _not_installed() -> str | None:
    from importlib.util import find_spec  # noqa: PLC0415  # finding runs nothing of them

    return next((name for name in ("numpy", "numba", "iced_x86") if find_spec(name) is None), None)


def _is_new(profile: CpuProfile) -> bool:
    return profile.arch == "x86_64" and CpuProfile.parse(_ENOUGH).features <= profile.features


def _child_survives() -> bool:
    if not hasattr(os, "fork"):
        done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, check=False)  # noqa: S603  # ourselves
        return done.returncode == 0
    # a fork runs on the CPU that this process has; a program started anew may escape an emulator
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            exec(_IMPORT, {})  # noqa: S102  # a constant
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
