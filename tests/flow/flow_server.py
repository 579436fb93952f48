"""The server under test, a process of its own, and the stock tools that upload to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
from tests.flow.flow_clients import uv_program
from tests.flow.flow_machines import Outcome, clean_environment

from cpufit_server.demo.processes import free_port

_SECRET = re.compile(r"cpufit-[A-Za-z0-9_-]{43}")


def server_environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the server's variables: this process's (pip's index, certificates, coverage) without its CPUFIT ones."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CPUFIT_")}
    return {**inherited, "CPUFIT_HOME": str(home), **settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running ``cpufit-server serve``."""

    url: str
    home: Path
    pid: int
    settings: Mapping[str, str]

    def command(self, *words: str) -> str:
        """Run another ``cpufit-server`` command on the same home and return what it printed."""
        ended = subprocess.run(
            [sys.executable, "-m", "cpufit_server", *words],
            env=server_environment(self.home, self.settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def token(self, *projects: str) -> str:
        """Make a token for uploads to some projects and return its secret."""
        told = self.command("token", "create", *(word for name in projects for word in ("--project", name)))
        found = _SECRET.search(told)
        assert found is not None, told
        return found[0]

    def upload_url(self, **query: str) -> str:
        """Return the address for uploads, with a declared need in its query."""
        return f"{self.url}/legacy/" + (f"?{urlencode(query)}" if query else "")

    def peak_memory(self) -> int:
        """Return the most memory that the process ever had resident, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024


@contextmanager
def running_server(directory: Path, *options: str, **settings: str) -> Iterator[Server]:
    """Start a server with an empty home on a free port of the loopback interface; stop it at the end.

    :param options: further words for ``serve``
    :param settings: environment variables (``CPUFIT_MAX_UPLOAD_BYTES="1000"``)
    """
    directory.mkdir(parents=True, exist_ok=True)
    home, port = directory / "home", free_port()
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), *options],
            env=server_environment(home, settings),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _await_health(url, process, log)
            yield Server(url=url, home=home, pid=process.pid, settings=settings)
            assert process.poll() is None, f"the server died:\n{log.read_text()}"
        finally:
            # as Ctrl-C does: the server closes its home, and coverage writes what it saw
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers, at most 30 seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def _run(scratch: Path, *command: str) -> Outcome:
    ended = subprocess.run(
        command,
        env=clean_environment(scratch),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Outcome(status=ended.returncode, output=ended.stdout)


def twine_upload(server: Server, token: str, *files: Path, **query: str) -> Outcome:
    """Upload with twine."""
    access = ("--username", "__token__", "--password", token, "--non-interactive", "--disable-progress-bar")
    names = [str(file) for file in files]
    url = server.upload_url(**query)
    return _run(server.home.parent, sys.executable, "-m", "twine", "upload", "--repository-url", url, *access, *names)


def uv_publish(server: Server, token: str, *files: Path, **query: str) -> Outcome:
    """Upload with ``uv publish``."""
    names = [str(file) for file in files]
    access = ("--token", token, "--trusted-publishing", "never")
    url = server.upload_url(**query)
    return _run(server.home.parent, str(uv_program()), "publish", "--publish-url", url, *access, *names)
