"""A file that the upstream does not give, or gives wrong, is cut or refused, and leaves nothing behind."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.server.upstream_index import UpstreamIndex, eventually, kept, sha256, staged

DATA = random.Random(7).randbytes(3_000_000)
SDIST = "other-1.0.tar.gz"


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_wrong_hash_is_never_cached_and_the_connection_is_cut(
    passing: Any, index: UpstreamIndex, tells_length: bool, caplog: pytest.LogCaptureFixture
) -> None:
    url = index.add("other", SDIST, DATA)
    index.files[f"/files/{SDIST}"] = DATA[:-1] + b"?"
    if not tells_length:
        index.tells_length = False
        index.pages["other"][0].pop("size")
    with pytest.raises(httpx.RemoteProtocolError):
        passing.client.get(url)
    assert (kept(passing), staged(passing)) == ([], [])
    assert f"its bytes have the SHA-256 {sha256(DATA[:-1] + b'?')}" in caplog.text
    index.files[f"/files/{SDIST}"] = DATA
    assert passing.client.get(url).content == DATA


@pytest.mark.parametrize("size", [5, 128 << 10, 256 << 10])
def test_a_file_with_a_wrong_hash_is_cut_however_its_pieces_fall(passing: Any, index: UpstreamIndex, size: int) -> None:
    """What is written at once is 128 KiB, so nothing may be left to be written when the last piece has come."""
    url = index.add("other", SDIST, DATA[:size])
    index.files[f"/files/{SDIST}"] = DATA[: size - 1] + b"?"
    with pytest.raises(httpx.RemoteProtocolError):
        passing.client.get(url)


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_a_file_of_another_size_than_its_page_tells_is_refused(passing: Any, index: UpstreamIndex, size: int) -> None:
    url = index.add("other", SDIST, DATA, size=size)
    answer = passing.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")


def test_a_connection_that_breaks_where_no_ranges_are_given_is_cut_for_the_client(
    passing: Any, index: UpstreamIndex
) -> None:
    url = index.add("other", SDIST, DATA)
    index.cuts_after, index.ranges = 1_000_000, False
    with pytest.raises(httpx.RemoteProtocolError):
        passing.client.get(url)
    assert (kept(passing), staged(passing)) == ([], [])


@pytest.mark.parametrize(("status", "code"), [(404, "no-such-file"), (503, "upstream-failed")])
def test_a_file_that_the_upstream_does_not_give_is_an_error_and_leaves_nothing(
    passing: Any, index: UpstreamIndex, status: int, code: str
) -> None:
    url = index.add("other", SDIST, DATA)
    assert passing.names("/simple/other/") == [SDIST]
    if status == 404:
        index.files.clear()
    else:
        index.down = True
    answer = passing.client.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404 if status == 404 else 502, code)
    assert staged(passing) == []


def test_what_no_page_lists_is_not_fetched(passing: Any, index: UpstreamIndex) -> None:
    url = index.add("other", SDIST, DATA)
    for wrong in (
        url.replace(sha256(DATA), "0" * 64),
        url.replace(SDIST, "other-2.0.tar.gz"),
        url.replace("/other/", "/another/"),
        url.replace("/other/", "/Other/"),
        url.replace(sha256(DATA), "..%2f.."),
    ):
        assert passing.client.get(wrong).status_code == 404
    assert f"/files/{SDIST}" not in index.counts()


def test_a_file_larger_than_the_limit_is_refused(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]
) -> None:
    url = index.add("other", SDIST, DATA)
    with run_server(tmp_path / "home", upstream=index.simple, upstream_max_file_bytes=1000) as server:
        answer = server.client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert "at most 1000" in answer.json()["message"]


def test_nothing_makes_room_for_a_file_that_is_too_large_to_be_fetched(
    tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = index.add("other", "other-1.0.tar.gz", b"small")
    large = index.add("other", SDIST.replace("1.0", "2.0"), DATA, size=5_004)
    with run_server(tmp_path / "home", upstream=index.simple, upstream_max_file_bytes=1000) as server:
        assert server.client.get(small).content == b"small"
        assert eventually(lambda: kept(server) == [sha256(b"small")])
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5_000))
        answer = server.client.get(large)
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert kept(server) == [sha256(b"small")]
        assert staged(server) == []


def test_a_file_that_a_disk_neither_takes_nor_gives_up_is_let_go(
    passing: Any, index: UpstreamIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that became read-only on the way: its lock would keep other processes waiting for ever."""

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    url = index.add("other", SDIST, DATA)
    downloads = passing.app.state.services.upstream._downloads
    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", refused)
        read_only.setattr(Path, "replace", refused)
        assert passing.client.get(url).content == DATA
        assert eventually(lambda: not downloads._running)
    assert not downloads._locks._taken
    assert passing.client.get(url).content == DATA
    assert eventually(lambda: kept(passing) == [sha256(DATA)])


def test_a_name_that_the_upstream_does_not_have_is_not_found_on_a_read_only_disk_too(
    passing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a disk refuses to remove a page that is not there as well."""

    def refused(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    assert passing.client.get("/simple/nowhere/").status_code == 404


def test_files_that_failed_leave_nothing_in_memory(passing: Any, index: UpstreamIndex) -> None:
    upstream = passing.app.state.services.upstream

    def remembered() -> dict[str, int]:
        found = {**vars(upstream), **vars(upstream._downloads)}
        return {name: len(value) for name, value in found.items() if isinstance(value, (dict, set))}

    urls = [index.add("other", f"other-{number}-py3-none-any.whl", b"%d" % number) for number in range(5)]
    assert len(passing.names("/simple/other/")) == 5
    before = remembered()
    index.files.clear()
    assert [passing.client.get(url).status_code for url in urls] == [404] * 5
    assert eventually(lambda: remembered() == before), remembered()
