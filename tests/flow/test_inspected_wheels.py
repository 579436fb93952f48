"""Wheels of which nobody says what they need: the server reads it from the code, and each CPU gets one that fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flow.flow_clients import NEWEST_PIP
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HASWELL, NEHALEM, QEMU64, SANDY_BRIDGE, Machine
from tests.flow.flow_server import Server, running_server, twine_upload, uv_publish
from tests.flow.native_wheels import BUILDS, V2, V3, make_native_wheel

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def undeclared(tmp_path_factory: pytest.TempPathFactory, shared_objects: dict[str, Path]) -> Iterator[Server]:
    """A server with four builds of one release, uploaded by twine without a word on what they need."""
    directory = tmp_path_factory.mktemp("undeclared")
    with running_server(directory) as server:
        token = server.token("isademo")
        server.command("project", "set", "isademo", "--create", "--variants", "on", "--plain", "selector")
        for build in BUILDS:
            wheel = make_native_wheel(directory / build.name, shared_objects[build.name], "isademo", "2.0")
            sent = twine_upload(server, token, wheel)
            assert sent.status == 0, sent.output
        yield server


@pytest.mark.emulated
@pytest.mark.parametrize("machine", [QEMU64, NEHALEM, SANDY_BRIDGE, HASWELL], ids=lambda machine: str(machine.name))
def test_each_cpu_gets_the_fastest_build_that_it_runs(
    machine: Machine, undeclared: Server, environments: Environments
) -> None:
    environment = environments.get(NEWEST_PIP, machine)
    installed = NEWEST_PIP.install(environment, undeclared.url, "isademo")
    assert installed.status == 0, installed.output
    imported = environment.build_of("isademo")
    assert (imported.status, imported.output) == (0, f"2.0 {machine.best.name}")


def test_a_declared_need_below_the_code_is_refused_with_the_instruction(
    undeclared: Server, shared_objects: dict[str, Path], tmp_path: Path
) -> None:
    wheel = make_native_wheel(tmp_path, shared_objects[V3.name], "isademo", "3.0")
    sent = uv_publish(undeclared, undeclared.token("isademo"), wheel, cpufit_needs=V2.need)
    assert sent.status != 0
    assert "avx2" in sent.output
    assert "_native.so" in sent.output
