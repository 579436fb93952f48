"""The wheels of the flow tests are what they say: each runs where it must, and dies by SIGILL where it must.

Without this, a flow test that installs the wrong wheel could pass.
"""

from __future__ import annotations

import signal
import zipfile
from pathlib import Path

import pytest
from tests.flow.flow_clients import NEWEST_PIP
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, MACHINES, Machine
from tests.flow.native_wheels import BUILDS, Build, make_native_wheel

pytestmark = pytest.mark.flow


def _on(machine: Machine) -> pytest.MarkDecorator:
    return pytest.mark.emulated if machine is not HERE else pytest.mark.flow


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: str(build.name))
@pytest.mark.parametrize(
    "machine", [pytest.param(machine, marks=_on(machine), id=machine.name) for machine in MACHINES]
)
def test_a_build_runs_exactly_where_the_grid_says(
    build: Build, machine: Machine, shared_objects: dict[str, Path], environments: Environments, tmp_path: Path
) -> None:
    environment = environments.get(NEWEST_PIP, machine)
    wheel = make_native_wheel(tmp_path, shared_objects[build.name], "isademo", "2.0")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")

    ended = environment.python_says(
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); import isademo; print(isademo.BUILD)"
    )

    if BUILDS.index(build) <= BUILDS.index(machine.best):
        assert (ended.status, ended.output) == (0, build.name)
    else:
        assert ended.status == -signal.SIGILL
