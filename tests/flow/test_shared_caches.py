"""Caches of installers have no CPU in their keys; machines that share one still get what each of them runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flow.flow_cells import SPECIFIC
from tests.flow.flow_clients import NEWEST_PIP, UV, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HASWELL, NEHALEM, Machine
from tests.flow.flow_server import Server

pytestmark = [pytest.mark.flow, pytest.mark.emulated]

ORDERS = pytest.mark.parametrize(
    "machines", [(HASWELL, NEHALEM), (NEHALEM, HASWELL)], ids=["the newer machine first", "the older machine first"]
)

_PYPROJECT = """\
[project]
name = "application"
version = "1"
requires-python = ">=3.8"
dependencies = ["isademo"]
"""


@ORDERS
def test_two_machines_share_a_pip_cache(
    machines: tuple[Machine, ...], index: Server, environments: Environments, tmp_path: Path
) -> None:
    shared = {"PIP_CACHE_DIR": str(tmp_path / "shared-cache")}
    for machine in machines:
        environment = environments.get(NEWEST_PIP, machine)
        installed = NEWEST_PIP.install(environment, index.url, SPECIFIC.project, variables=shared)
        assert installed.status == 0, installed.output
        assert environment.build_of(SPECIFIC.project).output == f"2.0 {machine.best.name}"
    # pip did cache: the test would say nothing if the cache had been off
    assert list((tmp_path / "shared-cache").rglob("*.whl"))


@ORDERS
def test_two_machines_share_a_uv_cache_and_a_lock_file(
    machines: tuple[Machine, ...], index: Server, environments: Environments, tmp_path: Path
) -> None:
    project = tmp_path / "application"
    project.mkdir()
    (project / "pyproject.toml").write_text(_PYPROJECT)
    shared = {"UV_CACHE_DIR": str(tmp_path / "shared-cache")}
    lock = _lock(project, machines[0], index, environments, shared)

    for machine in machines:
        environment = environments.get(UV, machine)
        uv = machine.command(uv_program(), "sync", "--frozen", "--inexact", "--directory", project)
        synced = environment.run(*uv, extra={**shared, "UV_PROJECT_ENVIRONMENT": str(environment.python.parent.parent)})
        assert synced.status == 0, synced.output
        assert environment.build_of(SPECIFIC.project).output == f"2.0 {machine.best.name}"
    assert (project / "uv.lock").read_bytes() == lock


def _lock(project: Path, machine: Machine, index: Server, environments: Environments, shared: dict[str, str]) -> bytes:
    """Lock a project on one machine and return the lock file."""
    environment = environments.get(UV, machine)
    uv = machine.command(uv_program(), "lock", "--directory", project, "--python", environment.python)
    locked = environment.run(*uv, "--default-index", f"{index.url}/simple/", extra=shared)
    assert locked.status == 0, locked.output
    return (project / "uv.lock").read_bytes()
