"""The commands on the how-to pages, run as they stand: only the index's address and the project's name are others."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from tests.flow.flow_cells import SPECIFIC
from tests.flow.flow_clients import NEWEST_PIP, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment
from tests.flow.flow_server import Server
from tests.how_to_pages import PAGES, blocks_of

import cpufit_pip_plugin
import cpufit_resolver
import cpufit_wheelhouse

pytestmark = pytest.mark.flow

_ROOTS = [str(Path(room.__file__ or "").parents[1]) for room in (cpufit_resolver, cpufit_wheelhouse, cpufit_pip_plugin)]
_COMMANDS = {"cpufit": "cpufit_pip_plugin.cli", "cpu-check": "cpufit_pip_plugin.cpu_check.cli"}
_TELLING_NOBODY = ("PIP_CONFIG_FILE", "UV_NO_CONFIG")
"""Clean variables that would keep installers from reading the settings that a page writes."""

NAMES_A_LESSER_CPU = {"in-docker.md", "on-a-cluster.md", "in-github-actions-and-gitlab-ci.md"}
THROUGH_THE_PROJECT = {"use-with-poetry.md", "use-with-pdm.md"}


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(page: str, index: Server, environments: Environments, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    blocks = [block for block in blocks_of(page) if block.run_here]
    missing = {block.program for block in blocks if block.program and shutil.which(block.program) is None}
    if missing:
        pytest.skip(f"{', '.join(sorted(missing))} is not installed")
    machine = environments.get(NEWEST_PIP, HERE)
    _put_commands(tmp_path / "bin")
    script = "set -euo pipefail\n" + "\n".join(f"(\n{block.text})" for block in blocks)
    script = script.replace("https://index.example", index.url).replace("polars", SPECIFIC.project)
    unset = [word for name in _TELLING_NOBODY for word in ("-u", name)]

    ended = machine.run("env", *unset, "-C", tmp_path, bash, "-c", script, extra=_variables(machine, tmp_path))

    assert ended.status == 0, f"{script}\n{ended.output}"
    if page not in THROUGH_THE_PROJECT:
        best = "v2" if page in NAMES_A_LESSER_CPU else HERE.best.name
        assert machine.build_of(SPECIFIC.project).output == f"2.0 {best}"


def _put_commands(folder: Path) -> None:
    folder.mkdir()
    for name, module in _COMMANDS.items():
        code = f"import sys; sys.path[:0] = {_ROOTS!r}; from {module} import main; sys.exit(main())"
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    (folder / "uv").symlink_to(uv_program())


def _variables(machine: Environment, home: Path) -> dict[str, str]:
    venv = machine.python.parent
    return {
        "HOME": str(home),
        "XDG_CONFIG_DIRS": str(home / "none"),
        "PATH": os.pathsep.join([str(home / "bin"), str(venv), os.environ["PATH"]]),
        "VIRTUAL_ENV": str(venv.parent),
        "TMPDIR": str(home),
        # with it the selector: what pip installs came from the profile view
        "PIP_ONLY_BINARY": ":all:",
        # a project has its own environment: uv tells otherwise that the active one is not used, Poetry would use it
        "UV_PYTHON": str(machine.python),
        "POETRY_VIRTUALENVS_CREATE": "false",
    }
