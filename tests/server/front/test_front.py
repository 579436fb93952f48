"""The front answers as the application behind it would, at once, and never with what was true before."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import zstandard

from cpufit_server.front import app as front_app
from cpufit_server.front.wishes import Wishes
from cpufit_wheelhouse.catalog import Catalog, PolicyChange

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
JSON = "application/vnd.pypi.simple.v1+json"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV_AGENT = "uv/0.13.9"
TOLD = 'pip/26.3 {"user_data":"cpufit=x86_64_v3"}'


def behind(server: Any, path: str, headers: Mapping[str, str]) -> httpx.Response:
    """Return what the application behind the front answers."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=server.app)
        async with httpx.AsyncClient(transport=transport, base_url=server.client.base_url) as client:
            return await client.get(path, headers=dict(headers))

    return asyncio.run(ask())


@dataclass
class Asked:
    """The paths that went on to the application behind."""

    paths: list[str] = field(default_factory=list)
    filling: int = 0
    fronts: set[front_app.Front] = field(default_factory=set)

    def settle(self) -> None:
        """Wait until what was answered is kept: that happens behind the answer's back."""
        until = time.monotonic() + 20
        while self.filling:
            assert time.monotonic() < until
            time.sleep(0.002)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    real = front_app.Front._ask_back

    async def counting(self: Any, key: Any, scope: Any, receive: Any, send: Any) -> None:
        found.paths.append(scope["path"])
        found.fronts.add(self)
        found.filling += 1
        try:
            await real(self, key, scope, receive, send)
        finally:
            found.filling -= 1

    monkeypatch.setattr(front_app.Front, "_ask_back", counting)
    return found


@pytest.fixture
def variants(server: Any, make_wheel: Callable[..., Any]) -> Any:
    """A project whose plain page lists a selector."""
    for cpu in ("x86_64_v2", "x86_64_v3"):
        wheel = make_wheel(tags=LINUX, native=True, extra=cpu.encode())
        assert server.upload(wheel, cpufit_needs=cpu).status_code == 200
    return server


_CLIENTS: Mapping[str, Mapping[str, str]] = {
    "nothing": {"accept": "*/*", "user-agent": "x", "accept-encoding": "identity"},
    "pip": {"accept": PIP, "user-agent": "pip/26.3 {}", "accept-encoding": "gzip, deflate"},
    "told": {"accept": PIP, "user-agent": TOLD, "accept-encoding": "gzip"},
    "uv": {"accept": PIP, "user-agent": UV_AGENT, "accept-encoding": "gzip, deflate, zstd"},
    "html": {"accept": "text/html", "user-agent": "x", "accept-encoding": "identity"},
    "none": {"accept": "image/png", "user-agent": "x", "accept-encoding": "identity"},
}
_PATHS = (
    *("/simple/fast/", "/simple/fast", "/simple/Fast/", "/simple/missing/", "/simple/", "/simple"),
    *("/cpu/x86_64_v2/simple/fast/", "/cpu/x86_64_v1/simple/fast", "/cpu/nonsense/simple/fast/"),
)


@pytest.mark.parametrize("client", _CLIENTS)
def test_every_answer_is_that_of_the_application_behind(client: str, variants: Any) -> None:
    for path in _PATHS:
        _compare(variants, path, _CLIENTS[client])


def _compare(variants: Any, path: str, headers: Mapping[str, str]) -> None:
    known = {**headers, "if-none-match": behind(variants, path, headers).headers.get("etag", '"none"')}
    for sent in (headers, headers, headers, known, known, {**headers, "if-none-match": 'W/"a", *'}):
        answer, wanted = variants.client.get(path, headers=sent), behind(variants, path, sent)
        assert answer.status_code == wanted.status_code
        assert _comparable(answer) == _comparable(wanted)
        assert _fresh_removed(answer.content) == _fresh_removed(wanted.content)


