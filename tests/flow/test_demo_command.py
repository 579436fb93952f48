"""The README's first command: two real wheels of one project, and each CPU gets the one that it runs.

Set CPUFIT_TEST_DEMO=1 to run it; it downloads 80 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.flow.flow_machines import HERE
from tests.flow.flow_server import server_environment
from tests.flow.native_wheels import V3

from cpufit_server.machines import find_emulator

pytestmark = [
    pytest.mark.flow,
    pytest.mark.network,
    pytest.mark.skipif(os.environ.get("CPUFIT_TEST_DEMO") != "1", reason="downloads 80 MB: set CPUFIT_TEST_DEMO=1"),
]


def test_the_demo_ends_well_and_leaves_nothing(network: None, tmp_path: Path, figures: dict[str, str]) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "cpufit_server", "demo"],
        env=server_environment(tmp_path / "home", {"TMPDIR": str(scratch)}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    seconds = time.monotonic() - started
    figures["cpufit-server demo"] = f"{seconds:.0f} s"

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not list(scratch.iterdir())
    assert not (tmp_path / "home").exists()
    told = ended.stdout.lower()
    assert "polars" in told
    if HERE.best is V3:
        assert "x86_64_v3" in told
    if find_emulator() is not None:
        assert "nehalem" in told
        assert "x86_64_v2" in told
