"""A real server of two workers: its parent, its workers as the system tells them, and what each of them counts."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_server import _await_health, server_environment

from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.home import open_home

TELLS_CHILDREN = pytest.mark.skipif(
    not list(Path("/proc/self/task").glob("*/children")), reason="the system tells no children"
)

WORKERS = 2
MANY = 24
"""Connections that the system does not all give to one of two workers, but once in eight millions."""


@dataclass(frozen=True)
class Site:
    """A running server with workers."""

    folder: Path
    port: int
    metrics: int
    token: str
    parent: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def get(self, path: str) -> httpx.Response:
        """Ask over a new connection."""
        return httpx.get(f"{self.url}{path}", trust_env=False, timeout=60)

    def upload(self, file: tuple[str, bytes]) -> int:
        sent = httpx.post(
            f"{self.url}/legacy/",
            data={":action": "file_upload"},
            files={"content": file},
            auth=("__token__", self.token),
            trust_env=False,
            timeout=120,
        )
        return sent.status_code

    def workers(self) -> list[int]:
        return [pid for pid in children(self.parent.pid) if is_running(pid)]

    def counted(self, metric: str) -> list[float]:
        """Return the sum of a metric for each worker."""
        pattern = re.compile(rf"^{metric}(?:{{.*}})? (\S+)$", re.MULTILINE)
        texts = [
            httpx.get(f"http://127.0.0.1:{self.metrics + number}/metrics", trust_env=False).text
            for number in range(WORKERS)
        ]
        return [sum(float(found) for found in pattern.findall(text)) for text in texts]


def children(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        return [int(word) for text in texts for word in text.split()]
    return []


def is_running(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            if holds():
                return True
        time.sleep(0.1)
    return False


@contextmanager
def serving(folder: Path, *options: str, **settings: str) -> Iterator[Site]:
    """Run two workers, each of which serves when the block begins."""
    home, port, metrics = folder / "home", free_port(), free_port(WORKERS)
    with open_home(home) as made:
        token = made.catalog.create_token(None, "test")
    told = {"CPUFIT_METRICS_PORT": str(metrics), "CPUFIT_WORKERS": str(WORKERS), **settings}
    with (folder / "log").open("wb") as output:
        parent = subprocess.Popen(
            [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), *options],
            env=server_environment(home, told),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    site = Site(folder, port, metrics, token, parent)
    try:
        assert eventually(lambda: site.log.count("startup complete") == WORKERS), site.log
        _await_health(site.url, parent, folder / "log")
        # the first pages come earlier: metrics are told when all is there
        assert eventually(lambda: len(site.counted("cpufit_requests_total")) == WORKERS), site.log
        yield site
    finally:
        parent.terminate()
        try:
            parent.wait(timeout=60)
        finally:
            parent.kill()
            parent.wait()


def at_once(calls: list[Callable[[], int]]) -> list[int]:
    with ThreadPoolExecutor(max_workers=len(calls)) as people:
        return [done.result() for done in [people.submit(call) for call in calls]]
