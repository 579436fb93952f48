from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.server.source_server import SourceServer, source_server

from cpufit_server.sources.errors import DownloadFailed, PageUnreadable
from cpufit_server.sources.fetcher import Fetcher, without_login


@pytest.fixture
def source() -> Iterator[SourceServer]:
    with source_server() as running:
        yield running


@pytest.fixture
def fetcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetcher]:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with closing(Fetcher()) as made:
        yield made


def read(fetcher: Fetcher, url: str) -> tuple[int | None, bytes]:
    with fetcher.chunks(url) as (size, chunks):
        return size, b"".join(chunks)


def with_login(url: str, login: str) -> str:
    return url.replace("://", f"://{login}@")


class TestPages:
    def test_json_is_asked_for_first(self, source: SourceServer, fetcher: Fetcher) -> None:
        source.put("/simple/x/", "{}", headers=(("Content-Type", "application/vnd.pypi.simple.v1+json"),))
        page = fetcher.page(f"{source.url}/simple/x/")
        assert page.text == "{}"
        assert page.content_type == "application/vnd.pypi.simple.v1+json"
        assert source.requests[0][1]["accept"].startswith("application/vnd.pypi.simple.v1+json,")

    def test_the_address_after_a_redirect_is_the_pages(self, source: SourceServer, fetcher: Fetcher) -> None:
        source.put("/old/", status=302, headers=(("Location", "/new/"),))
        source.put("/new/", "here")
        assert fetcher.page(f"{source.url}/old/").url == f"{source.url}/new/"

    def test_one_that_is_not_there_is_told_without_the_password(self, source: SourceServer, fetcher: Fetcher) -> None:
        with pytest.raises(PageUnreadable) as caught:
            fetcher.page(with_login(f"{source.url}/simple/x/", "me:secret"))
        assert str(caught.value) == f"{source.url}/simple/x/: the answer is 404 Not Found"

    def test_a_server_that_is_not_there_is_told(self, fetcher: Fetcher) -> None:
        with pytest.raises(PageUnreadable, match="cannot be read"):
            fetcher.page("http://127.0.0.1:1/simple/")

    def test_one_in_a_folder_is_read_as_pip_reads_it(self, tmp_path: Path, fetcher: Fetcher) -> None:
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "index.html").write_text("links")
        assert fetcher.page(f"{(tmp_path / 'x').as_uri()}/").text == "links"
        with pytest.raises(PageUnreadable, match="cannot be read"):
            fetcher.page(f"{tmp_path.as_uri()}/y/")


class TestFiles:
    def test_come_in_pieces_with_their_size(self, source: SourceServer, fetcher: Fetcher) -> None:
        data = bytes(range(256)) * 4096
        source.put("/x.whl", data)
        assert read(fetcher, f"{source.url}/x.whl") == (len(data), data)

    def test_are_the_bytes_that_were_sent_whatever_encoding_is_claimed(
        self, source: SourceServer, fetcher: Fetcher
    ) -> None:
        data = gzip.compress(b"x" * 1000)
        source.put("/x.tar.gz", data, headers=(("Content-Encoding", "gzip"),))
        assert read(fetcher, f"{source.url}/x.tar.gz")[1] == data
        assert source.requests[0][1]["accept-encoding"] == "identity"

    def test_that_break_off_are_told(self, source: SourceServer, fetcher: Fetcher) -> None:
        source.put("/x.whl", b"half", promised=8)
        with pytest.raises(DownloadFailed, match="cannot be read"):
            read(fetcher, f"{source.url}/x.whl")

    def test_on_this_machine_are_read(self, tmp_path: Path, fetcher: Fetcher) -> None:
        (tmp_path / "a b.whl").write_bytes(b"here")
        assert read(fetcher, (tmp_path / "a b.whl").as_uri()) == (4, b"here")
        with pytest.raises(DownloadFailed):
            read(fetcher, (tmp_path / "c.whl").as_uri())


class TestLogins:
    def test_one_in_an_address_is_sent_there(self, source: SourceServer, fetcher: Fetcher) -> None:
        source.put("/simple/", "page")
        fetcher.page(with_login(f"{source.url}/simple/", "me:s%40cret"))
        assert source.login(0) == "me:s@cret"

    def test_the_indexes_own_goes_to_its_files_at_the_same_host_alone(self, source: SourceServer) -> None:
        source.put("/x.whl", b"x")
        with source_server() as other, closing(Fetcher(index_url=with_login(source.url, "me:s%40cret"))) as fetcher:
            other.put("/x.whl", b"x")
            read(fetcher, f"{source.url}/x.whl")
            read(fetcher, f"{other.url}/x.whl")
            assert source.login(0) == "me:s@cret"
            assert other.login(0) is None

    def test_none_follows_a_redirect_to_another_host(self, source: SourceServer, fetcher: Fetcher) -> None:
        with source_server() as other:
            other.put("/", "page")
            source.put("/", status=302, headers=(("Location", f"{other.url}/"),))
            fetcher.page(with_login(f"{source.url}/", "me:secret"))
            assert source.login(0) == "me:secret"
            assert other.login(0) is None

    def test_the_netrc_file_has_one_for_a_host(self, source: SourceServer, fetcher: Fetcher, tmp_path: Path) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login you password hidden\n")
        source.put("/", "page")
        fetcher.page(f"{source.url}/")
        assert source.login(0) == "you:hidden"

    def test_a_netrc_file_that_cannot_be_read_has_none(
        self, source: SourceServer, fetcher: Fetcher, tmp_path: Path
    ) -> None:
        (tmp_path / "netrc").write_text("what is this")
        source.put("/", "page")
        fetcher.page(f"{source.url}/")
        assert source.login(0) is None


def test_an_address_for_the_record_has_no_secrets() -> None:
    assert without_login("https://me:pw@h.example:8443/a/x.whl?sig=1#sha256=0") == "https://h.example:8443/a/x.whl"
