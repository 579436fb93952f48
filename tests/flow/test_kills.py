"""kill -9 at random moments: what was answered is there whole, nothing is half visible, and the store verifies.

A plain run has a few rounds of each kind; with ``CPUFIT_TEST_GRID=1`` many. The moment of each kill comes from a
seeded generator; a failure names round and delay.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.flow.flow_server import _await_health, server_environment
from tests.server.conftest import wheel_bytes

from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.home import open_home
from cpufit_wheelhouse.upkeep.verification import Verification

pytestmark = [pytest.mark.flow, pytest.mark.skipif(os.name == "nt", reason="SIGKILL")]

MANY = os.environ.get("CPUFIT_TEST_GRID") == "1"
UPLOAD_ROUNDS = 40 if MANY else 4
DELETION_ROUNDS = 30 if MANY else 3
COMMAND_ROUNDS = 15 if MANY else 1
SETTINGS = {"CPUFIT_WANTED": "false"}
PLATFORM = "cp311-abi3-manylinux_2_17_x86_64"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


@dataclass
class Site:
    """A home that outlives its servers, and what was promised of it."""

    folder: Path
    moments: random.Random
    promised: dict[str, bytes] = field(default_factory=dict)
    """By file name, the bytes of each upload that was answered 200."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def command(self, *words: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "cpufit_server", *words],
            env=server_environment(self.home, SETTINGS),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def started(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, to be killed."""
        with (self.folder / "command.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "cpufit_server", *words],
                env=server_environment(self.home, SETTINGS),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @contextmanager
    def server(self) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
        """Run a server, which may be dead when the block ends."""
        port = free_port()
        process = self.started("serve", "--port", str(port))
        try:
            _await_health(f"http://127.0.0.1:{port}", process, self.folder / "command.log")
            yield f"http://127.0.0.1:{port}", process
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            process.wait(timeout=30)

    def check(self, url: str) -> set[str]:
        """Hold what a server serves, and all that is stored, against what was promised; returns the files' names."""
        listed: dict[str, str] = {}
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            for project in client.get("/simple/", headers=JSON).json()["projects"]:
                page = client.get(f"/simple/{project['name']}/", headers=JSON | {"User-Agent": "uv/0.13.9"})
                assert page.status_code == 200, page.text
                for file in page.json()["files"]:
                    _check_file(client, f"/simple/{project['name']}/{file['url']}", file)
                    listed[file["filename"]] = file["hashes"]["sha256"]
        for filename, data in self.promised.items():
            assert listed.get(filename) == hashlib.sha256(data).hexdigest(), f"{filename} was lost"
        with open_home(self.home, sweep=False) as home:
            assert [one for one in Verification(home=home).findings() if not one.harmless] == []
        return set(listed)


def _check_file(client: httpx.Client, address: str, file: Mapping[str, Any]) -> None:
    """Whatever is visible is whole, promised or not."""
    assert hashlib.sha256(client.get(address).content).hexdigest() == file["hashes"]["sha256"]
    if file.get("core-metadata"):
        metadata = client.get(f"{address}.metadata").content
        assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(folder=tmp_path, moments=random.Random(20261128))


def wheel(number: int, *, native: bool = False) -> tuple[str, bytes]:
    """Return a wheel of some hundred kilobytes that no other has the bytes of."""
    extra = random.Random(number).randbytes(200_000)
    return wheel_bytes("killed", f"1.{number}", PLATFORM if native else "py3-none-any", native=native, extra=extra)


class Uploads:
    """Posts wheels as twine does, until the server is gone."""

    def __init__(self, site: Site, url: str, token: str, first: int) -> None:
        self._site = site
        self._url = url
        self._auth = ("__token__", token)
        self._number = first
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while True:
                with self._lock:
                    self._number += 1
                    number = self._number
                file = wheel(number)
                form = {":action": "file_upload", "sha256_digest": hashlib.sha256(file[1]).hexdigest()}
                try:
                    sent = client.post("/legacy/", data=form, files={"content": file}, auth=self._auth)
                except httpx.TransportError:
                    return
                assert sent.status_code == 200, sent.text
                self._site.promised[file[0]] = file[1]

    def ended(self) -> int:
        """Wait for the last answer; returns the last number that was used."""
        for thread in self._threads:
            thread.join()
        return self._number


def test_uploads(site: Site, figures: dict[str, str]) -> None:
    token = site.command("token", "create", "--project", "killed").strip()
    last, delay = 0, 0.0
    for number in range(UPLOAD_ROUNDS + 1):
        with site.server() as (url, process):
            with _told(f"round {number}, killed after {delay:.3f} s"):
                site.check(url)
            if number == UPLOAD_ROUNDS:
                break
            delay = site.moments.uniform(0.02, 1.2)
            uploads = Uploads(site, url, token, last)
            time.sleep(delay)
            process.kill()
            last = uploads.ended()
    assert site.promised
    figures["uploads answered 200 and whole after kills"] = f"{len(site.promised)} of {last}, {UPLOAD_ROUNDS} kills"


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        pytest.fail(f"{where}: {error}")


def killed_commands(site: Site, *words: str, longest: float) -> int:
    """Kill a command at random moments beside a server; returns how many kills found it alive.

    After each the store is checked; in the end the server is killed as well, and checked again when it is back.
    """
    alive = 0
    with site.server() as (url, server):
        for number in range(COMMAND_ROUNDS):
            delay = site.moments.uniform(0.3 * longest, longest)
            process = site.started(*words)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=delay)
            alive += process.poll() is None
            process.kill()
            process.wait()
            with _told(f"round {number}, killed after {delay:.3f} s"):
                site.check(url)
        server.kill()
    with site.server() as (url, _):
        site.check(url)
    return alive


