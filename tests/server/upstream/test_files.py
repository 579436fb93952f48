"""Files of the upstream: fetched once, read while they come, kept within a quota."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from tests.server.upstream_index import UpstreamIndex, eventually, kept, sha256, staged, upstream_server

from cpufit_server.upstream.parts import Parts
from cpufit_wheelhouse.pullthrough import FileCache, Reading
from cpufit_wheelhouse.simple_page import PageFile

if TYPE_CHECKING:
    from cpufit_server.upstream.client import UpstreamClient

DATA = random.Random(7).randbytes(3_000_000)
SDIST = "other-1.0.tar.gz"
WHEEL = "other-1.0-py3-none-any.whl"


def test_a_file_is_fetched_once_and_then_cached(passing: Any, index: UpstreamIndex) -> None:
    url = index.add("other", SDIST, DATA)
    answer = passing.client.get(url)
    assert answer.content == DATA
    assert answer.headers["cache-control"] == "public, max-age=365000000, immutable"
    assert (answer.headers["etag"], answer.headers["content-length"]) == (f'"{sha256(DATA)}"', str(len(DATA)))
    assert eventually(lambda: kept(passing) == [sha256(DATA)])
    index.down = True
    again = passing.client.get(url)
    assert again.content == DATA
    own = {"date": "", "x-request-id": ""}
    assert dict(again.headers) | own == dict(answer.headers) | own
    assert index.counts()[f"/files/{SDIST}"] == 1
    assert passing.client.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert staged(passing) == []


def test_a_file_that_comes_in_between_two_looks_is_not_fetched_again(
    passing: Any, index: UpstreamIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = index.add("other", SDIST, DATA)
    assert passing.client.get(url).content == DATA
    assert eventually(lambda: kept(passing) == [sha256(DATA)])
    looks: list[str] = []
    real = FileCache.open

    def overtaken(cache: FileCache, sha256: str) -> Reading | None:
        looks.append(sha256)
        return None if len(looks) == 1 else real(cache, sha256)

    monkeypatch.setattr(FileCache, "open", overtaken)
    assert passing.client.get(url).content == DATA
    assert index.counts()[f"/files/{SDIST}"] == 1


def test_many_clients_of_a_cold_file_cause_one_fetch_and_get_bytes_while_it_comes(
    passing: Any, index: UpstreamIndex
) -> None:
    url = index.add("other", SDIST, DATA)
    index.gate = threading.Event()
    halfway = threading.Barrier(21)

    def client(_: int) -> bytes:
        found = b""
        with passing.client.stream("GET", url) as answer:
            for piece in answer.iter_raw():
                before, found = len(found), found + piece
                if before < 1_000_000 <= len(found):
                    halfway.wait(30)
        return found

    with ThreadPoolExecutor(20) as clients:
        running = [clients.submit(client, number) for number in range(20)]
        halfway.wait(30)  # each of them has a third, and the upstream has not sent the rest
        index.gate.set()
        assert all(one.result() == DATA for one in running)
    assert index.counts()[f"/files/{SDIST}"] == 1


def test_a_client_that_goes_away_does_not_end_the_fetch(passing: Any, index: UpstreamIndex) -> None:
    url = index.add("other", SDIST, DATA)
    index.gate = threading.Event()
    with passing.client.stream("GET", url) as answer:
        next(answer.iter_raw())
    index.gate.set()
    assert eventually(lambda: kept(passing) == [sha256(DATA)])


def test_files_that_nobody_waits_for_do_not_pile_up(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]
) -> None:
    urls = [index.add("other", f"other-{number}.tar.gz", DATA + bytes([number])) for number in range(4)]
    limits = {"upstream_max_downloads": 1, "upstream_max_waiting": 1}
    with run_server(tmp_path / "home", upstream=index.simple, **limits) as server:
        index.gate = threading.Event()
        with server.client.stream("GET", urls[0]) as answer:
            next(answer.iter_raw())
        with pytest.raises(httpx.ReadTimeout):
            server.client.get(urls[1], timeout=0.5)
        for url in urls[2:]:
            refused = server.client.get(url)
            assert (refused.status_code, refused.json()["code"]) == (502, "upstream-failed")
            assert "too many files wait" in refused.json()["message"]
        assert len(staged(server)) == 2
        index.gate.set()
        assert eventually(lambda: len(kept(server)) == 2)
        assert server.client.get(urls[3]).content == DATA + b"\x03"


def test_parts_of_files_are_asked_for_some_at_a_time() -> None:
    asked: list[int] = []
    most = 0

    class Client:
        async def part(self, filename: str, url: str, start: int, stop: int) -> bytes:
            nonlocal most
            assert (filename, url, stop) == ("other-1.0.tar.gz", "https://a.example/", start + 1)
            asked.append(start)
            most = max(most, len(asked))
            await asyncio.sleep(0)
            asked.remove(start)
            return bytes([start])

    async def all_at_once() -> list[bytes]:
        file = PageFile(filename="other-1.0.tar.gz", url="https://a.example/", hashes={"sha256": "0" * 64})
        parts = Parts(cast("UpstreamClient", Client()), at_once=3)
        return await asyncio.gather(*(parts.get(file, start, start + 1) for start in range(20)))

    assert asyncio.run(all_at_once()) == [bytes([start]) for start in range(20)]
    assert most == 3


def test_a_connection_that_breaks_goes_on_from_there(passing: Any, index: UpstreamIndex) -> None:
    url = index.add("other", SDIST, DATA)
    index.cuts_after = 1_000_000
    assert passing.client.get(url).content == DATA
    first, *more = (headers.get("range") for path, headers in index.asked if path.startswith("/files/"))
    assert first is None
    assert more
    assert None not in more, "what came is not fetched again"


@pytest.mark.parametrize("upstream_ranges", [True, False])
def test_ranges_of_a_cold_and_of_a_cached_file(passing: Any, index: UpstreamIndex, upstream_ranges: bool) -> None:
    url = index.add("other", SDIST, DATA)
    index.ranges = upstream_ranges
    for _ in ("cold", "cached"):
        tail = passing.client.get(url, headers={"Range": "bytes=-1000"})
        assert (tail.status_code, tail.content) == (206, DATA[-1000:])
        assert tail.headers["content-range"] == f"bytes {len(DATA) - 1000}-{len(DATA) - 1}/{len(DATA)}"
        resumed = {"Range": "bytes=2000000-", "If-Range": f'"{sha256(DATA)}"'}
        assert passing.client.get(url, headers=resumed).content == DATA[2_000_000:]
        other = {"Range": "bytes=2000000-", "If-Range": '"other"'}
        assert passing.client.get(url, headers=other).content == DATA
        beyond = passing.client.get(url, headers={"Range": f"bytes={len(DATA)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(DATA)}")
        assert eventually(lambda: kept(passing) == [sha256(DATA)])
    whole = [headers for path, headers in index.asked if path == f"/files/{SDIST}" and "range" not in headers]
    assert len(whole) == 1


@pytest.mark.parametrize("told", [True, False])
def test_head_of_a_cold_file_tells_its_size(passing: Any, index: UpstreamIndex, told: bool) -> None:
    url = index.add("other", SDIST, DATA, **({} if told else {"size": None}))
    answer = passing.client.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == (str(len(DATA)), "bytes")


def test_the_cache_keeps_within_its_quota_and_serves_what_it_evicted_anew(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]
) -> None:
    bodies = [bytes([number]) * 1_000_000 for number in range(5)]
    urls = [index.add("other", f"other-{number}.tar.gz", body) for number, body in enumerate(bodies)]
    with run_server(tmp_path / "home", upstream=index.simple, upstream_cache_bytes=2_500_000) as server:
        for url, body in zip(urls, bodies, strict=True):
            assert server.client.get(url).content == body
            assert eventually(lambda body=body: sha256(body) in kept(server))  # type: ignore[misc]  # a default
        assert eventually(lambda: len(kept(server)) <= 2), "the last one makes room when it is in"
        assert server.client.get(urls[0]).content == bodies[0]
    assert index.counts()["/files/other-0.tar.gz"] == 2


def test_credentials_go_to_the_files_of_the_same_origin_and_to_nobody_else(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    index.login = "someone:s3cret"
    with upstream_server() as foreign:
        elsewhere = foreign.add("other", "other-2.0.tar.gz", b"far away")
        here = index.add("other", SDIST, DATA)
        index.pages["other"].append({**foreign.pages["other"][0], "url": f"{foreign.url}/files/other-2.0.tar.gz"})
        upstream = index.simple.replace("http://", "http://someone:s3cret@")
        with run_server(tmp_path / "home", upstream=upstream) as server:
            page = server.client.get("/simple/other/", headers={"Accept": "text/html"}).text
            assert server.client.get(here).content == DATA
            assert server.client.get(elsewhere).content == b"far away"
            index.login = "someone:changed"
            refused = server.client.get("/simple/third/")
    assert refused.status_code == 502
    assert "authorization" not in foreign.asked[0][1]
    for text in (page, refused.text, caplog.text):
        assert "s3cret" not in text


def test_credentials_come_from_netrc_too(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    index.login = "someone:s3cret"
    url = index.add("other", SDIST, DATA)
    with run_server(tmp_path / "home", upstream=index.simple) as server:
        assert server.client.get(url).content == DATA
    assert base64.b64decode(index.asked[0][1]["authorization"].removeprefix("Basic ")) == b"someone:s3cret"


def test_a_killed_server_leaves_whole_files_and_one_that_can_be_swept(tmp_path: Path, index: UpstreamIndex) -> None:
    from tests.flow.flow_server import server_environment  # noqa: PLC0415  # only here

    from cpufit_server.demo.processes import free_port  # noqa: PLC0415  # only here

    whole, partial = index.add("other", SDIST, DATA), index.add("other", "other-2.0.tar.gz", DATA + b"!")
    home, port = tmp_path / "home", free_port()

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port), "--upstream", index.simple],
            env=server_environment(home, {}),
            stderr=subprocess.DEVNULL,
        )
        assert eventually(lambda: process.poll() is not None or _healthy(port))
        return process

    process = start()
    root = f"http://127.0.0.1:{port}"
    try:
        assert httpx.get(f"{root}{whole}").content == DATA
        index.gate = threading.Event()
        with httpx.stream("GET", f"{root}{partial}") as answer:
            next(answer.iter_raw())
            process.kill()
            process.wait()
        index.gate.set()
        index.gate = None
        files = home / "upstream" / "files"
        assert [path.name for path in (files / "kept").rglob("*") if path.is_file()] == [sha256(DATA)]
        (left,) = (files / "staging").iterdir()
        os.utime(left, (0, 0))
        process = start()
        assert not left.exists()
        assert httpx.get(f"{root}{whole}").content == DATA
        assert httpx.get(f"{root}{partial}").content == DATA + b"!"
        assert index.counts()[f"/files/{SDIST}"] == 1
    finally:
        process.terminate()
        process.wait()


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
