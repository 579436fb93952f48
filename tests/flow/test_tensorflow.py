"""The mission itself: a wheel of 274 MB that needs avx and f16c goes in by twine, and out only where it runs.

Set CPUFIT_TEST_TENSORFLOW=1 to run it: it downloads the wheel and all its dependencies, half a gigabyte.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flow.flow_clients import NEWEST_PIP
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, NEHALEM, SANDY_BRIDGE, Machine
from tests.flow.flow_server import Server, running_server, twine_upload
from tests.flow.native_wheels import AVX

pytestmark = [
    pytest.mark.flow,
    pytest.mark.network,
    pytest.mark.skipif(
        os.environ.get("CPUFIT_TEST_TENSORFLOW") != "1",
        reason="downloads half a gigabyte: set CPUFIT_TEST_TENSORFLOW=1",
    ),
]

VERSION = "2.21.0"
NEED = "x86_64_v2+avx+f16c"
MEMORY_LIMIT = 300 * 10**6
"""Bytes that the server may ever have resident."""

# avx and f16c, but neither avx2 nor fma
IVY_BRIDGE = Machine(name="ivybridge", model="IvyBridge", best=AVX)

MATMUL = """
import tensorflow as tf
product = tf.matmul(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.0], [1.0]]))
print("product", product.numpy().tolist(), tf.__version__)
"""


@pytest.fixture(scope="module")
def tensorflow_index(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("tensorflow")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", directory, f"tensorflow-cpu=={VERSION}"],
        check=True,
    )
    wheel = next(Path(directory).glob("tensorflow_cpu-*.whl"))
    with running_server(directory / "server", "--upstream", "pip") as server:
        sent = twine_upload(server, server.token("tensorflow-cpu"), wheel, cpufit_needs=NEED)
        assert sent.status == 0, sent.output
        wheel.unlink()
        yield server


@pytest.mark.parametrize(
    "machine",
    [pytest.param(HERE, id="here"), pytest.param(IVY_BRIDGE, id="ivybridge", marks=pytest.mark.emulated)],
)
def test_it_is_installed_with_its_dependencies_and_multiplies(
    machine: Machine, tensorflow_index: Server, environments: Environments
) -> None:
    environment = environments.get(NEWEST_PIP, machine)
    installed = NEWEST_PIP.install(environment, tensorflow_index.url, "tensorflow-cpu", timeout=3600)
    assert installed.status == 0, installed.output
    ran = environment.run(environment.python, "-c", MATMUL, timeout=3600)
    assert f"product [[3.0], [7.0]] {VERSION}" in ran.output, ran.output


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("machine", "missing"),
    [
        pytest.param(NEHALEM, {"avx", "f16c"}, id="nehalem"),
        pytest.param(SANDY_BRIDGE, {"f16c"}, id="sandybridge"),
    ],
)
def test_it_is_refused_by_name_of_what_is_missing(
    machine: Machine, missing: set[str], tensorflow_index: Server, environments: Environments
) -> None:
    environment = environments.get(NEWEST_PIP, machine)
    installed = NEWEST_PIP.install(environment, tensorflow_index.url, f"tensorflow-cpu=={VERSION}", timeout=900)
    assert installed.status != 0
    told = re.findall(r"^[│ ]*needs ([a-z0-9_, ]+)$", installed.output, re.MULTILINE)
    assert [set(names.split(", ")) for names in told] == [missing], installed.output
    assert "No module named" in environment.python_says("import tensorflow").output


def test_the_server_needed_little_memory_for_all_of_it(tensorflow_index: Server, figures: dict[str, str]) -> None:
    """The last of the module: the wheel has come in, and gone out to every machine above."""
    peak = tensorflow_index.peak_memory()
    figures["server's peak resident memory with TensorFlow"] = f"{peak / 10**6:.0f} MB"
    assert peak < MEMORY_LIMIT
