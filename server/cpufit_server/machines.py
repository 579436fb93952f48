"""Virtual environments on emulated CPUs: a Python that lacks what an older processor lacks.

The Python of such an environment, its console scripts and every process that they start through ``sys.executable``
run under qemu's user-mode emulation. An instruction that the CPU model does not have is a real SIGILL there, and CPUID
tells of that model; ``/proc/cpuinfo`` still shows the host's processor. AVX and AVX2 need qemu 7.2 or newer, AVX-512
is not emulated.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cpufit_resolver import CpufitError

from .processes import run

EMULATOR = "qemu-x86_64"
"""The program that emulates; Debian's package qemu-user has it."""

_CPU_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(?:,[+-]?[A-Za-z0-9][A-Za-z0-9_.=-]*)*")
# what a Python says of the interpreter behind it: a pyenv shim or another virtual environment is seen through
_BASE_EXECUTABLE = "import os, sys; print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)))"


class MachineError(CpufitError):
    """An environment on an emulated CPU cannot be made."""

    code = "emulated-machine-failed"


class EmulatorMissing(MachineError):
    """The emulator is not installed."""

    code = "emulator-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedVenv:
    """A virtual environment whose processes run on an emulated CPU."""

    directory: Path
    cpu: str
    python: Path
    """The Python to start: a small script that hands over to the emulator."""


def find_emulator() -> Path | None:
    """Return the emulator's path; None where it is not installed."""
    found = shutil.which(EMULATOR)
    return None if found is None else Path(found)


def base_interpreter(python: str | Path | None = None) -> Path:
    """Return the interpreter behind a Python, which may be a shim or belong to a virtual environment.

    :param python: a path or a command; without it, this process's own
    :raises MachineError: it does not start
    """
    answer = _run([python or sys.executable, "-c", _BASE_EXECUTABLE], f"the Python {python} does not start")
    return Path(answer.strip())


def make_venv(directory: Path, base_python: str | Path | None = None) -> Path:
    """Make an ordinary virtual environment with pip and return its Python.

    :raises MachineError: the base Python does not start, or has no working ``venv``
    """
    _run(
        [base_interpreter(base_python), "-m", "venv", directory],
        f"no virtual environment can be made in {directory}",
        hint="on Debian, the module venv is in the package python3-venv",
    )
    return directory.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_emulated_venv(directory: Path, cpu: str, base_python: str | Path | None = None) -> EmulatedVenv:
    """Make a virtual environment whose Python and console scripts run on an emulated x86-64 CPU.

    :param directory: where; must not exist, or be empty
    :param cpu: a CPU model of qemu: ``Nehalem``, ``Haswell``, ``qemu64,-sse3``
    :param base_python: the Python to build upon; without it, the one behind this process
    :raises EmulatorMissing: qemu's user-mode emulation is not installed
    :raises MachineError: the emulator does not know the model, or no environment can be made
    """
    real = base_interpreter(base_python)
    emulated_command(cpu, real)  # what cannot be emulated is told before anything is made
    python = make_venv(directory, real)
    _put_wrapper(python, emulated_command(cpu, real, shown_as=python))
    # once, so that an unknown model is told here and not by the first command
    _run([python, "-c", ""], f"Python does not start on an emulated {cpu}", hint=f"{EMULATOR} -cpu help lists them")
    return EmulatedVenv(directory=directory.absolute(), cpu=cpu, python=python)


def emulated_command(cpu: str, python: Path, *, shown_as: Path | None = None) -> list[str]:
    """Return the command that starts a Python on an emulated CPU; arguments for Python follow it.

    :param python: the real program; a link or a script is not followed
    :param shown_as: the path that Python takes for its own: that of a virtual environment's Python makes it use this
        environment
    :raises EmulatorMissing: qemu's user-mode emulation is not installed
    :raises MachineError: not the name of a CPU model
    """
    emulator = find_emulator()
    if emulator is None:
        raise EmulatorMissing(
            f"{EMULATOR} is not installed", hint="on Debian, install the package qemu-user (7.2 or newer)"
        )
    if not _CPU_MODEL.fullmatch(cpu):
        raise MachineError(f"not a CPU model of qemu: {cpu!r}", hint=f"{EMULATOR} -cpu help lists them")
    return [str(emulator), "-cpu", cpu, "-0", str(shown_as or python), str(python)]


def _put_wrapper(python: Path, command: list[str]) -> None:
    """Put a script in the place of an environment's Python, and make its other names links to it.

    ``-0`` keeps the script's own path as argv[0], so that Python finds its environment and calls itself by that path
    in ``sys.executable``: child processes and the console scripts that pip writes are emulated as well. The scripts
    that are there already name one of the links.
    """
    names = sorted(path.name for path in python.parent.glob("python*") if path.name != python.name)
    for name in [python.name, *names]:
        (python.parent / name).unlink()
    python.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    for name in names:
        (python.parent / name).symlink_to(python.name)


def _run(command: Sequence[str | Path], failure: str, *, hint: str | None = None) -> str:
    """Run a command to its end and return what it wrote; raise :class:`MachineError` where it fails."""
    try:
        status, output = run(command)
    except OSError as error:
        raise MachineError(f"{failure}: {error}", hint=hint) from error
    if status != 0:
        last = output.strip().splitlines()[-1:]
        raise MachineError(f"{failure}: {''.join(last) or f'status {status}'}", hint=hint)
    return output
