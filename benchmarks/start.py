"""What a start costs: from the process's beginning to the first page, and to all that is there.

This server, with a home of many files in many projects, beside what could be at all: an empty ASGI application under
uvicorn with the same parser and loop, and an empty FastAPI application. They take turns, each on one core, in a few
rounds, of which the medians are told.

::

    first page    from the start to a 200 of one project's page
    all there     to a 200 of /healthz, which this server answers when nothing is being loaded any more
    CPU           seconds that the process had computed by then
    memory        resident then; at last after many different pages, and after the list of all projects

Usage::

    python -m benchmarks.start [--files 100000] [--projects 5000] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.index.data import fill_shelf
from benchmarks.index.processes import ACCEPT, Process, running, wait_for
from benchmarks.index.seeding import seed_home

from cpufit_server.demo.processes import free_port

_PAGES = 1000
_BARE = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
"""
_FASTAPI = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/{path:path}")
def hello(path: str) -> dict[str, str]:
    return {"hello": path}
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that can be started."""

    name: str
    command: tuple[str, ...]
    """Without the port, which goes last."""
    folder: Path | None = None
    """Where its application is found."""


@dataclass(frozen=True, slots=True)
class Start:
    """What one start cost: seconds since its beginning, CPU seconds and bytes, by what had come."""

    seconds: float
    cpu: float
    resident: int


def main() -> int:
    """Measure, print a table, and write the figures where that was asked for."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="start-benchmark-") as scratch:
        folder, home = Path(scratch), Path(scratch) / "home"
        counts = {f"bench-{number}": max(1, options.files // options.projects) for number in range(options.projects)}
        seed_home(home, fill_shelf(folder / "shelf", counts))
        for name, text in (("bare", _BARE), ("framework", _FASTAPI)):
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        figures = measure(_kinds(folder, home), folder, options.projects, options.rounds)
    print("\n".join(_lines(figures)))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _kinds(folder: Path, home: Path) -> list[Kind]:
    uvicorn = (sys.executable, "-m", "uvicorn", "--http", "httptools", "--loop", "uvloop", "--log-level", "warning")
    return [
        Kind("cpufit", (sys.executable, "-m", "cpufit_server", "serve", "--home", str(home), "--port")),
        Kind("bare ASGI", (*uvicorn, "bare:app", "--port"), folder),
        Kind("FastAPI, empty", (*uvicorn, "framework:app", "--port"), folder),
    ]


def measure(kinds: Sequence[Kind], folder: Path, projects: int, rounds: int) -> dict[str, dict[str, float]]:
    """Start each kind in turn, and return the medians of its figures."""
    found: dict[str, dict[str, list[float]]] = {kind.name: {} for kind in kinds}
    for turn in range(rounds):
        for kind in kinds:
            with _started(kind, folder) as (process, base, log):
                moments = {
                    "first page": _came(f"{base}/simple/bench-7/", process, log),
                    "all there": _came(f"{base}/healthz", process, log),
                }
                if turn == rounds - 1 and kind.name == "cpufit":
                    moments |= _under_pages(base, process, projects)
            for moment, start in moments.items():
                for measure_, value in (("s", start.seconds), ("CPU s", start.cpu), ("MB", start.resident / 1e6)):
                    found[kind.name].setdefault(f"{moment}, {measure_}", []).append(value)
    return {
        name: {key: round(statistics.median(values), 3) for key, values in told.items()} for name, told in found.items()
    }


@contextmanager
def _started(kind: Kind, folder: Path) -> Iterator[tuple[Process, str, Path]]:
    port, log = free_port(), folder / "log"
    environment = {} if kind.folder is None else {"PYTHONPATH": str(kind.folder)}
    with running([*kind.command, str(port)], environment=environment, log=log) as process:
        yield process, f"http://127.0.0.1:{port}", log


def _came(url: str, process: Process, log: Path) -> Start:
    seconds = wait_for(url, process, log)
    return Start(seconds=seconds, cpu=process.cpu_seconds(), resident=process.resident())


def _under_pages(base: str, process: Process, projects: int) -> dict[str, Start]:
    moments = {}
    urls = [f"{base}/simple/bench-{number * 7 % projects}/" for number in range(_PAGES)]
    for moment, asked in ((f"{_PAGES} pages", urls), ("list of projects", [f"{base}/simple/"])):
        begin = time.perf_counter()
        for url in asked:
            with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": ACCEPT}), timeout=60) as answer:
                answer.read()
        moments[moment] = Start(
            seconds=time.perf_counter() - begin, cpu=process.cpu_seconds(), resident=process.resident()
        )
    return moments


def _lines(figures: dict[str, dict[str, float]]) -> Iterator[str]:
    measures = list(dict.fromkeys(key for told in figures.values() for key in told))
    yield f"{'':28}" + "".join(f"{name:>16}" for name in figures)
    for key in measures:
        yield f"{key:28}" + "".join(f"{told[key]:16.2f}" if key in told else " " * 16 for told in figures.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--files", type=int, default=100_000, help="files of the home (default: 100000)")
    add("--projects", type=int, default=5_000, help="projects of the home (default: 5000)")
    add("--rounds", type=int, default=5, help="starts of each (default: 5)")
    add("--scratch", type=Path, help="where the data go")
    add("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
