from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from cpufit_wheelhouse.catalog import PolicyChange

LINUX = "cp311-cp311-manylinux_2_17_x86_64"


@pytest.fixture
def stored(server: Any, make_wheel: Callable[..., Any]) -> tuple[Any, str, bytes]:
    filename, data = make_wheel()
    assert server.upload((filename, data)).status_code == 200
    return server, f"/files/{hashlib.sha256(data).hexdigest()}/{filename}", data


def test_a_file_is_immutable_and_never_compressed(stored: tuple[Any, str, bytes]) -> None:
    server, url, data = stored
    answer = server.client.get(url, headers={"Accept-Encoding": "gzip"})
    assert answer.content == data
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert answer.headers["cache-control"] == "public, max-age=365000000, immutable"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert "content-encoding" not in answer.headers


def test_a_head_tells_the_length(stored: tuple[Any, str, bytes]) -> None:
    server, url, data = stored
    answer = server.client.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["accept-ranges"] == "bytes"


def test_ranges_are_served(stored: tuple[Any, str, bytes]) -> None:
    server, url, data = stored
    tail = server.client.get(url, headers={"Range": "bytes=-20"})
    assert (tail.status_code, tail.content) == (206, data[-20:])
    assert tail.headers["content-range"] == f"bytes {len(data) - 20}-{len(data) - 1}/{len(data)}"
    beyond = server.client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    several = server.client.get(url, headers={"Range": "bytes=0-3,10-13"})
    assert several.status_code == 206
    assert several.headers["content-type"].startswith("multipart/byteranges")
    assert data[:4] in several.content
    assert data[10:14] in several.content


@pytest.mark.parametrize("asked", ["items=0-3", "bytes", "bytes=", "bytes=a-b", "bytes=0-3;1"])
def test_a_range_that_cannot_be_read_gets_the_whole_file(stored: tuple[Any, str, bytes], asked: str) -> None:
    server, url, data = stored
    answer = server.client.get(url, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, data), "RFC 9110, section 14.2"


def test_ranges_are_for_get_alone(stored: tuple[Any, str, bytes]) -> None:
    server, url, data = stored
    answer = server.client.head(url, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(data))), "RFC 9110, section 14.2"


def test_a_range_of_another_version_gets_the_whole_file(stored: tuple[Any, str, bytes]) -> None:
    server, url, data = stored
    etag = server.client.head(url).headers["etag"]
    same = server.client.get(url, headers={"Range": "bytes=5-", "If-Range": etag})
    assert (same.status_code, same.content) == (206, data[5:])
    dated = server.client.get(
        url, headers={"Range": "bytes=5-", "If-Range": server.client.head(url).headers["last-modified"]}
    )
    assert (dated.status_code, dated.content) == (206, data[5:])
    for unknown in ('"other"', f"W/{etag}", "Thu, 01 Jan 1970 00:00:00 GMT"):
        other = server.client.get(url, headers={"Range": "bytes=5-", "If-Range": unknown})
        assert (other.status_code, other.content) == (200, data), unknown


def test_who_has_the_file_is_told_so(stored: tuple[Any, str, bytes]) -> None:
    server, url, _ = stored
    etag = server.client.head(url).headers["etag"]
    answer = server.client.get(url, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_the_metadata_stands_beside_the_wheel_as_the_page_announces_it(stored: tuple[Any, str, bytes]) -> None:
    server, url, _ = stored
    answer = server.client.get(url + ".metadata")
    (entry,) = server.page()["files"]
    assert entry["core-metadata"] == {"sha256": hashlib.sha256(answer.content).hexdigest()}
    assert answer.headers["etag"] == f'"{entry["core-metadata"]["sha256"]}"'
    assert answer.content.startswith(b"Metadata-Version: 2.1\nName: fast\n")


def test_a_source_distribution_has_no_metadata_file(server: Any, make_sdist: Callable[..., Any]) -> None:
    filename, data = make_sdist()
    server.upload((filename, data))
    url = f"/files/{hashlib.sha256(data).hexdigest()}/{filename}"
    assert server.client.get(url).content == data
    assert server.client.get(url + ".metadata").status_code == 404
    assert "core-metadata" not in server.page()["files"][0]


def test_a_name_that_is_not_of_this_hash_is_404(stored: tuple[Any, str, bytes]) -> None:
    server, url, _ = stored
    folder = url.rpartition("/")[0]
    for wrong in (
        f"{folder}/other-1.0-py3-none-any.whl",
        f"/files/{'0' * 64}/fast-1.0-py3-none-any.whl",
        url.replace("/files/", "/files/..%2f"),
        f"/files/{folder[7:].upper()}/fast-1.0-py3-none-any.whl",
        f"/selectors/{folder[7:]}/x/fast-1.0-py3-none-any.whl",
        f"/selectors/{'0' * 64}/x/fast-1.0.tar.gz",
        url + ".metadata.metadata",
    ):
        answer = server.client.get(wrong)
        assert (answer.status_code, "code" in answer.json()) == (404, True), wrong


def test_an_unknown_wheel_is_not_to_be_had_by_its_hash_until_policy_lets_it(
    server: Any, make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(tags=LINUX, native=True)
    server.upload((filename, data))
    url = f"/files/{hashlib.sha256(data).hexdigest()}/{filename}"
    assert server.client.get(url).status_code == 404
    assert server.client.get(url + ".metadata").status_code == 404
    server.home.catalog.set_policy("fast", PolicyChange(unknown="allow"))
    assert server.client.get(url).content == data
    assert server.names() == [filename]


def test_a_selector_has_its_hash_as_tag_and_serves_ranges(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v3")
    (entry,) = server.page()["files"]
    url = f"/selectors/{entry['hashes']['sha256']}/anything/{entry['filename']}"
    answer = server.client.get(url)
    assert hashlib.sha256(answer.content).hexdigest() == entry["hashes"]["sha256"]
    assert answer.headers["etag"] == f'"{entry["hashes"]["sha256"]}"'
    assert server.client.get(url, headers={"Range": "bytes=0-9"}).content == answer.content[:10]
    assert server.client.get(f"/files/{entry['hashes']['sha256']}/{entry['filename']}").status_code == 404
