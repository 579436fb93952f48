"""Load as people bring it: many pips at once, idle connections, uploads and inspections in the middle of it.

The server runs on one core and everything else on another. A task on its event loop tells how late it is woken
(:mod:`.watched`), and pages are asked for all the time: of twenty projects of 50 files, and of one of 5,000.

::

    quiet      pages alone, while thousands of connections stay open and idle
    uploads    … and small wheels come in, some with machine code, and a large one: hashed, stored, inspected
    pips       … and pips install, all at once, with the same uploads in the middle of it

The connections are kept for longer than the server's own limit says, so that those that are lost are told.

Usage::

    python -m benchmarks.load [--pips 200] [--environments 20] [--idle 2000] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from benchmarks.index.data import fill_shelf
from benchmarks.index.processes import cores, pinned
from benchmarks.index.seeding import seed_home

from cpufit_server.demo.processes import free_port

from .people import Pages, idle_connections, is_closed, pips, uploads

_PROJECTS = tuple(f"load-{number}" for number in range(20))
_MANY = "load-many"
_FILES, _FILES_OF_MANY = 50, 5_000
_QUIET_SECONDS = 10
_START_SECONDS = 60
_UPLOADS_AFTER = 20
"""Seconds after which uploads come in between pips."""


def main() -> int:
    """Run the phases and report; 1 where anything failed, whatever the times were."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pips", type=int, default=200)
    parser.add_argument("--environments", type=int, default=20)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="load-benchmark-") as name:
        told = run(Path(name), arguments)
    for phase, figures in told["phases"].items():
        print(f"{phase:8}", "  ".join(f"{key} {value}" for key, value in figures.items()))
    print(
        f"uploads by status: {told['uploads']}  pips by exit status: {told['pips']}  idle lost: {told['idle_lost']}"
        f"  answers 5xx: {told['answers_5xx']}  inspections: {told['inspections']}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0 if failures(told) == 0 else 1


def failures(told: dict[str, Any]) -> int:
    """Return how much went wrong: pages, uploads, pips and connections."""
    unread = sum(figures["failed"] for figures in told["phases"].values())
    refused = sum(count for status, count in told["uploads"].items() if status != "200")
    not_installed = sum(count for status, count in told["pips"].items() if status != "0")
    return int(unread + refused + not_installed + told["idle_lost"] + told["answers_5xx"])


def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the phases in a folder and return the figures."""
    home, stalls = folder / "home", folder / "stalls"
    seed_home(home, fill_shelf(folder / "shelf", {**dict.fromkeys(_PROJECTS, _FILES), _MANY: _FILES_OF_MANY}))
    token = _token_for(home)
    uploaded: list[int] = []
    spans: dict[str, tuple[float, float]] = {}
    with served(home, stalls) as (url, metrics_url):
        two = cores()
        if two is not None:
            os.sched_setaffinity(0, {int(two[1])})
        with idle_connections(url, arguments.idle) as idle:
            pages = Pages(url, [*_PROJECTS, _MANY])

            def timed(phase: str, work: Callable[[], Any]) -> Any:
                pages.phase = phase
                started = time.monotonic()
                result = work()
                spans[phase] = (started, time.monotonic())
                return result

            def bring(version: int) -> None:
                uploaded.extend(uploads(url, token, [*_PROJECTS, _MANY], version))

            pages.start()
            timed("quiet", lambda: time.sleep(_QUIET_SECONDS))
            timed("uploads", lambda: bring(100))
            later = threading.Timer(_UPLOADS_AFTER, bring, [200])
            later.start()
            installed = timed(
                "pips", lambda: pips(url, folder, _PROJECTS, count=arguments.pips, environments=arguments.environments)
            )
            later.join()
            pages.stop()
            lost = sum(1 for connection in idle if is_closed(connection))
        counted = httpx.get(metrics_url, timeout=30).text
    late = [json.loads(line) for line in stalls.read_text(encoding="ascii").splitlines()]
    phases = {phase: _figures(pages, late, phase, *span) for phase, span in spans.items()}
    return {
        "phases": phases,
        "uploads": _counted(uploaded),
        "pips": _counted(installed),
        "idle_lost": lost,
        "answers_5xx": _sum_of(counted, "cpufit_requests_total", 'status="5'),
        "inspections": _sum_of(counted, "cpufit_inspections_total"),
    }


@contextlib.contextmanager
def served(home: Path, stalls: Path) -> Iterator[tuple[str, str]]:
    """Run a server that watches its own event loop, on its core; give its address and that of its metrics."""
    port, metrics = free_port(), free_port()
    command = [sys.executable, "-m", "benchmarks.load.watched", str(home), str(port), str(stalls)]
    environment = {**os.environ, "CPUFIT_METRICS_PORT": str(metrics), "CPUFIT_KEEP_ALIVE_SECONDS": "900"}
    with (home.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(pinned(0, command), env=environment, stdout=log, stderr=subprocess.STDOUT)
    url, metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics}/metrics"
    try:
        _await(metrics_url, process)  # the last to be there
        yield url, metrics_url
    finally:
        process.terminate()
        process.wait(timeout=60)


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


def _token_for(home: Path) -> str:
    """Return a token that may upload to every project."""
    command = [sys.executable, "-m", "cpufit_server", "token", "create", "--all-projects", "--home", str(home)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


def _figures(pages: Pages, late: list[list[float]], phase: str, started: float, ended: float) -> dict[str, float]:
    asked = pages.asked[phase]
    stalled = [(wall, own) for moment, wall, own in late if started <= moment <= ended]
    return {
        "seconds": round(ended - started, 1),
        "pages": len(asked.seconds),
        "p50_ms": round(statistics.median(asked.seconds) * 1e3, 1),
        "p99_ms": round(statistics.quantiles(asked.seconds, n=100)[98] * 1e3, 1),
        "failed": len(asked.failed),
        "worst_stall_ms": round(max((wall for wall, _ in stalled), default=0) * 1e3, 1),
        "worst_own_stall_ms": round(max((own for _, own in stalled), default=0) * 1e3, 1),
    }


def _sum_of(metrics: str, name: str, having: str = "") -> int:
    """Return the sum of a counter's samples (text format of Prometheus) whose labels have some text."""
    samples = [line for line in metrics.splitlines() if line.startswith(name) and having in line]
    return round(sum(float(line.rpartition(" ")[2]) for line in samples))


def _counted(statuses: list[int]) -> dict[str, int]:
    return {str(status): statuses.count(status) for status in sorted(set(statuses))}


if __name__ == "__main__":
    sys.exit(main())
