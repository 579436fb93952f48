"""What the flow tests share: compiled wheels, a server that hosts them, and environments on each machine.

Everything here is made once for all tests and lies in pytest's temporary folder.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flow.client_matrix import ClientResults
from tests.flow.flow_cells import SHAPES, files_to_upload
from tests.flow.flow_environments import Environments, Pips
from tests.flow.flow_server import Server, running_server, twine_upload, uv_publish
from tests.flow.native_wheels import BUILDS, compile_build, compiler, make_native_wheel

from cpufit_server.machines import base_interpreter


@pytest.fixture(scope="session")
def shared_objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each build's compiled code, by the build's name."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the native wheels of the flow tests are for Linux on x86-64")
    if compiler() is None:
        pytest.skip("gcc is not installed: the native wheels of the flow tests cannot be compiled")
    directory = tmp_path_factory.mktemp("compiled")
    return {build.name: compile_build(build, directory) for build in BUILDS}


@pytest.fixture(scope="session")
def pips(tmp_path_factory: pytest.TempPathFactory) -> Pips:
    return Pips(tmp_path_factory.mktemp("pips"))


@pytest.fixture(scope="session")
def network(pips: Pips) -> None:
    """Skip where the index that this machine's pip uses does not answer."""
    if pips.get(None, base_interpreter()) is None:
        pytest.skip("the index that pip uses does not answer")


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, pips: Pips) -> Environments:
    return Environments(tmp_path_factory.mktemp("environments"), pips)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, shared_objects: dict[str, Path]) -> Iterator[Server]:
    """A server with the grid's three projects, uploaded in turn by twine and by ``uv publish``."""
    directory = tmp_path_factory.mktemp("index")
    with running_server(directory) as server:
        token = server.token(*(shape.project for shape in SHAPES))
        for number, (project, version, build) in enumerate(files_to_upload()):
            wheel = make_native_wheel(directory / build.name, shared_objects[build.name], project, version)
            upload = (twine_upload, uv_publish)[number % 2]
            sent = upload(server, token, wheel, cpufit_needs=build.need)
            assert sent.status == 0, sent.output
        for shape in SHAPES:
            server.command("project", "set", shape.project, "--plain", shape.plain)
        yield server


@pytest.fixture(scope="session")
def client_results() -> ClientResults:
    """What came of each cell of the grid; kept where ``CPUFIT_CLIENT_RESULTS`` says, for the page in the reference."""
    place = os.environ.get("CPUFIT_CLIENT_RESULTS")
    return ClientResults(Path(place) if place else None)


_FIGURES = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, str]:
    """What was measured on the way; printed at the end."""
    return pytestconfig.stash.setdefault(_FIGURES, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, figure in config.stash.get(_FIGURES, {}).items():
        terminalreporter.line(f"measured: {name}: {figure}")