def _comparable(answer: httpx.Response) -> dict[str, str]:
    own = ("date", "connection", "x-request-id")
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    if headers.get("cache-control") == "no-store" and "content-encoding" in headers:
        # a page with gaps is compressed in another way
        headers.pop("content-length")
    return headers


def _fresh_removed(body: bytes) -> bytes:
    return re.sub(rb"(selectors/[0-9a-f]{64}/)[A-Za-z0-9_-]{22}", rb"\1", body)


def _unpacked(body: bytes, coding: str) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return gzip.decompress(body) if coding == "gzip" else body


class TestReadyPages:
    def test_the_second_request_asks_nobody(self, variants: Any, asked: Asked) -> None:
        for _ in range(5):
            variants.page("/cpu/x86_64_v3/simple/fast/")
            asked.settle()
        assert asked.paths == ["/cpu/x86_64_v3/simple/fast/"]

    @pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
    def test_a_selectors_address_is_new_each_time(
        self, encoding: str, variants: Any, asked: Asked, make_wheel: Callable[..., Any]
    ) -> None:
        # a page that is worth compressing
        for number in range(5):
            assert variants.upload(make_wheel(version=f"0.{number}")).status_code == 200
        seen: set[str] = set()
        page: dict[str, Any] = {}
        for _ in range(6):
            asked.settle()
            headers = {"Accept": JSON, "User-Agent": "pip/26.3", "Accept-Encoding": encoding}
            with variants.client.stream("GET", "/simple/fast/", headers=headers) as answer:
                raw = b"".join(answer.iter_raw())
            assert int(answer.headers["content-length"]) == len(raw)
            assert answer.headers.get("content-encoding", "identity") == encoding
            page = json.loads(_unpacked(raw, encoding))
            (selector,) = [file["url"] for file in page["files"] if file["filename"].endswith(".tar.gz")]
            seen.add(selector)
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers
        assert len(seen) == 6
        # the first page made the selector, and so was older than the project when it was out
        assert asked.paths == ["/simple/fast/"] * 2
        fetched = variants.client.get(f"/simple/fast/{seen.pop()}")
        assert hashlib.sha256(fetched.content).hexdigest() == page["files"][-1]["hashes"]["sha256"]

    def test_an_upload_is_on_the_page_at_once(self, server: Any, make_wheel: Callable[..., Any]) -> None:
        for number in range(5):
            server.upload(make_wheel(version=f"1.{number}"))
            assert len(server.names()) == len(server.names()) == number + 1

    def test_what_another_process_commits_is_on_the_page_at_once(
        self, server: Any, make_wheel: Callable[..., Any]
    ) -> None:
        filename, data = make_wheel()
        server.upload((filename, data))
        assert server.names() == server.names() == [filename]
        with Catalog.open(f"sqlite:///{server.home.path / 'catalog.sqlite3'}") as other:
            other.hidings.hide("fast", hashlib.sha256(data).hexdigest(), who="somebody", why="a test")
            assert server.names() == []
            other.hidings.show("fast", hashlib.sha256(data).hexdigest())
        assert server.names() == [filename]

    def test_unmet_demands_are_counted_for_each_request(self, variants: Any, asked: Asked) -> None:
        told = []
        variants.app.state.services.demands.count = lambda demand, client: told.append((demand.project, client))
        for _ in range(3):
            variants.page("/cpu/x86_64_v1/simple/fast/")
            asked.settle()
        assert told == [("fast", "127.0.0.1")] * 3
        assert len(asked.paths) == 1

    def test_a_head_has_no_body(self, variants: Any) -> None:
        variants.page("/cpu/x86_64_v3/simple/fast/")
        whole = variants.client.get("/cpu/x86_64_v3/simple/fast/")
        for _ in range(2):
            head = variants.client.head("/cpu/x86_64_v3/simple/fast/")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == whole.headers["content-length"]

    def test_what_is_kept_is_bounded(
        self, tmp_path: Any, run_server: Callable[..., Any], make_wheel: Callable[..., Any], asked: Asked
    ) -> None:
        with run_server(tmp_path / "home", front_bytes=0) as server:
            server.upload(make_wheel())
            for _ in range(2):
                server.names()
                asked.settle()
        assert asked.paths == ["/simple/fast/", "/simple/fast/"]


