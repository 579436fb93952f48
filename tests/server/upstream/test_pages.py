from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.server.upstream_index import UpstreamIndex

from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import Settings
from cpufit_server.upstream import pages as upstream_pages
from cpufit_server.upstream import upstream_index
from cpufit_server.upstream.freshness import lifetime_of
from cpufit_server.upstream.reading import read_page
from cpufit_wheelhouse.catalog import PolicyChange

WHEEL = "other-1.0-py3-none-any.whl"


@pytest.fixture
def passing(tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]) -> Callable[..., Any]:
    """Run our server in front of the index; always the same home."""
    return lambda **settings: run_server(tmp_path / "home", upstream=index.simple, upstream_metadata=False, **settings)


def names(server: Any, name: str = "other") -> list[str]:
    found: list[str] = server.names(f"/simple/{name}/")
    return found


def test_a_fresh_page_is_not_asked_for_again_also_after_a_restart(
    passing: Callable[..., Any], index: UpstreamIndex
) -> None:
    index.add("other", WHEEL, b"x")
    with passing() as server:
        assert names(server) == names(server) == [WHEEL]
    with passing() as server:
        assert names(server) == [WHEEL]
    assert index.counts() == {"/simple/other/": 1}


def test_an_old_page_is_revalidated_by_its_validators(passing: Callable[..., Any], index: UpstreamIndex) -> None:
    index.page_headers = {"Cache-Control": "max-age=0", "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}
    index.add("other", WHEEL, b"x")
    with passing() as server:
        assert names(server) == names(server) == [WHEEL]
        first, second = (headers for _, headers in index.asked)
        assert "if-none-match" not in first
        assert second["if-none-match"].startswith('"')
        assert second["if-modified-since"] == index.page_headers["Last-Modified"]
        index.add("other", "other-2.0-py3-none-any.whl", b"y")
        assert len(names(server)) == 2


def test_a_page_that_comes_again_as_it_was_is_not_read_again(
    passing: Callable[..., Any], index: UpstreamIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.page_headers = {"Cache-Control": "max-age=0", "ETag": '"another one each time"'}
    index.add("other", WHEEL, b"x")
    read = []

    def counting(name: str, *arguments: Any) -> Any:
        read.append(name)
        return read_page(name, *arguments)

    monkeypatch.setattr(upstream_pages, "read_page", counting)
    with passing() as server:
        assert names(server) == names(server) == [WHEEL]
        assert (read, index.counts()) == (["other"], {"/simple/other/": 2})
        index.add("other", "other-2.0-py3-none-any.whl", b"y")
        assert len(names(server)) == 2
    assert read == ["other", "other"]


def test_a_stored_page_stands_in_for_an_upstream_that_fails_and_says_so(
    passing: Callable[..., Any], index: UpstreamIndex, caplog: pytest.LogCaptureFixture
) -> None:
    index.page_headers = {"Cache-Control": "no-cache"}
    index.add("other", WHEEL, b"x")
    with passing() as server:
        assert "x-cpufit-upstream" not in server.client.get("/simple/other/").headers
        index.down = True
        with caplog.at_level(logging.WARNING):
            answer = server.client.get("/simple/other/")
        assert answer.status_code == 200
        assert answer.headers["x-cpufit-upstream"].startswith("stale; age=")
        assert "stands in" in caplog.text
        asked = len(index.asked)
        assert names(server) == [WHEEL]
        assert len(index.asked) == asked, "an upstream that fails is left alone for a while"


def test_a_page_that_is_too_old_stands_in_for_nothing(passing: Callable[..., Any], index: UpstreamIndex) -> None:
    index.page_headers = {"Cache-Control": "max-age=0"}
    index.add("other", WHEEL, b"x")
    with passing(upstream_stale_seconds=0) as server:
        assert names(server) == [WHEEL]
        index.down = True
        assert server.client.get("/simple/other/").status_code == 502


def test_a_project_that_was_taken_away_is_not_listed_from_the_store(
    passing: Callable[..., Any], index: UpstreamIndex
) -> None:
    index.page_headers = {"Cache-Control": "max-age=0"}
    index.add("other", WHEEL, b"x")
    with passing() as server:
        assert names(server) == [WHEEL]
        del index.pages["other"]
        assert server.client.get("/simple/other/").status_code == 404
        index.down = True
        assert server.client.get("/simple/other/").status_code == 404


def test_many_clients_of_a_cold_page_cause_one_request(passing: Callable[..., Any], index: UpstreamIndex) -> None:
    index.add("other", WHEEL, b"x")
    with passing() as server, ThreadPoolExecutor(20) as clients:
        found = list(clients.map(lambda _: names(server), range(40)))
    assert found == [[WHEEL]] * 40
    assert index.counts() == {"/simple/other/": 1}


def test_offline_only_what_is_cached_is_listed_and_nobody_is_asked(
    passing: Callable[..., Any], index: UpstreamIndex
) -> None:
    cached = index.add("other", WHEEL, b"x")
    index.add("other", "other-2.0-py3-none-any.whl", b"y")
    index.add("other", "other-0.1.tar.gz", b"z", hashes={})
    with passing() as server:
        assert len(names(server)) == 3
        assert server.client.get(cached).content == b"x"
    index.asked.clear()
    with passing(upstream_offline=True, upstream_fresh_seconds=0) as server:
        assert names(server) == names(server) == [WHEEL]
        assert server.client.get(cached).content == b"x"
        assert server.client.get(cached.replace("1.0", "2.0")).content == b"x", "bytes are told by their hash"
        assert server.client.get("/simple/nothing/").status_code == 404
        assert server.client.get(f"/upstream/other/{'ab' * 32}/{WHEEL}").status_code == 404
    assert index.asked == []


def test_reserved_names_are_never_asked_upstream(passing: Callable[..., Any], index: UpstreamIndex) -> None:
    for name in ("acme-core", "inner", "other"):
        index.add(name, WHEEL, b"x")
    with passing(upstream_reserved="Acme_*, inner") as server:
        for name in ("acme-core", "acme-nothing", "inner"):
            assert server.client.get(f"/simple/{name}/").status_code == 404
            assert server.client.get(f"/api/v1/projects/{name}").status_code == 404
            assert server.client.get(f"/upstream/{name}/{'ab' * 32}/{WHEEL}").status_code == 404
        assert index.asked == []
        assert names(server) == [WHEEL]


def test_a_hosted_name_is_asked_upstream_only_where_its_project_says_so(
    passing: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    ours, theirs = "fast-1.0-py3-none-any.whl", "fast-2.0-py3-none-any.whl"
    for filename in (ours, "fast-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "fast-1.tar.gz", "fast.zip", theirs):
        index.add("fast", filename, filename.encode())
    with passing() as server:
        assert server.upload(make_wheel()).status_code == 200
        assert names(server, "fast") == [ours]
        assert server.client.get(f"/upstream/fast/{'ab' * 32}/{theirs}").status_code == 404
        assert index.asked == []
        server.home.catalog.set_policy("fast", PolicyChange(upstream="merge"))
        page = server.page("/simple/fast/")
        assert [file["filename"] for file in page["files"]] == [ours, theirs]
        assert page["versions"] == ["1.0", "2.0"]
        assert page["files"][0]["url"].startswith("../../files/"), "what is hosted wins"
        assert server.client.get("/simple/fast/" + page["files"][1]["url"]).content == theirs.encode()
        assert names(server, "fast") == server.names("/cpu/x86_64_v2/simple/fast/")


def test_what_is_hosted_is_listed_while_the_upstream_of_a_merged_project_fails(
    passing: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    index.down = True
    with passing() as server:
        server.upload(make_wheel())
        server.home.catalog.set_policy("fast", PolicyChange(upstream="merge"))
        answer = server.client.get("/simple/fast/")
        assert (answer.status_code, answer.headers["x-cpufit-upstream"]) == (200, "unavailable")


def test_a_version_that_is_hosted_and_hidden_is_not_had_from_upstream(
    passing: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    index.add("fast", "fast-1.0-py3-none-any.whl", b"theirs")
    with passing() as server:
        server.upload(make_wheel())
        server.home.catalog.set_policy("fast", PolicyChange(upstream="merge"))
        (file,) = server.home.catalog.files("fast")
        server.home.catalog.hidings.hide("fast", file.sha256, who="mara", why="crashes")
        assert names(server, "fast") == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"cache-control": "max-age=300"}, 300),
        ({"cache-control": "max-age=300, public", "age": "100"}, 200),
        ({"cache-control": "max-age=300", "age": "1000"}, 0),
        ({"cache-control": "public, max-age=99999"}, 600),
        ({"cache-control": "max-age=300, s-maxage=10"}, 10),
        ({"cache-control": "no-cache, max-age=300"}, 0),
        ({"cache-control": "No-Store"}, 0),
        ({"cache-control": 'max-age="5"'}, 5),
        ({"cache-control": "max-age=many"}, 60),
        ({"cache-control": "max-age=300", "age": "old"}, 300),
    ],
)
def test_how_long_a_page_is_fresh(headers: dict[str, str], seconds: float) -> None:
    assert lifetime_of(headers, usual=60, most=600) == seconds


def test_nothing_is_held_for_an_inspection_that_nobody_makes(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as caught:
        upstream_index(Settings(home=tmp_path, upstream="https://index.example/", upstream_unknown="hold"))
    assert caught.value.where == "CPUFIT_UPSTREAM_UNKNOWN"
