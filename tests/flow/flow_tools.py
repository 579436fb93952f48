"""Tools in environments of their own: installers that fill another one (pipx, Poetry, PDM), and those that publish."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.flow.flow_machines import Environment, Outcome

from cpufit_server.machines import base_interpreter

Tool = Literal["pipx", "poetry", "pdm", "flit", "hatch"]

REQUIREMENTS: Mapping[Tool, tuple[str, ...]] = {
    # pipx keeps a pip of its own, and asks the index that it is given for the newest one
    "pipx": ("pipx", "pip"),
    "poetry": ("poetry",),
    # PDM 2.29.4 asks for no upper bound and dies with hishel 2.0: module 'hishel' has no attribute 'SyncSqliteStorage'
    "pdm": ("pdm", "hishel<2"),
    "flit": ("flit",),
    "hatch": ("hatch",),
}

_POETRY = """\
[project]
name = "application"
version = "1"
requires-python = ">=3.8"
dependencies = ["{project}"]

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "index-{name}"
url = "{index}"
priority = "primary"
"""

_PDM = """\
[project]
name = "application"
version = "1"
requires-python = ">=3.8"
dependencies = ["{project}"]

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "{index}"
"""


def make_tool(tool: Tool, directory: Path, uv: Path) -> Path | None:
    """Install a tool into an environment of its own and return its program; None where it cannot be had."""
    python = directory / "bin" / "python"
    made = [
        [uv, "--no-config", "venv", "--quiet", "--python", base_interpreter(), directory],
        [uv, "--no-config", "pip", "install", "--quiet", "--python", python, *REQUIREMENTS[tool]],
    ]
    if tool == "pipx":
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        made.append([*pip, "download", "--quiet", "--no-deps", "--dest", directory / "wheels", "pip"])
    for command in made:
        if subprocess.run([str(word) for word in command], capture_output=True, timeout=300, check=False).returncode:
            return None
    return directory / "bin" / tool


def install_with_pipx(
    environment: Environment, index: str, project: str, *, variables: Mapping[str, str], timeout: float
) -> Outcome:
    """Install a project's program with pipx, on the environment's CPU."""
    assert environment.program is not None
    command, added = pipx_command(environment.program, environment, project)
    return environment.run(*command, "--index-url", index, extra={**variables, **added}, timeout=timeout)


def pipx_command(
    program: str | Path, environment: Environment, project: str
) -> tuple[list[str | Path], dict[str, str]]:
    """Return the command by which pipx installs a project anew, and the variables that it needs."""
    assert environment.program is not None
    # what an index with an upstream passes through, the index of these tests does not have
    wheels = environment.program.parent.parent / "wheels"
    # an environment that is there already would be filled with the Python and the pip that made it
    shutil.rmtree(_pipx_home(environment) / "venvs", ignore_errors=True)
    # where uv is on the path, pipx takes it in place of pip, and uv does not send what the user adds to the User-Agent
    command = [program, "install", "--verbose", "--backend", "pip", "--python", environment.python, project]
    return command, {"PIPX_HOME": str(_pipx_home(environment)), "PIP_FIND_LINKS": str(wheels)}


def python_of_pipx(environment: Environment, project: str) -> Path:
    """Return the Python of the environment that pipx made for a project; it is gone after a refusal."""
    return _pipx_home(environment) / "venvs" / project / "bin" / "python"


def install_with_poetry(
    environment: Environment, index: str, project: str, *, variables: Mapping[str, str], timeout: float
) -> Outcome:
    """Lock an application that asks for a project, and install what is locked."""
    extra = {**variables, "POETRY_CACHE_DIR": str(environment.scratch / "poetry-cache")}
    extra |= {"POETRY_VIRTUALENVS_CREATE": "false", "POETRY_NO_INTERACTION": "1"}
    commands = (("lock",), ("install", "--no-root"))
    # Poetry keeps what a source said of a release under the source's name, whatever its address is by then
    name = hashlib.sha256(index.encode()).hexdigest()[:12]
    text = _POETRY.format(project=project, index=index, name=name)
    return _lock_and_install(environment, text, commands, extra, timeout)


def install_with_pdm(
    environment: Environment, index: str, project: str, *, variables: Mapping[str, str], timeout: float
) -> Outcome:
    """Lock an application that asks for a project, and install what is locked."""
    extra = {**variables, "PDM_CACHE_DIR": str(environment.scratch / "pdm-cache"), "PDM_CHECK_UPDATE": "false"}
    extra |= {"PDM_IGNORE_SAVED_PYTHON": "1"}
    # -v: without it, PDM shows the last ten lines of a build that failed
    commands = (("lock",), ("sync", "-v"))
    return _lock_and_install(environment, _PDM.format(project=project, index=index), commands, extra, timeout)


def application(environment: Environment) -> Path:
    """Return the folder of the application whose lock Poetry or PDM wrote last."""
    return environment.scratch / "application"


def _lock_and_install(
    environment: Environment,
    pyproject: str,
    commands: tuple[tuple[str, ...], ...],
    variables: Mapping[str, str],
    timeout: float,
) -> Outcome:
    folder = application(environment)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    return run_in_application(environment, commands, variables, timeout)


def run_in_application(
    environment: Environment, commands: tuple[tuple[str, ...], ...], variables: Mapping[str, str], timeout: float
) -> Outcome:
    """Run commands of Poetry or PDM one after the other in the application, until one fails."""
    assert environment.program is not None
    venv = environment.python.parent.parent
    # as an activated environment is: both tools install into it
    extra = {**variables, "VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}:/usr/bin:/bin"}
    said = []
    for words in commands:
        ended = environment.run(
            environment.program, *words, extra=extra, timeout=timeout, folder=application(environment)
        )
        said.append(ended.output)
        if ended.status != 0:
            return Outcome(status=ended.status, output="\n".join(said))
    return Outcome(status=0, output="\n".join(said))


def _pipx_home(environment: Environment) -> Path:
    return environment.scratch / "pipx"