def test_what_makes_a_page_anew_each_time_weighs_as_much_as_the_page(variants: Any, asked: Asked) -> None:
    headers = {"Accept": JSON, "User-Agent": "pip/26.3"}
    for _ in range(2):
        variants.client.get("/simple/fast/", headers=headers)
        asked.settle()
    page = variants.client.get("/simple/fast/", headers=headers)
    (front,) = asked.fronts
    (ready,) = front._answers._kept.values()
    assert ready.fresh is not None
    assert ready.weight > int(page.headers["content-length"])


class TestReadyFiles:
    @pytest.mark.parametrize("size", [10, 300_000, 3_000_000])
    def test_a_file_comes_whole_and_asks_nobody_twice(
        self, size: int, server: Any, make_wheel: Callable[..., Any], asked: Asked
    ) -> None:
        filename, data = make_wheel(extra=hashlib.shake_128(b"").hexdigest(size // 2).encode())
        server.upload((filename, data))
        path = f"/files/{hashlib.sha256(data).hexdigest()}/{filename}"
        first = server.client.get(path)
        asked.settle()
        second = server.client.get(path)
        assert first.content == second.content == data
        assert _comparable(second) == _comparable(first)
        assert server.client.head(path).headers["content-length"] == str(len(data))
        known = server.client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        assert asked.paths == [path]
        tail = server.client.get(path, headers={"Range": "bytes=-5"})
        assert (tail.status_code, tail.content) == (206, data[-5:])

    def test_metadata_too(self, server: Any, make_wheel: Callable[..., Any], asked: Asked) -> None:
        filename, data = make_wheel()
        server.upload((filename, data))
        path = f"/files/{hashlib.sha256(data).hexdigest()}/{filename}.metadata"
        for _ in range(3):
            assert server.client.get(path).text.startswith("Metadata-Version")
            asked.settle()
        assert asked.paths == [path]

    def test_a_file_that_is_not_to_be_had_any_more_is_not_sent(
        self, server: Any, make_wheel: Callable[..., Any]
    ) -> None:
        filename, data = make_wheel(tags=LINUX, native=True)
        server.home.catalog.ensure_project("fast", PolicyChange(unknown="allow"))
        server.upload((filename, data))
        path = f"/files/{hashlib.sha256(data).hexdigest()}/{filename}"
        assert server.client.get(path).status_code == server.client.get(path).status_code == 200
        server.home.catalog.set_policy("fast", PolicyChange(unknown="refuse"))
        need = server.home.catalog.files("fast")[0].need
        assert server.client.get(path).status_code == (404 if need is None else 200)

    def test_a_missing_file_is_not_kept(self, server: Any, asked: Asked) -> None:
        path = f"/files/{'0' * 64}/fast-1.0-py3-none-any.whl"
        assert [server.client.get(path).status_code for _ in range(2)] == [404, 404]
        assert asked.paths == [path, path]


def test_what_is_kept_does_not_grow_with_what_a_client_makes_up(
    server: Any, make_wheel: Callable[..., Any], asked: Asked
) -> None:
    assert server.upload(make_wheel()).status_code == 200
    long = f"/cpu/{'x' * 2000}/simple/fast/"
    for _ in range(2):
        assert server.client.get(long).status_code == 200
    assert asked.paths == [], "it went past the front"
    wishes = Wishes(server.settings)
    usual = wishes.of(PIP.encode(), b"gzip", TOLD.encode())
    longer = wishes.of(PIP.encode(), b"gzip", TOLD.encode() + b" " * 100_000)
    assert usual is not None
    assert longer is not None
    assert len(wishes) == 1
    assert wishes.of(PIP.encode(), b"gzip", TOLD.encode()) is usual
