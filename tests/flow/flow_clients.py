"""The stock installers of the grid: which program, which Python under it, and how it tells the index its CPU."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import packaging
from tests.flow.flow_machines import HERE, MACHINES, Environment, Machine, Outcome
from tests.flow.flow_tools import install_with_pdm, install_with_pipx, install_with_poetry, pipx_command, python_of_pipx

import cpufit_pip_plugin
import cpufit_resolver
import cpufit_wheelhouse
from cpufit_server.machines import base_interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One way to install."""

    name: str
    tool: Literal["pip", "uv", "pipx", "poetry", "pdm"]
    tells: Literal["nothing", "variants", "url", "env"] = "nothing"
    """How the index learns the CPU: not at all, by the client's choice among labels, by URL, by ``cpufit env``."""
    pip_version: str | None = None
    """None: the newest that the index of this machine's pip has."""
    pythons: tuple[str, ...] = (f"{sys.version_info.major}.{sys.version_info.minor}",)
    """Pythons on which this pip works, those of its own day first (3.12 and later took distutils from both)."""
    backtracks: bool = False
    """Whether a release that refuses to be built makes it look at older ones (pip did before 22.0)."""
    wide: bool = False
    """Whether it is tried with projects of every shape; the others are tried with the one that tells most."""

    @property
    def program(self) -> str:
        """The installer's name and version, without how it tells the CPU."""
        return f"{self.tool}-{self.pip_version or 'newest'}" if self.tool == "pip" else self.tool

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Where it can be tried: uv reads /proc/cpuinfo for its variants, which an emulator does not change."""
        return (HERE,) if self.tells == "variants" else MACHINES

    def install(
        self,
        environment: Environment,
        base_url: str,
        project: str,
        *,
        variables: Mapping[str, str] = MappingProxyType({}),
        timeout: float = 240,
    ) -> Outcome:
        """Install a project from a server at ``base_url`` into an environment, on that environment's CPU.

        :param variables: environment variables beside the clean ones
        :param timeout: seconds
        """
        index, extra = f"{base_url}/simple/", dict(variables)
        if self.tells == "url":
            index = f"{base_url}/cpu/{profile_of(environment)}/simple/"
        if self.tells == "env":
            return self._install_in_a_told_shell(environment, index, project, variables=extra, timeout=timeout)
        if self.tool in _OTHER_TOOLS:
            install = _OTHER_TOOLS[self.tool]
            return install(environment, index, project, variables=extra, timeout=timeout)
        if self.tool == "pip":
            command = [str(environment.python), "-m", "pip", "install"]
        else:
            preview = ["--preview-features", "wheel-variants"] if self.tells == "variants" else []
            uv = environment.machine.command(uv_program(), *preview, "pip", "install")
            command = [*uv, "--python", str(environment.python)]
        return environment.run(*command, "--index-url", index, project, extra=extra, timeout=timeout)

    def _install_in_a_told_shell(
        self, environment: Environment, index: str, project: str, *, variables: dict[str, str], timeout: float
    ) -> Outcome:
        """Install as somebody does in whose shell ``cpufit env`` was taken in: no option names an index."""
        programs = environment.scratch / "programs"
        programs.mkdir(exist_ok=True)
        variables["PATH"] = f"{programs}:{os.environ['PATH']}"
        command: list[str | Path] = [environment.python, "-m", "pip", "install", project]
        if self.tool == "uv":
            # the shell's function calls the program of that name
            program = programs / "uv"
            program.write_text(f'#!/bin/sh\nexec {shlex.join(environment.machine.command(uv_program()))} "$@"\n')
            program.chmod(0o755)
            command = ["uv", "pip", "install", "--python", environment.python, project]
        if self.tool == "pipx":
            assert environment.program is not None
            (programs / "pipx").unlink(missing_ok=True)
            (programs / "pipx").symlink_to(environment.program)
            command, added = pipx_command("pipx", environment, project)
            variables |= added
        told = run_cpufit(environment, "cpufit_pip_plugin.cli", "env", "--shell", "bash", "--index-url", index)
        assert told.status == 0, told.output
        shell = ("bash", "-c", 'eval "$1"; shift; "$@"', "bash", told.output)
        return environment.run(*shell, *command, extra=variables, timeout=timeout)

    def build_of(self, environment: Environment, project: str) -> Outcome:
        """Import what was installed, on the environment's CPU; the output is its version and build."""
        if self.tool != "pipx":
            return environment.build_of(project)
        python = python_of_pipx(environment, project)
        if not python.exists():
            return Outcome(status=1, output="ModuleNotFoundError: pipx took the environment away again")
        return replace(environment, python=python).build_of(project)

    def telling(self, way: Literal["url", "env"]) -> Client:
        """Return the same installer, set up to tell the index its CPU."""
        suffix = {"url": "profile-url", "env": "cpufit-env"}[way]
        return replace(self, name=f"{self.name}-{suffix}", tells=way, wide=False)


