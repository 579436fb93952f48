"""What a wheel requires is fetched before anybody asks for it, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.upstream_index import UpstreamIndex, eventually, sha256

from cpufit_server.upstream.prefetching import required_names

METADATA = b"""Metadata-Version: 2.1
Name: other
Version: 1.0
Requires-Dist: Small_Thing>=1,<2
requires-dist: second [extra] (>=1)
Requires-Dist: only-on-windows ; sys_platform == "win32"
Requires-Dist: only-for-tests; extra == "test"
Requires-Dist: at @ https://files.example/at-1.0.zip
Requires-Dist: small.thing
Requires-Dist: -not-a-name

Requires-Dist: not-a-header
"""
WHEEL = "other-1.0-py3-none-any.whl"


def test_what_is_required_everywhere_is_told_by_its_headers() -> None:
    assert required_names(METADATA, 9) == ["small-thing", "second", "at"]
    assert required_names(METADATA.replace(b"\n", b"\r\n"), 2) == ["small-thing", "second"]
    assert required_names(b"", 9) == required_names(b"\n\n" + METADATA, 9) == []


@pytest.fixture
def running(tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **settings: run_server(tmp_path / "home", upstream=index.simple, **settings)


def offer(index: UpstreamIndex, make_wheel: Callable[..., Any], *required: str) -> str:
    """Offer a wheel that requires all of these, which the index has too; returns its address on our server."""
    for name in required:
        index.add(name, f"{name}-1.0-py3-none-any.whl", name.encode())
    return index.add("other", *make_wheel(name="other", requires=required))


def test_pages_of_what_a_wheel_requires_are_here_when_they_are_asked_for(
    running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    url = offer(index, make_wheel, "small", "second")
    with running() as server:
        assert server.client.get(url).status_code == 200
        assert eventually(lambda: {"/simple/small/", "/simple/second/"} <= index.counts().keys())
        for name in ("small", "second"):
            assert server.names(f"/simple/{name}/") == [f"{name}-1.0-py3-none-any.whl"]
        assert server.client.get(url).status_code == 200
    assert index.counts()["/simple/small/"] == index.counts()["/simple/second/"] == 1


def test_so_are_those_that_metadata_beside_the_wheel_names(running: Callable[..., Any], index: UpstreamIndex) -> None:
    index.add("small-thing", "small_thing-1.0-py3-none-any.whl", b"small")
    url = index.add("other", WHEEL, b"x", **{"core-metadata": {"sha256": sha256(METADATA)}})
    index.files[f"/files/{WHEEL}.metadata"] = METADATA
    with running() as server:
        assert server.client.get(f"{url}.metadata").content == METADATA
        assert eventually(lambda: "/simple/at/" in index.counts()), "one that the upstream does not have is no error"
        assert eventually(lambda: "/simple/small-thing/" in index.counts())
        assert server.client.get("/simple/small-thing/").status_code == 200
    assert not {"/simple/only-on-windows/", "/simple/only-for-tests/"} & index.counts().keys()


def test_what_is_hosted_or_reserved_is_not_asked_for(
    running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    url = offer(index, make_wheel, "fast", "acme-core", "last")
    with running(upstream_reserved="acme-*") as server:
        assert server.upload(make_wheel()).status_code == 200
        assert server.client.get(url).status_code == 200
        assert eventually(lambda: "/simple/last/" in index.counts())
    assert {path for path in index.counts() if path.startswith("/simple/")} == {"/simple/other/", "/simple/last/"}


@pytest.mark.parametrize(("most", "asked"), [(0, set()), (1, {"/simple/first/"})])
def test_how_many_are_fetched_is_bounded(
    most: int,
    asked: set[str],
    running: Callable[..., Any],
    index: UpstreamIndex,
    make_wheel: Callable[..., Any],
) -> None:
    url = offer(index, make_wheel, "first", "second")
    with running(upstream_prefetch=most) as server:
        assert server.client.get(url).status_code == 200
        assert eventually(lambda: "core-metadata" in server.page("/simple/other/")["files"][0])
        assert eventually(lambda: asked <= index.counts().keys())
    assert {path for path in index.counts() if path.startswith("/simple/")} == {"/simple/other/", *asked}


def test_offline_nothing_is_fetched_ahead(
    running: Callable[..., Any], index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    url = offer(index, make_wheel, "first")
    with running(upstream_prefetch=0) as server:
        assert server.client.get(url).status_code == 200
    index.asked.clear()
    with running(upstream_offline=True) as server:
        assert server.client.get(url).status_code == 200
        assert server.names("/simple/other/")
    assert index.asked == []
