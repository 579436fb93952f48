"""What passed through is answered by the front, for as long as the application behind would answer the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.server.upstream_index import UpstreamIndex, eventually, kept, sha256

from cpufit_resolver.need import parse_need
from cpufit_server.front.app import Front
from cpufit_server.upstream import pages as upstream_pages
from cpufit_wheelhouse.inspection.verdict import Verdict

WHEEL = "other-1.0-py3-none-any.whl"
PAGE = "/simple/other/"
LINUX = "cp311-cp311-manylinux_2_17_x86_64"


@dataclass
class Behind:
    """The paths that went on to the application behind the front."""

    paths: list[str] = field(default_factory=list)
    filling: int = 0

    def settled(self) -> list[str]:
        """Return them when everything that was answered is kept, and forget them."""
        assert eventually(lambda: self.filling == 0)
        found, self.paths = self.paths, []
        return found


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Behind:
    found, real = Behind(), Front._ask_back

    async def counting(self: Any, key: Any, scope: Any, receive: Any, send: Any) -> None:
        found.paths.append(scope["path"])
        found.filling += 1
        try:
            await real(self, key, scope, receive, send)
        finally:
            found.filling -= 1

    monkeypatch.setattr(Front, "_ask_back", counting)
    return found


@pytest.fixture
def running(tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]) -> Callable[..., Any]:
    """Run our server in front of the index; always the same home."""
    return lambda **settings: run_server(tmp_path / "home", upstream=index.simple, **settings)


def headers_of(answer: Any) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}


class TestPages:
    def test_a_fresh_page_asks_nobody_again(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        index.add("other", WHEEL, b"x")
        with running() as server:
            first = server.client.get(PAGE)
            assert behind.settled() == [PAGE]
            second = server.client.get(PAGE)
            assert second.content == first.content
            assert headers_of(second) == headers_of(first)
            known = server.client.get(PAGE, headers={"If-None-Match": first.headers["etag"]})
            assert (known.status_code, known.content) == (304, b"")
            assert behind.settled() == []
        assert index.counts() == {PAGE: 1}

    def test_it_is_asked_for_again_when_it_is_not_fresh_any_more(
        self,
        running: Callable[..., Any],
        index: UpstreamIndex,
        behind: Behind,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        index.add("other", WHEEL, b"x")
        with running(upstream_metadata=False) as server:
            assert server.names(PAGE) == [WHEEL]
            assert behind.settled() == [PAGE]
            index.add("other", "other-2.0-py3-none-any.whl", b"y")
            assert server.names(PAGE) == [WHEEL]
            monkeypatch.setattr(upstream_pages, "time", _Later(server.settings.upstream_fresh_seconds + 1))
            assert len(server.names(PAGE)) == 2
            assert behind.settled() == [PAGE]

    def test_one_that_is_never_fresh_is_never_kept(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        index.page_headers = {"Cache-Control": "no-cache"}
        index.add("other", WHEEL, b"x")
        with running() as server:
            assert server.names(PAGE) == server.names(PAGE)
        assert behind.settled() == [PAGE, PAGE]

    def test_one_that_stands_in_tells_its_age_each_time(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        index.page_headers = {"Cache-Control": "no-cache"}
        index.add("other", WHEEL, b"x")
        with running() as server:
            server.names(PAGE)
            index.down = True
            for _ in range(3):
                assert server.client.get(PAGE).headers["x-cpufit-upstream"].startswith("stale; age=")
                assert behind.settled()[-1:] == [PAGE]

    def test_a_project_that_becomes_hosted_is_ours_at_once(
        self, running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any], behind: Behind
    ) -> None:
        index.add("fast", "fast-9.0-py3-none-any.whl", b"x")
        with running() as server:
            assert server.names() == ["fast-9.0-py3-none-any.whl"]
            behind.settled()
            filename, data = make_wheel()
            assert server.upload((filename, data)).status_code == 200
            assert server.names() == server.names() == [filename]

    def test_what_is_found_out_is_on_the_next_page(
        self, running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any], behind: Behind
    ) -> None:
        filename, data = make_wheel(name="other", tags=LINUX, native=True)
        url = index.add("other", filename, data)
        with running() as server:
            (entry,) = server.page(PAGE)["files"]
            assert "core-metadata" not in entry
            behind.settled()
            assert server.client.get(url).content == data
            assert eventually(lambda: "core-metadata" in server.page(PAGE)["files"][0])
            told = parse_need("x86_64_v3", frozenset({"x86_64"}))
            # as the inspection's worker does
            server.app.state.services.upstream._known.learn("other", filename, sha256(data), verdict=Verdict(need=told))
            assert server.names(PAGE) == []
            assert server.names("/cpu/x86_64_v2/simple/other/") == []
            assert server.names("/cpu/x86_64_v3/simple/other/") == [filename]
            behind.settled()
            assert server.names("/cpu/x86_64_v3/simple/other/") == [filename]
            assert server.names("/cpu/x86_64_v2/simple/other/") == []
            assert behind.settled() == []

    def test_while_wheels_are_held_each_page_asks_for_them(
        self, running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any], behind: Behind
    ) -> None:
        filename, data = make_wheel(name="other", tags=LINUX, native=True)
        url = index.add("other", filename, data)
        index.files.clear()
        with running(upstream_inspect=True, upstream_unknown="hold") as server:
            assert server.names(PAGE) == []
            assert eventually(lambda: index.counts()[f"/files/{filename}"] == 1)
            behind.settled()
            assert server.names(PAGE) == []
            assert behind.settled() == [PAGE]
            assert server.client.get(url).status_code == 404

    def test_nothing_is_kept_where_nothing_may_be(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        index.add("other", WHEEL, b"x")
        with running(front_bytes=0) as server:
            assert server.names(PAGE) == server.names(PAGE) == [WHEEL]
        assert behind.settled() == [PAGE, PAGE]


class _Later:
    """The module ``time`` at a later moment."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._seconds

    def time(self) -> float:
        return time.time() + self._seconds


