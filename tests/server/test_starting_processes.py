"""A real process answers its first pages before the framework is there; where it cannot start, it ends and says why."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.home import open_home

JSON = "application/vnd.pypi.simple.v1+json"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
HEAVY = ("alembic", "fastapi", "sqlalchemy")

_GATE = """
import os, pathlib, sys, time

class Gate:
    def find_spec(self, name, path=None, target=None):
        if name not in {heavy}:
            return None
        folder = pathlib.Path(os.environ["GATE"])
        (folder / "reached").touch()
        while not (folder / "open").exists() and not (folder / "shut").exists():
            time.sleep(0.01)
        if (folder / "shut").exists():
            raise ImportError("no " + name + " today")
        if os.environ.get("REFUSED"):
            from cpufit_resolver.errors import CpufitError
            raise CpufitError("it makes no selector", code="not-today", hint="come back")
        return None

sys.meta_path.insert(0, Gate())
"""


class Gated:
    """A server process that loads nothing heavy before the test lets it."""

    def __init__(self, folder: Path, home: Path, *options: str, **variables: str) -> None:
        self._folder, self._log = folder, folder / "log"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_GATE.format(heavy=set(HEAVY)), encoding="utf-8")
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CPUFIT_")}
        command = [sys.executable, "-m", "cpufit_server", "serve", "--port", str(self.port), "--home", str(home)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                env={**kept, "PYTHONPATH": str(folder), "GATE": str(folder), **variables},
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False, timeout=60)

    def open(self) -> None:
        (self._folder / "open").touch()

    def shut(self) -> None:
        (self._folder / "shut").touch()

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.01)

    def listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False

    def reached(self) -> bool:
        return (self._folder / "reached").exists()


@pytest.fixture
def home(tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]) -> Path:
    path = tmp_path / "home"
    with run_server(path) as server:
        assert server.upload(make_wheel()).status_code == 200
    return path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Gated]]:
    with contextlib.ExitStack() as ends:

        def start(home: Path, *options: str, **variables: str) -> Gated:
            gated = Gated(tmp_path / "gate", home, *options, **variables)
            ends.callback(gated.process.wait)
            ends.callback(gated.process.kill)
            return gated

        yield start


class TestAProcess:
    def test_its_first_page_needs_neither_framework_nor_database_library(
        self, home: Path, serve: Callable[..., Gated]
    ) -> None:
        server = serve(home)
        server.until(server.listens)
        first = server.get("/simple/fast/", accept=PIP)
        for answer in (first, server.get("/simple/fast/", accept=PIP)):
            assert [file["filename"] for file in answer.json()["files"]] == ["fast-1.0-py3-none-any.whl"]
        assert server.get("/simple/", accept=PIP).json()["projects"] == [{"name": "fast"}]
        assert "GET /simple/fast/ 200" in server.log
        server.until(server.reached)
        server.open()
        assert server.get("/healthz").status_code == 200
        assert server.get("/simple/fast/", accept=PIP).content == first.content

    def test_what_pages_do_not_tell_waits_for_the_application(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home)
        server.until(server.listens)
        answers: list[httpx.Response] = []
        asking = threading.Thread(target=lambda: answers.append(server.get("/simple/missing/")))
        asking.start()
        server.until(server.reached)
        assert server.get("/simple/fast/").status_code == 200, "nobody else waits"
        assert answers == []
        server.open()
        asking.join()
        assert answers[0].status_code == 404

    def test_a_home_that_is_still_to_be_made_is_made_before_anybody_is_served(
        self, tmp_path: Path, serve: Callable[..., Gated]
    ) -> None:
        server = serve(tmp_path / "new")
        server.until(server.reached)
        assert not server.listens()
        server.open()
        server.until(server.listens)
        assert server.get("/healthz").status_code == 200

    def test_an_application_that_cannot_be_made_ends_it(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home)
        server.until(server.listens)
        server.shut()
        assert server.process.wait(timeout=60) == 1
        assert "the server cannot start: no " in server.log
        assert "Finished server process" in server.log

    def test_an_error_of_ours_is_told_as_any_other(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home, REFUSED="yes")
        server.until(server.listens)
        server.open()
        assert server.process.wait(timeout=60) == 1
        assert "error: it makes no selector [not-today]\n  hint: come back" in server.log

    def test_so_it_is_where_nobody_was_served_yet(self, tmp_path: Path, serve: Callable[..., Gated]) -> None:
        server = serve(tmp_path / "new", REFUSED="yes")
        server.open()
        assert server.process.wait(timeout=60) == 1
        assert "error: it makes no selector [not-today]\n  hint: come back" in server.log

    def test_a_home_with_something_in_the_way_is_told_of_before_anybody_is_served(
        self, home: Path, serve: Callable[..., Gated]
    ) -> None:
        (home / "staging").rmdir()
        (home / "staging").write_text("in the way", encoding="utf-8")
        server = serve(home)
        server.open()
        assert server.process.wait(timeout=60) == 1
        assert "staging" in server.log
        assert "Uvicorn running" not in server.log

    def test_private_reading_begins_when_tokens_are_known(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home, CPUFIT_PRIVATE_READING="true")
        server.until(server.reached)
        assert not server.listens()
        server.open()
        server.until(server.listens)
        assert server.get("/simple/fast/").status_code == 401

    def test_a_home_that_cannot_be_opened_ends_it(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home)
        server.until(server.listens)
        (home / "staging").rename(home / "elsewhere")
        (home / "staging").write_text("in the way", encoding="utf-8")
        server.open()
        assert server.process.wait(timeout=60) == 1
        assert "the server cannot start: " in server.log

    @pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
    def test_it_can_be_stopped_before_it_is_all_there(self, home: Path, serve: Callable[..., Gated]) -> None:
        server = serve(home)
        server.until(server.listens)
        server.until(server.reached)
        server.process.send_signal(signal.SIGTERM)
        server.until(lambda: "Shutting down" in server.log)
        server.open()
        assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)
        assert "Finished server process" in server.log
        assert "Traceback" not in server.log
        assert "cannot start" not in server.log

    def test_a_port_that_is_taken_is_told(self, home: Path, serve: Callable[..., Gated]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = serve(home, "--port", str(taken.getsockname()[1]))
            server.open()
            assert server.process.wait(timeout=60) == 1
        assert "address already in use" in server.log


def test_a_damaged_catalog_is_told_as_it_was(home: Path, serve: Callable[..., Gated]) -> None:
    (home / "catalog.sqlite3").write_bytes(b"no database" * 1000)
    server = serve(home)
    server.open()
    assert server.process.wait(timeout=60) == 1
    assert "file is not a database" in server.log


def test_a_catalog_of_a_newer_cpufit_is_refused(home: Path, serve: Callable[..., Gated]) -> None:
    with open_home(home) as opened, opened.catalog._writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    server = serve(home)
    server.open()
    assert server.process.wait(timeout=60) == 1
    assert "[catalog-too-new]\n  hint: it was written by a newer cpufit" in server.log
    assert "Traceback" not in server.log


_FAULT = """
import sys
from cpufit_server.cli import main
from cpufit_server.early import EarlyPages

def fail(settings):
    raise RuntimeError("nobody expected this")

EarlyPages.open = fail
raise SystemExit(main(sys.argv[1:]))
"""


def test_a_fault_of_ours_before_it_listens_ends_it(tmp_path: Path) -> None:
    options = ("serve", "--home", str(tmp_path / "home"), "--port", str(free_port()))
    ended = subprocess.run(
        [sys.executable, "-c", _FAULT, *options], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert "nobody expected this" in ended.stderr
