"""``cpufit-server serve`` as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cpufit_server.cli import main
from cpufit_server.demo.processes import DemoFailed, free_port, running_server


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CPUFIT_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


def patient_get(url: str, seconds: float = 30) -> httpx.Response:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(url, trust_env=False)
        time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_serves_and_stops_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), "--home", str(tmp_path / "home")]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            answer = patient_get(f"http://127.0.0.1:{port}/simple/")
            assert answer.status_code == 200
            assert "server" not in answer.headers
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert f"at http://127.0.0.1:{port}/simple/" in errors
    assert "Finished server process" in errors
    assert "Traceback" not in errors
    assert process.returncode in (0, -number)


def test_off_loopback_the_public_address_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0", "--home", str(tmp_path)]) == 2
    assert "[public-url-required]" in capsys.readouterr().err


def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "70000", "--home", str(tmp_path)]) == 2
    assert "error: CPUFIT_PORT: " in capsys.readouterr().err


class TestTheServerOfTheDemonstration:
    def test_runs_while_the_block_does(self, tmp_path: Path) -> None:
        with running_server(tmp_path / "home", tmp_path / "log", environment()) as url:
            assert httpx.get(f"{url}/healthz", trust_env=False).is_success
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False)

    def test_that_does_not_start_is_told_with_its_last_words(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            monkeypatch.setattr("cpufit_server.demo.processes.free_port", lambda: port)
            server = running_server(tmp_path / "home", tmp_path / "log", environment())
            with pytest.raises(DemoFailed, match=r"the server ended with status \d.*address already in use"), server:
                pytest.fail("it runs")
