"""METADATA of wheels that pass through: as the upstream has it, or read out of the wheel."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.server.upstream_index import UpstreamIndex, eventually, kept, sha256

DATA = random.Random(7).randbytes(3_000_000)
WHEEL = "other-1.0-py3-none-any.whl"


def test_what_the_upstream_announces_is_passed_through_and_cached(passing: Any, index: UpstreamIndex) -> None:
    metadata = b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"
    url = index.add("other", WHEEL, DATA, **{"core-metadata": {"sha256": sha256(metadata)}})
    index.files[f"/files/{WHEEL}.metadata"] = metadata
    assert passing.client.get(f"{url}.metadata").content == metadata
    index.down = True
    assert passing.client.get(f"{url}.metadata").content == metadata
    assert index.counts()[f"/files/{WHEEL}.metadata"] == 1
    assert f"/files/{WHEEL}" not in index.counts()


def test_a_wrong_one_is_502_and_not_cached(passing: Any, index: UpstreamIndex) -> None:
    url = index.add("other", WHEEL, DATA, **{"core-metadata": {"sha256": "ab" * 32}})
    index.files[f"/files/{WHEEL}.metadata"] = b"Name: evil\n"
    answer = passing.client.get(f"{url}.metadata")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
    assert kept(passing) == []


def test_it_is_read_by_ranges_where_the_upstream_has_none(
    passing: Any, index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(name="other", requires=("small>=1",), extra=os.urandom(100_000).hex().encode())
    url = index.add("other", filename, data)
    assert passing.client.head(url).headers["content-length"] == str(len(data))
    assert f"/files/{filename}" not in index.counts()
    assert passing.client.get(url, headers={"Range": "bytes=-100"}).content == data[-100:]
    assert eventually(lambda: "core-metadata" in passing.page("/simple/other/")["files"][0])
    (entry,) = passing.page("/simple/other/")["files"]
    answer = passing.client.get(f"{url}.metadata")
    assert b"Requires-Dist: small>=1" in answer.content
    assert entry["core-metadata"] == {"sha256": sha256(answer.content)}
    ranges = [headers["range"] for path, headers in index.asked if path == f"/files/{filename}"]
    assert len(ranges) == len(set(ranges)) <= 4, "and not the whole wheel"


def test_it_is_read_of_a_cached_wheel_where_the_upstream_gives_no_ranges(
    passing: Any, index: UpstreamIndex, make_wheel: Callable[..., Any]
) -> None:
    index.ranges = False
    filename, data = make_wheel(name="other")
    url = index.add("other", filename, data)
    (entry,) = passing.page("/simple/other/")["files"]
    assert "core-metadata" not in entry
    assert passing.client.get(f"{url}.metadata").status_code == 404
    assert passing.client.get(url).content == data
    assert eventually(lambda: "core-metadata" in passing.page("/simple/other/")["files"][0])
    assert passing.client.get(f"{url}.metadata").content.startswith(b"Metadata-Version")


def test_one_that_was_evicted_is_read_again(passing: Any, index: UpstreamIndex, make_wheel: Callable[..., Any]) -> None:
    filename, data = make_wheel(name="other")
    url = index.add("other", filename, data)
    passing.client.get(url, headers={"Range": "bytes=-100"})
    assert eventually(lambda: "core-metadata" in passing.page("/simple/other/")["files"][0])
    first = passing.client.get(f"{url}.metadata").content
    for path in (passing.settings.home / "upstream" / "files" / "kept").rglob("*"):
        if path.is_file():
            path.unlink()
    assert passing.client.get(f"{url}.metadata").content == first


def test_it_is_not_read_where_the_settings_say_so(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(name="other")
    url = index.add("other", filename, data)
    with run_server(tmp_path / "home", upstream=index.simple, upstream_metadata=False) as server:
        assert server.client.get(url, headers={"Range": "bytes=-100"}).content == data[-100:]
    assert index.counts() == {"/simple/other/": 1, f"/files/{filename}": 1}


def test_what_comes_in_whole_after_a_look_is_not_read_by_ranges_too(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(name="other", extra=os.urandom(100_000).hex().encode())
    url = index.add("other", filename, data)
    with run_server(tmp_path / "home", upstream=index.simple, upstream_metadata_wait=3600) as server:
        for _ in range(2):
            assert server.client.get(url, headers={"Range": "bytes=-100"}).content == data[-100:]
        assert server.client.get(url).content == data
        assert eventually(lambda: "core-metadata" in server.page("/simple/other/")["files"][0])
    ranges = [headers.get("range", "all of it") for path, headers in index.asked if path == f"/files/{filename}"]
    assert ranges == [f"bytes={len(data) - 100}-{len(data) - 1}", "all of it"]


def test_how_many_wheels_wait_to_be_read_is_bounded(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    wheels = [make_wheel(name="other", version=f"1.{number}") for number in range(3)]
    urls = [index.add("other", filename, data) for filename, data in wheels]
    settings = {"upstream": index.simple, "upstream_metadata_wait": 3600, "upstream_max_waiting": 1}
    with run_server(tmp_path / "home", **settings) as server:
        for url, (_, data) in zip(urls, wheels, strict=True):
            assert server.client.get(url, headers={"Range": "bytes=-9"}).content == data[-9:]
        assert server.app.state.services.upstream._metadata._later.keys() == {sha256(wheels[0][1])}