_OTHER_TOOLS = {"pipx": install_with_pipx, "poetry": install_with_poetry, "pdm": install_with_pdm}

NEWEST_PIP = Client(name="pip-newest", tool="pip", wide=True)
PIP_24 = Client(name="pip-24.0", tool="pip", pip_version="24.0", pythons=("3.12", "3.11", "3.10", "3.9", "3.8"))
PIP_22_3 = Client(name="pip-22.3.1", tool="pip", pip_version="22.3.1", pythons=("3.11", "3.10", "3.9", "3.8"))
PIP_22 = Client(name="pip-22.2.2", tool="pip", pip_version="22.2.2", pythons=("3.10", "3.9", "3.8", "3.11"), wide=True)
PIP_20 = Client(
    name="pip-20.3.4",
    tool="pip",
    pip_version="20.3.4",
    pythons=("3.9", "3.8", "3.10", "3.11"),
    backtracks=True,
    wide=True,
)
UV = Client(name="uv", tool="uv", wide=True)
UV_VARIANTS = Client(name="uv-variants", tool="uv", tells="variants", wide=True)
PIP_URL = Client(name="pip-profile-url", tool="pip", tells="url", wide=True)
PIP_ENV = Client(name="pip-cpufit-env", tool="pip", tells="env", wide=True)
PIPX = Client(name="pipx", tool="pipx")
POETRY = Client(name="poetry", tool="poetry")
PDM = Client(name="pdm", tool="pdm")
OLDER_PIPS = (PIP_24, PIP_22_3, PIP_22, PIP_20)
CLIENTS = (
    *(NEWEST_PIP, PIP_URL, PIP_ENV, PIP_22, PIP_20, UV, UV_VARIANTS),
    *(PIP_24, PIP_22_3, PIPX, POETRY, PDM),
    *(client.telling("url") for client in (*OLDER_PIPS, UV, PIPX, POETRY, PDM)),
    # Poetry and PDM get the plain address by it, so that no lock is bound to one machine
    *(client.telling("env") for client in (*OLDER_PIPS, UV, PIPX)),
)


def uv_program() -> Path:
    """Return the uv beside this Python (an extra of cpufit installs it), else the one on the path."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    assert found is not None, "the extra dev installs uv"
    return Path(found)


def profile_of(environment: Environment) -> str:
    """Return the CPU token that ``cpu-check`` tells on an environment's machine."""
    return _token(run_cpufit(environment, "cpufit_pip_plugin.cpu_check.cli", "--json"))


def run_cpufit(environment: Environment, command: str, *words: str) -> Outcome:
    """Run one of cpufit's commands on an environment's machine.

    :param command: the module of the command line
    """
    code = (
        f"import sys; sys.path[:0] = {_our_packages()!r}\n"
        f"from {command} import main\n"
        "raise SystemExit(main(sys.argv[1:]))"
    )
    # this process's Python, on that machine's CPU: an old pip's Python may be older than the commands take
    return environment.run(*environment.machine.command(base_interpreter(), "-c", code, *words))


def _token(told: Outcome) -> str:
    assert told.status == 0, told.output
    token = json.loads(told.output)["profile"]
    assert isinstance(token, str)
    return token


def _our_packages() -> list[str]:
    """Return the folders from which this process imports cpufit and what its commands need."""
    homes = (cpufit_resolver, cpufit_wheelhouse, cpufit_pip_plugin, packaging)
    return list(dict.fromkeys(str(Path(next(iter(home.__path__))).parent) for home in homes))
