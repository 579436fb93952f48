"""SIGTERM with a slow download and an upload under way: nobody new is let in, and both are finished."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import final

import pytest
from tests.flow.flow_server import _await_health, server_environment
from tests.server.conftest import wheel_bytes

from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.home import open_home

pytestmark = [pytest.mark.flow, pytest.mark.skipif(os.name == "nt", reason="POSIX signals")]

BIG = 24 * 1024**2
"""More than what two sockets hold: the server is still sending while nobody reads."""


@contextmanager
def serving(folder: Path, grace: int) -> Iterator[tuple[int, str, subprocess.Popen[bytes]]]:
    """Run a server with a token; yields its port, the token and the process."""
    home, port = folder / "home", free_port()
    with open_home(home) as made:
        token = made.catalog.create_token(None, "test")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port)],
            env=server_environment(home, {"CPUFIT_STOP_GRACE_SECONDS": str(grace)}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_health(f"http://127.0.0.1:{port}", process, log)
        yield port, token, process
    finally:
        process.kill()
        process.wait()


@final
class Upload:
    """An upload of which half was sent."""

    def __init__(self, port: int, token: str, file: tuple[str, bytes]) -> None:
        head = (
            '--x\r\nContent-Disposition: form-data; name=":action"\r\n\r\nfile_upload\r\n'
            f'--x\r\nContent-Disposition: form-data; name="content"; filename="{file[0]}"\r\n\r\n'
        )
        self._body = head.encode() + file[1] + b"\r\n--x--\r\n"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.putrequest("POST", "/legacy/")
        self._connection.putheader("Authorization", f"Bearer {token}")
        self._connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        self._connection.putheader("Content-Length", str(len(self._body)))
        self._connection.endheaders(self._body[: len(self._body) // 2])

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def finish(self) -> int:
        self._connection.send(self._body[len(self._body) // 2 :])
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def put(port: int, token: str, file: tuple[str, bytes]) -> None:
    with Upload(port, token, file) as upload:
        assert upload.finish() == 200


def wait_until_refused(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    pytest.fail("new connections are still taken")


@contextmanager
def begun_download(port: int, file: tuple[str, bytes]) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", f"/files/{hashlib.sha256(file[1]).hexdigest()}/{file[0]}")
        with connection.getresponse() as answer:
            assert answer.status == 200
            yield answer


def test_a_download_and_an_upload_under_way_are_finished(tmp_path: Path) -> None:
    big = wheel_bytes("fast", "1.0", extra=random.Random(1).randbytes(BIG))
    small = wheel_bytes("fast", "2.0", extra=random.Random(2).randbytes(3 * 1024**2))
    with serving(tmp_path, grace=60) as (port, token, process):
        put(port, token, big)
        with begun_download(port, big) as download, Upload(port, token, small) as upload:
            # what waits in the kernel's queue to be accepted is not under way yet
            while not any((tmp_path / "home" / "staging").iterdir()):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            assert process.poll() is None
            assert upload.finish() == 200
            assert download.read() == big[1]
        assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    with open_home(tmp_path / "home") as home:
        assert [file.filename for file in home.catalog.files("fast")] == [big[0], small[0]]
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_what_takes_longer_than_the_grace_is_cut_off(tmp_path: Path) -> None:
    big = wheel_bytes("fast", "1.0", extra=random.Random(1).randbytes(BIG))
    small = wheel_bytes("fast", "2.0")
    with serving(tmp_path, grace=1) as (port, token, process):
        put(port, token, big)
        with begun_download(port, big) as download, Upload(port, token, small):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) in (0, -signal.SIGTERM)
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                download.read()
    with open_home(tmp_path / "home") as home:
        assert [file.filename for file in home.catalog.files("fast")] == [big[0]]
        assert list((home.path / "staging").iterdir()) == []
