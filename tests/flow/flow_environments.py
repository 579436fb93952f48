"""pip's own wheels and the environments of the grid: each is made once, when a test first asks for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from tests.flow.flow_cells import SHAPES
from tests.flow.flow_clients import Client, uv_program
from tests.flow.flow_machines import Environment, Machine, find_python, make_environment
from tests.flow.flow_tools import Tool, make_tool

from cpufit_server.machines import find_emulator


class Pips:
    """Releases of pip: fetched once each from the index that this machine's pip uses, unpacked and compiled once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unpacked: dict[str | None, Path | None] = {}

    def get(self, version: str | None, python: Path) -> Path | None:
        """Return a folder with a release of pip; None where it cannot be had.

        :param version: None for the newest
        :param python: the interpreter that will run it, always the same one for a version
        """
        if version not in self._unpacked:
            directory = self._directory / (version or "newest")
            wheel = _fetch_pip(version, directory)
            self._unpacked[version] = None if wheel is None else _unpack_pip(wheel, directory / "site", python)
        return self._unpacked[version]


class Environments:
    """One environment for each pip on each machine, made when it is first asked for."""

    def __init__(self, directory: Path, pips: Pips) -> None:
        self._directory = directory
        self._pips = pips
        self._made: dict[str, Environment] = {}
        self._tools: dict[Tool, Path | None] = {}

    def get(self, client: Client, machine: Machine) -> Environment:
        """Return the environment of a client on a machine, without any of the grid's projects.

        Skips where the machine cannot be emulated, or the client's pip or its Python cannot be had.
        """
        if machine.model is not None and find_emulator() is None:
            pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
        name = f"pip-{client.pip_version or 'newest'}-{machine.name}"
        if name not in self._made:
            self._made[name] = self._make(client, machine, self._directory / name)
        environment = self._made[name]
        self._remove_projects(environment)
        if client.tool in ("pipx", "poetry", "pdm"):
            return replace(environment, program=self.tool(client.tool))
        return environment

    def tool(self, tool: Tool) -> Path:
        """Return the program of a tool in an environment of its own; skips where it cannot be had."""
        if tool not in self._tools:
            self._tools[tool] = make_tool(tool, self._directory / f"tool-{tool}", uv_program())
        program = self._tools[tool]
        if program is None:
            pytest.skip(f"{tool} cannot be had: the index that uv uses does not answer")
        return program

    def _make(self, client: Client, machine: Machine, directory: Path) -> Environment:
        python = find_python(client.pythons)
        if python is None:
            pytest.skip(f"{client.name} needs one of the Pythons {', '.join(client.pythons)}: none is installed")
        pip = self._pips.get(client.pip_version, python)
        if pip is None and client.pip_version is not None:
            pytest.skip(f"pip {client.pip_version} cannot be had: the index that pip uses does not answer")
        environment = make_environment(machine, directory, python)
        # without an index, the pip that Python brings stands in for the newest
        if pip is not None:
            site = next((directory / "venv" / "lib").glob("python3.*")) / "site-packages"
            for old in [*site.glob("pip"), *site.glob("pip-*.dist-info")]:
                shutil.rmtree(old)
            shutil.copytree(pip, site, dirs_exist_ok=True)
        return environment

    @staticmethod
    def _remove_projects(environment: Environment) -> None:
        projects = [shape.project for shape in SHAPES]
        environment.run(uv_program(), "pip", "uninstall", "--quiet", "--python", environment.python, *projects)


def _fetch_pip(version: str | None, directory: Path) -> Path | None:
    directory.mkdir(parents=True, exist_ok=True)
    wanted = "pip" if version is None else f"pip=={version}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--timeout", "3", "--retries", "0"]
    ended = subprocess.run(
        [*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(directory), wanted],
        capture_output=True,
        timeout=120,
        check=False,
    )
    return next(directory.glob("pip-*.whl"), None) if ended.returncode == 0 else None


def _unpack_pip(wheel: Path, target: Path, python: Path) -> Path:
    """Unpack a pip, which has neither native code nor data files, and compile it here: under emulation that is slow."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    # pips carry files of Python 2 as well, which do not compile
    subprocess.run([python, "-m", "compileall", "-qq", str(target)], capture_output=True, check=False)
    return target
