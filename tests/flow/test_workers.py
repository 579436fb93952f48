"""Two workers and one home: what is stored agrees, one fetches for all, who dies is replaced, and all end together."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_workers import (
    MANY,
    TELLS_CHILDREN,
    WORKERS,
    Site,
    at_once,
    children,
    eventually,
    is_running,
    serving,
)
from tests.flow.test_stopping import Upload, put, wait_until_refused
from tests.server.conftest import wheel_bytes
from tests.server.upstream_index import UpstreamIndex, upstream_server

from cpufit_server.cli import main
from cpufit_wheelhouse.home import open_home

pytestmark = [pytest.mark.flow, TELLS_CHILDREN]


def test_uploads_through_all_workers_leave_one_catalog(tmp_path: Path) -> None:
    same = wheel_bytes("same", "1.0")
    rivals = [wheel_bytes("rival", "1.0", extra=bytes([number]) * 50) for number in range(MANY // 2)]
    others = [wheel_bytes(f"new{number}", "1.0") for number in range(MANY)]
    releases = [wheel_bytes("one", f"{number}.0") for number in range(MANY)]
    with serving(tmp_path) as site:
        groups = [[same] * (MANY // 2), rivals, others, releases]
        calls: list[Callable[[], int]] = [
            lambda file=file: site.upload(file)  # type: ignore[misc]
            for file in (file for group in groups for file in group)
        ]
        answers = iter(at_once(calls))
        answered = [Counter(next(answers) for _ in group) for group in groups]
        assert answered == [{200: MANY // 2}, {200: 1, 409: MANY // 2 - 1}, {200: MANY}, {200: MANY}]
        assert all(count > 0 for count in site.counted("cpufit_uploads_total"))
        pages = [site.get("/simple/one/") for _ in range(MANY)]
        assert len({(page.headers["etag"], page.content) for page in pages}) == 1
        assert pages[0].text.count("<a ") == MANY
    verified(tmp_path)


def verified(folder: Path) -> None:
    assert main(["verify", "--home", str(folder / "home")]) == 0
    assert list((folder / "home" / "staging").iterdir()) == []


def test_a_change_through_one_worker_is_seen_through_all(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        for number in range(4):
            assert site.upload(wheel_bytes("fast", f"{number}.0")) == 200
            pages = [site.get("/simple/fast/") for _ in range(MANY)]
            assert {page.text.count("<a ") for page in pages} == {number + 1}
            assert len({page.headers["etag"] for page in pages}) == 1


def test_deletions_and_uploads_at_once_are_told_and_leave_a_whole_store(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        with open_home(tmp_path / "home") as home:
            admin = home.catalog.create_token(None, "admin", scopes=frozenset({"admin"}))
        for number in range(8):
            assert site.upload(wheel_bytes("fast", f"{number}.0")) == 200

        def delete(version: int) -> int:
            address = f"{site.url}/api/v1/projects/fast/releases/{version}.0"
            return httpx.delete(
                address, params={"why": "test"}, auth=("__token__", admin), trust_env=False, timeout=60
            ).status_code

        calls: list[Callable[[], int]] = []
        for number in range(8):
            calls += [lambda number=number: delete(number)]  # type: ignore[misc]
            calls += [lambda number=number: site.upload(wheel_bytes("fast", f"{number + 10}.0"))]  # type: ignore[misc]
        answers = at_once(calls)
        assert set(answers[1::2]) == {200}
        assert all(status < 300 for status in answers[::2]), answers
        assert site.get("/simple/fast/").text.count("<a ") == 8
    verified(tmp_path)


BIG = bytes(range(256)) * 8000


@dataclass(frozen=True)
class Crowd:
    """Many who ask for a cold file of an upstream that sends nothing before its gate is opened."""

    site: Site
    asked: list[Future[httpx.Response]]
    index: UpstreamIndex
    gate: threading.Event


@contextmanager
def many_asking(folder: Path) -> Iterator[Crowd]:
    """Let many ask; every worker waits for the upstream when the block begins."""
    with upstream_server() as index:
        address = index.add("big", "big-1.0-py3-none-any.whl", BIG)
        index.gate = gate = threading.Event()
        with serving(folder, "--upstream", index.simple) as site, ThreadPoolExecutor(MANY) as people:
            asked = [people.submit(site.get, address) for _ in range(MANY)]
            staging = folder / "home" / "upstream" / "files" / "staging"
            assert eventually(lambda: staging.is_dir() and len(list(staging.iterdir())) == WORKERS)
            yield Crowd(site, asked, index, gate)


def test_a_cold_file_of_the_upstream_is_fetched_once(tmp_path: Path) -> None:
    with many_asking(tmp_path) as crowd:
        crowd.gate.set()
        assert {done.result().content for done in crowd.asked} == {BIG}
    assert crowd.index.counts()["/files/big-1.0-py3-none-any.whl"] == 1


def test_who_dies_while_it_fetches_is_followed_by_another(tmp_path: Path) -> None:
    with many_asking(tmp_path) as crowd:
        os.kill(fetching(crowd.site), signal.SIGKILL)
        crowd.gate.set()
        done = [one.result() for one in crowd.asked if not isinstance(one.exception(), httpx.TransportError)]
        assert done
        assert {answer.content for answer in done} == {BIG}
    assert crowd.index.counts()["/files/big-1.0-py3-none-any.whl"] == 2


def fetching(site: Site) -> int:
    """Return the worker that has a lock of the upstream's files."""
    place = (site.folder / "home" / "upstream" / "fetching.lock").stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "POSIX" and words[5].endswith(f":{place}"):
            return int(words[4])
    raise AssertionError("nobody has the lock")


