"""A server of several workers that cannot start says why, once, and ends in good order."""

from __future__ import annotations

import http.client
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from tests.flow.flow_server import server_environment
from tests.flow.flow_workers import TELLS_CHILDREN, serving

from cpufit_server.cli import main
from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.catalog.reading import CATALOG
from cpufit_wheelhouse.home import open_home

pytestmark = [pytest.mark.flow, TELLS_CHILDREN]


def refused(
    home: Path, port: int, *options: str, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), *options],
        env=server_environment(home, settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with serving(tmp_path) as site, closing(http.client.HTTPConnection("127.0.0.1", site.port)):
        again = refused(tmp_path / "other", site.port, "--workers", "2")
        assert again.returncode == 1
        assert "ddress already in use" in again.stderr
        assert not (tmp_path / "other").exists()


def test_settings_that_no_worker_can_use_are_told_once(tmp_path: Path) -> None:
    ended = refused(
        tmp_path / "home",
        free_port(),
        "--workers",
        "3",
        settings={"CPUFIT_UPSTREAM_UNKNOWN": "hold", "CPUFIT_UPSTREAM": "http://x/"},
    )
    assert ended.returncode == 2
    assert ended.stderr.count("error: CPUFIT_UPSTREAM_UNKNOWN") == 1


def test_what_keeps_a_worker_from_starting_is_told_and_ends_it_in_good_order(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        place = home.path / CATALOG
    with closing(sqlite3.connect(place)) as catalog, catalog:
        catalog.execute("UPDATE alembic_version SET version_num = '9999'")
    ended = refused(tmp_path / "home", free_port(), "--workers", "2")
    assert ended.returncode == 1
    assert "[catalog-too-new]" in ended.stderr
    assert "worker 0 did not start: status 1" in ended.stderr
    assert "Fatal Python error" not in ended.stderr


def test_a_metrics_port_that_is_taken_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        metrics = taken.getsockname()[1]
        ended = refused(tmp_path / "home", free_port(), settings={"CPUFIT_METRICS_PORT": str(metrics)})
    assert ended.returncode == 2
    assert "[invalid-setting]" in ended.stderr
    assert f"127.0.0.1:{metrics}" in ended.stderr
    assert "CPUFIT_METRICS_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_for_metrics_that_this_machine_does_not_have_is_told_as_such(tmp_path: Path) -> None:
    nobodys = "192.0.2.1"  # for documentation (RFC 5737)
    settings = {"CPUFIT_METRICS_PORT": str(free_port()), "CPUFIT_METRICS_HOST": nobodys}
    ended = refused(tmp_path / "home", free_port(), settings=settings)
    assert ended.returncode == 2
    assert f"error: CPUFIT_METRICS_HOST: metrics cannot be told at {nobodys}" in ended.stderr


def test_metrics_ports_leave_out_the_port_of_the_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CPUFIT_METRICS_PORT", "8000")
        assert main(["serve", "--port", "8001", "--workers", "2", "--home", str(tmp_path)]) == 2
    assert "from 8000 to 8001" in capsys.readouterr().err
