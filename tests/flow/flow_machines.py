"""The machines of the grid, this one and emulated ones, and the environments that installers fill on them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.flow.native_wheels import AVX, V1, V2, V3, Build

from cpufit_server.machines import base_interpreter, find_emulator, make_emulated_venv, make_venv


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One CPU. ``best`` is the most demanding build that runs on it: each build needs what the one before it needs."""

    name: str
    model: str | None
    """qemu's name of the CPU; None for this machine."""
    best: Build

    def command(self, *command: str | Path) -> list[str]:
        """Return the command that runs a native program (no Python) on this CPU."""
        words = [str(word) for word in command]
        return words if self.model is None else [str(find_emulator()), "-cpu", self.model, *words]


def _best_here() -> Build:
    """Read what this machine has from Linux, not from the code under test."""
    cpuinfo = Path("/proc/cpuinfo")
    found = (
        re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE) if cpuinfo.exists() else None
    )
    flags = frozenset(found[1].split()) if found else frozenset()
    return next(build for build in (V3, AVX, V2, V1) if build.features <= flags)


HERE = Machine(name="here", model=None, best=_best_here())
QEMU64 = Machine(name="qemu64", model="qemu64,-sse3,-cx16,-svm", best=V1)
NEHALEM = Machine(name="nehalem", model="Nehalem", best=V2)
SANDY_BRIDGE = Machine(name="sandybridge", model="SandyBridge", best=AVX)
HASWELL = Machine(name="haswell", model="Haswell", best=V3)
MACHINES = (HERE, QEMU64, NEHALEM, SANDY_BRIDGE, HASWELL)


def find_python(versions: tuple[str, ...]) -> Path | None:
    """Return the first of these Pythons ("3.9") that this machine has: on the path, or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            return base_interpreter()
        installed = sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
        on_path = shutil.which(f"python{version}")
        for candidate in [*installed, *([] if on_path is None else [Path(on_path)])]:
            # pyenv's shim of a version that is not switched on is found on the path, but does not start
            asked = subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False)
            if asked.returncode == 0:
                return candidate
    return None


def clean_environment(scratch: Path, **extra: str) -> dict[str, str]:
    """Return the variables an installer gets: nothing of this machine's own set-up, caches of its own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": str(scratch / "pip-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(scratch / "uv-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_LINK_MODE": "copy",
        **extra,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended: its status (minus the signal's number, as Python counts) and all it printed."""

    status: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment on one machine."""

    machine: Machine
    python: Path
    scratch: Path
    """The folder of the environment and its caches."""
    program: Path | None = None
    """The installer, where it is a program outside of the environment."""

    def run(
        self,
        *command: str | Path,
        timeout: float = 240,
        extra: Mapping[str, str] = MappingProxyType({}),
        folder: Path | None = None,
    ) -> Outcome:
        """Run a command with clean variables.

        :param timeout: seconds; emulation is about ten times slower than the machine
        :param extra: further environment variables, or other values
        :param folder: where; without it, in the environment's own
        """
        ended = subprocess.run(
            [str(word) for word in command],
            env={**clean_environment(self.scratch), **extra},
            cwd=folder or self.scratch,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
        lines = [line for line in ended.stdout.splitlines() if "TCG doesn't support" not in line]
        return Outcome(status=ended.returncode, output="\n".join(lines))

    def python_says(self, code: str) -> Outcome:
        """Run a statement in this environment's Python, on this machine's CPU."""
        return self.run(self.python, "-c", code)

    def build_of(self, project: str) -> Outcome:
        """Import a project of :mod:`native_wheels` there; the output is its version and build."""
        return self.python_says(f"import {project}; print({project}.__version__, {project}.BUILD)")


def make_environment(machine: Machine, directory: Path, base_python: Path | None = None) -> Environment:
    """Make an environment on a machine; its caches are beside it."""
    directory.mkdir(parents=True)
    venv = directory / "venv"
    if machine.model is None:
        return Environment(machine=machine, python=make_venv(venv, base_python), scratch=directory)
    python = make_emulated_venv(venv, machine.model, base_python).python
    _emulate_base(venv, machine, base_interpreter(base_python), directory / "base")
    return Environment(machine=machine, python=python, scratch=directory)


def _emulate_base(venv: Path, machine: Machine, real: Path, prefix: Path) -> None:
    """Give an emulated environment an emulated installation behind it.

    uv makes the environment for an isolated build from the interpreter behind the one it is given; without this, the
    build would leave the emulated CPU and see this machine's.
    """
    installation = real.parent.parent
    (prefix / "bin").mkdir(parents=True)
    for entry in installation.iterdir():
        if entry.name != "bin":
            (prefix / entry.name).symlink_to(entry)
    wrapper = prefix / "bin" / "python"
    emulated = " ".join(f"'{word}'" for word in machine.command())
    wrapper.write_text(f'#!/bin/sh\nexec {emulated} -0 "$0" \'{real}\' "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    for name in ("python3", real.name):
        if not (prefix / "bin" / name).exists():
            (prefix / "bin" / name).symlink_to("python")
    config = venv / "pyvenv.cfg"
    text = re.sub(r"^home = .*$", f"home = {prefix / 'bin'}", config.read_text(encoding="utf-8"), flags=re.MULTILINE)
    config.write_text(text, encoding="utf-8")