def asked_of(site: Site) -> int:
    """Ask for a page and return the status; 0 where the connection was dropped."""
    try:
        return site.get("/simple/fast/").status_code
    except httpx.TransportError:
        return 0


def test_a_worker_that_is_killed_is_replaced_and_nobody_else_notices(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        assert site.upload(wheel_bytes("fast", "1.0")) == 200
        seen: Counter[int] = Counter()
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                seen[asked_of(site)] += 1

        people = [threading.Thread(target=ask) for _ in range(4)]
        for person in people:
            person.start()
        before = site.workers()
        os.kill(before[0], signal.SIGKILL)
        assert eventually(lambda: site.log.count("startup complete") == WORKERS + 1)
        over.set()
        for person in people:
            person.join()
        assert set(seen) <= {0, 200}
        assert seen[0] <= len(people)
        assert before[0] not in site.workers()
        assert len(site.workers()) == WORKERS
        assert "ended with status -9 and is replaced" in site.log


def test_too_many_deaths_end_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, CPUFIT_WORKER_RESTARTS_PER_MINUTE="0") as site:
        left = site.workers()
        os.kill(left[0], signal.SIGKILL)
        assert site.parent.wait(timeout=60) == 1
        assert not any(is_running(pid) for pid in left)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        left = site.workers()
        site.parent.kill()
        wait_until_refused(site.port)
        assert eventually(lambda: not any(is_running(pid) for pid in left))
    assert "Traceback" not in site.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_uploads_under_way_are_finished_when_all_stop(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, CPUFIT_STOP_GRACE_SECONDS="60") as site:
        put(site.port, site.token, wheel_bytes("fast", "1.0"))
        large = wheel_bytes("fast", "2.0", extra=os.urandom(3 * 1024**2))
        with Upload(site.port, site.token, large) as upload:
            assert eventually(lambda: any((tmp_path / "home" / "staging").iterdir())), site.log
            site.parent.send_signal(number)
            wait_until_refused(site.port)
            assert upload.finish() == 200
        assert site.parent.wait(timeout=60) == 0
    assert "Traceback" not in site.log
    with open_home(tmp_path / "home") as home:
        assert len(home.catalog.files("fast")) == 2


def test_what_a_killed_worker_held_is_taken_up_once(tmp_path: Path) -> None:
    wheel = wheel_bytes(tags="py3-none-manylinux_2_17_x86_64", native=True)
    with serving(tmp_path, CPUFIT_INSPECTION_PATIENCE="3") as site, ThreadPoolExecutor() as people:
        sent = people.submit(site.upload, wheel)
        assert eventually(lambda: bool(inspecting(site)))
        holder, inspector = inspecting(site)[0]
        os.kill(inspector, signal.SIGSTOP)  # an inspection that takes for ever
        assert sent.result() == 202
        os.kill(holder, signal.SIGKILL)
        os.kill(inspector, signal.SIGKILL)
        assert eventually(lambda: site.get("/simple/fast/").status_code == 200), site.log
        assert eventually(lambda: not list((tmp_path / "home" / "held").iterdir()))
        assert sum(site.counted("cpufit_inspections_total")) == 1
    assert "Traceback" not in site.log


def inspecting(site: Site) -> list[tuple[int, int]]:
    """Return each worker with the process that inspects for it."""
    pairs = [(worker, child) for worker in site.workers() for child in children(worker)]
    return [(one, two) for one, two in pairs if b"inspection.worker" in Path(f"/proc/{two}/cmdline").read_bytes()]
