"""``cpufit-server serve`` as a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


def workers_of(pid: int) -> list[int]:
    """Return the processes that inspect for a server and have begun to."""
    texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    children = [int(word) for text in texts for word in text.split()]
    return [child for child in children if b"inspection.worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.skipif(not list(Path("/proc/self/task").glob("*/children")), reason="the system does not tell children")
def test_an_upload_that_waits_when_the_server_stops_is_held_and_answered(
    tmp_path: Path, make_wheel: Callable[..., tuple[str, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    home, port = tmp_path / "home", free_port()
    assert main(["token", "create", "--project", "fast", "--home", str(home)]) == 0
    login = ("__token__", capsys.readouterr().out.strip())
    command = [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), "--home", str(home)]
    with (
        subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) as process,
        ThreadPoolExecutor() as people,
    ):
        try:
            patient_get(f"http://127.0.0.1:{port}/healthz")
            wheel = make_wheel(tags="py3-none-manylinux_2_17_x86_64", native=True)
            url, form = f"http://127.0.0.1:{port}/legacy/", {":action": "file_upload"}
            sent = people.submit(
                httpx.post, url, data=form, files={"content": wheel}, auth=login, timeout=60, trust_env=False
            )
            until = time.monotonic() + 30
            while not (workers := workers_of(process.pid)) and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(workers[0], signal.SIGSTOP)  # an inspection that takes for ever
            process.send_signal(signal.SIGTERM)
            assert sent.result().status_code == 202
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert "Traceback" not in errors
    assert len(list((home / "held").iterdir())) == 1
    assert list((home / "inspecting").iterdir()) == []


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