def test_imports(site: Site, figures: dict[str, str]) -> None:
    folder = site.folder / "wheels"
    folder.mkdir()
    made = dict(wheel(number) for number in range(60))
    for name, data in made.items():
        (folder / name).write_bytes(data)
    measured = Site(folder=site.folder / "measured", moments=site.moments)
    measured.folder.mkdir()
    began = time.monotonic()
    measured.command("import", str(folder))
    alive = killed_commands(site, "import", str(folder), longest=time.monotonic() - began)
    site.command("import", str(folder))
    site.promised.update(made)
    with site.server() as (url, _):
        site.check(url)
    figures["kills of an import"] = f"{COMMAND_ROUNDS}, {alive} before its end"


def test_reinspection(site: Site, figures: dict[str, str]) -> None:
    folder = site.folder / "wheels"
    folder.mkdir()
    for name, data in (wheel(number, native=True) for number in range(6)):
        (folder / name).write_bytes(data)
    site.command("import", str(folder), "--needs", "x86_64_v3")
    began = time.monotonic()
    site.command("reinspect", "--all")
    alive = killed_commands(site, "reinspect", "--all", longest=time.monotonic() - began)
    site.command("reinspect", "--all")
    figures["kills of a reinspection"] = f"{COMMAND_ROUNDS}, {alive} before its end"


class Deletions:
    """Deletes releases until the server is gone; what was answered, and what was only asked for."""

    def __init__(self, url: str, token: str, versions: Iterator[str]) -> None:
        self._url = url
        self._auth = ("__token__", token)
        self._versions = versions
        self._lock = threading.Lock()
        self.answered: set[str] = set()
        self.asked: set[str] = set()
        self._threads = [threading.Thread(target=self._run) for _ in range(3)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while (version := self._next()) is not None:
                address = f"/api/v1/projects/killed/releases/{version}"
                try:
                    sent = client.delete(address, params={"why": "broken"}, auth=self._auth)
                except httpx.TransportError:
                    return
                if sent.status_code == 200:
                    self.answered.add(version)
                else:
                    assert sent.json()["code"] == "catalog-changed", sent.text

    def _next(self) -> str | None:
        with self._lock:
            version = next(self._versions, None)
            if version is not None:
                self.asked.add(version)
            return version

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_deletions(site: Site, figures: dict[str, str]) -> None:
    """Beside uploads: what was deleted is gone, what nobody asked to delete is whole, of the rest one or the other."""
    token = site.command("token", "create", "--project", "killed", "--scope", "admin", "--scope", "upload").strip()
    folder = site.folder / "wheels"
    folder.mkdir()
    names = {f"1.{number}": wheel(number) for number in range(20 * DELETION_ROUNDS)}
    for name, data in names.values():
        (folder / name).write_bytes(data)
    site.command("import", str(folder))
    site.promised.update(names.values())
    gone: set[str] = set()
    left, last = iter(names), len(names)
    for number in range(DELETION_ROUNDS):
        delay = site.moments.uniform(0.02, 0.6)
        with site.server() as (url, process):
            uploads, deletions = Uploads(site, url, token, last), Deletions(url, token, left)
            time.sleep(delay)
            process.kill()
            deletions.join()
            last = uploads.ended()
        gone |= {names[version][0] for version in deletions.answered}
        for version in deletions.asked:
            site.promised.pop(names[version][0], None)
        with site.server() as (url, _), _told(f"round {number}, killed after {delay:.3f} s"):
            assert not gone & site.check(url)
    site.command("sweep", "--older-than", "0h")
    with open_home(site.home) as home:
        young = timedelta(0)
        assert [one for one in Verification(home=home, young=young).findings() if one.kind == "orphan"] == []
    with site.server() as (url, _):
        assert not gone & site.check(url)
    assert gone
    figures["deletions answered 200 and gone after kills"] = f"{len(gone)}, {DELETION_ROUNDS} kills"
