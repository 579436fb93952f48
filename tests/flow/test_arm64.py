"""Plain pip on two emulated arm64 processors: the selector gives each the build that it runs, and both import it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.flow.arm64_wheels import ARM_BUILDS, LSE, V8_0, ArmBuild, cross_compiler, make_arm_wheel
from tests.flow.flow_environments import Pips
from tests.flow.flow_machines import Outcome, clean_environment
from tests.flow.flow_server import Server, running_server, twine_upload

from cpufit_server.machines import base_interpreter
from cpufit_wheelhouse.probe.arm64_root import Arm64Unavailable, make_arm64_root

pytestmark = [
    pytest.mark.flow,
    pytest.mark.emulated,
    pytest.mark.network,
    pytest.mark.skipif(os.environ.get("CPUFIT_TEST_GRID") != "1", reason="two minutes: CPUFIT_TEST_GRID=1 runs it"),
]

EMULATOR = "qemu-aarch64"
PROCESSORS = pytest.mark.parametrize(("processor", "build"), [("cortex-a53", V8_0), ("neoverse-n1", LSE)])


@pytest.fixture(scope="module")
def arm64_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which(EMULATOR) is None:
        pytest.skip(f"{EMULATOR} is not installed (Debian: qemu-user)")
    if cross_compiler() is None:
        pytest.skip("aarch64-linux-gnu-gcc is not installed (Debian: gcc-aarch64-linux-gnu)")
    folder = tmp_path_factory.mktemp("arm64") / "root"
    try:
        make_arm64_root(folder)
    except Arm64Unavailable as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def arm_index(tmp_path_factory: pytest.TempPathFactory, arm64_root: Path) -> Iterator[Server]:
    """A server with one project for arm64 alone: its ordinary wheel, and the one that needs LSE."""
    directory = tmp_path_factory.mktemp("arm-index")
    with running_server(directory) as server:
        token = server.token("armdemo")
        for build in ARM_BUILDS:
            wheel = make_arm_wheel(build, directory / "built", "armdemo", "1.0")
            sent = twine_upload(server, token, wheel, cpufit_needs=build.need)
            assert sent.status == 0, sent.output
        server.command("project", "set", "armdemo", "--plain", "selector")
        yield server


def arm_python(root: Path, processor: str) -> Path:
    """Return a Python of the root that runs on an emulated processor, and its child processes too."""
    real = next((root / "usr" / "bin").glob("python3.*[0-9]"))
    wrapper = real.with_name(processor)
    wrapper.write_text(f"#!/bin/sh\nexec {EMULATOR} -cpu {processor} -L '{root}' -0 \"$0\" '{real}' \"$@\"\n")
    wrapper.chmod(0o755)
    return wrapper


def run(python: Path, scratch: Path, *words: str | Path, **variables: str) -> Outcome:
    ended = subprocess.run(
        [str(python), *map(str, words)],
        env=clean_environment(scratch, **variables),
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Outcome(status=ended.returncode, output=ended.stdout.strip())


@PROCESSORS
def test_a_plain_pip_gets_the_build_that_its_processor_runs(
    processor: str, build: ArmBuild, arm64_root: Path, arm_index: Server, pips: Pips, tmp_path: Path
) -> None:
    site = pips.get(None, base_interpreter())
    if site is None:
        pytest.skip("pip cannot be had: the index that pip uses does not answer")
    python, target = arm_python(arm64_root, processor), tmp_path / "installed"
    index = f"{arm_index.url}/simple/"
    words = ("install", "--verbose", "--no-compile", "--target", target, "--index-url", index, "armdemo")

    installed = run(python, tmp_path, site / "pip", *words)

    assert installed.status == 0, installed.output
    imported = run(python, tmp_path, "-c", "import armdemo; armdemo.main()", PYTHONPATH=str(target))
    assert (imported.status, imported.output) == (0, f"1.0 {build.name}"), installed.output


def test_the_build_with_lse_dies_where_it_is_not(arm64_root: Path, tmp_path: Path) -> None:
    wheel = make_arm_wheel(LSE, tmp_path, "armdemo", "1.0")
    python = arm_python(arm64_root, "cortex-a53")
    died = run(python, tmp_path, "-c", "import zipfile, sys; zipfile.ZipFile(sys.argv[1]).extractall('out')", wheel)
    assert died.status == 0, died.output
    died = run(python, tmp_path, "-c", "import armdemo", PYTHONPATH=str(tmp_path / "out"))
    assert died.status in (128 + signal.SIGILL, -signal.SIGILL), died.output