class TestFiles:
    @pytest.mark.parametrize("size", [10, 3_000_000])
    def test_one_that_came_once_asks_nobody_again(
        self, size: int, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        data = os.urandom(size)
        url = index.add("other", "other-1.0.tar.gz", data)
        with running() as server:
            first = server.client.get(url)
            assert behind.settled() == [url]
            second = server.client.get(url)
            assert first.content == second.content == data
            assert headers_of(second) == headers_of(first)
            assert server.client.head(url).headers["content-length"] == str(size)
            assert server.client.get(url, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
            assert behind.settled() == []
            assert server.client.get(url, headers={"Range": "bytes=-5"}).content == data[-5:]

    def test_one_is_not_kept_under_names_that_no_page_has(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        url = index.add("other", "other-1.0.tar.gz", b"x")
        with running() as server:
            assert server.client.get(url).content == b"x"
            behind.settled()
            for made_up in (url.replace("other-1.0", "other-1.1"), url.replace("/other/", "/another/")):
                for _ in range(2):
                    assert server.client.get(made_up).content == b"x"
                    assert behind.settled() == [made_up]

    def test_so_does_metadata(
        self, running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any], behind: Behind
    ) -> None:
        filename, data = make_wheel(name="other")
        url = index.add("other", filename, data)
        with running() as server:
            server.client.get(url)
            assert eventually(lambda: "core-metadata" in server.page(PAGE)["files"][0])
            first = server.client.get(f"{url}.metadata")
            assert first.text.startswith("Metadata-Version")
            assert first.headers["etag"] == f'"{sha256(data)}-metadata"'
            behind.settled()
            second = server.client.get(f"{url}.metadata")
            assert second.content == first.content
            assert headers_of(second) == headers_of(first)
            assert behind.settled() == []

    def test_each_reading_counts_as_a_use(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        url = index.add("other", "other-1.0.tar.gz", b"x")
        with running() as server:
            server.client.get(url)
            behind.settled()
            (path,) = (server.settings.home / "upstream" / "files" / "kept").rglob(sha256(b"x"))
            os.utime(path, (1, 1))
            server.client.get(url)
            assert behind.settled() == []
            assert path.stat().st_mtime > 1

    def test_one_that_was_evicted_is_fetched_anew(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        bodies = [bytes([number]) * 1_000_000 for number in range(4)]
        urls = [index.add("other", f"other-{number}.tar.gz", body) for number, body in enumerate(bodies)]
        with running(upstream_cache_bytes=2_500_000) as server:
            for url, body in zip(urls, bodies, strict=True):
                assert server.client.get(url).content == body
                behind.settled()
            assert sha256(bodies[0]) not in kept(server)
            assert server.client.get(urls[0]).content == bodies[0]
            assert behind.settled() == [urls[0]]
        assert index.counts()["/files/other-0.tar.gz"] == 2

    def test_offline_it_is_had_without_asking_and_what_is_not_here_is_not(
        self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind
    ) -> None:
        url = index.add("other", WHEEL, b"x")
        missing = index.add("other", "other-2.0-py3-none-any.whl", b"y")
        with running() as server:
            server.client.get(url)
            assert server.names(PAGE) == [WHEEL, "other-2.0-py3-none-any.whl"]
        index.asked.clear()
        behind.settled()
        with running(upstream_offline=True) as server:
            for _ in range(3):
                assert server.names(PAGE) == [WHEEL]
                assert server.client.get(url).content == b"x"
                behind.settled()
            assert server.names(PAGE) == [WHEEL]
            assert server.client.get(url).content == b"x"
            assert behind.settled() == []
            assert [server.client.get(missing).status_code for _ in range(2)] == [404, 404]
        assert index.asked == []

    def test_a_wheel_that_waits_for_its_inspection_is_not_kept(
        self,
        running: Callable[..., Any],
        index: UpstreamIndex,
        make_wheel: Callable[..., Any],
        behind: Behind,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        filename, data = make_wheel(name="other", tags=LINUX, native=True)
        url = index.add("other", filename, data)
        with running(upstream_inspect=True) as server:
            upstream = server.app.state.services.upstream
            monkeypatch.setattr(upstream._inspections, "consider", lambda *_: None)
            for _ in range(2):
                assert server.client.get(url).content == data
                assert behind.settled() == [url]
            upstream._known.learn("other", filename, sha256(data), verdict=Verdict(need=None))
            server.client.get(url)
            assert behind.settled() == [url]
            server.client.get(url)
            assert behind.settled() == []

    def test_a_wrong_one_is_not_kept(self, running: Callable[..., Any], index: UpstreamIndex, behind: Behind) -> None:
        url = index.add("other", "other-1.0.tar.gz", b"right")
        index.files["/files/other-1.0.tar.gz"] = b"wrong"
        with running() as server:
            for _ in range(2):
                with pytest.raises(Exception, match=r"peer closed|disconnected"):
                    server.client.get(url)
                assert behind.settled() == [url]


def test_nothing_is_ready_where_reading_is_private(
    running: Callable[..., Any], index: UpstreamIndex, behind: Behind
) -> None:
    url = index.add("other", WHEEL, b"x")
    with running(private_reading=True) as server:
        login = ("__token__", server.home.catalog.create_token(None, "reader", scopes=frozenset({"read"})))
        for path in (PAGE, url):
            assert [server.client.get(path, auth=login).status_code for _ in range(2)] == [200, 200]
            assert server.client.get(path).status_code == 401
    assert behind.settled() == []
