from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from tests.server.source_server import SourceServer, source_server

from cpufit_server.sources.choosing import SourceFile
from cpufit_server.sources.errors import PageUnreadable
from cpufit_server.sources.fetcher import Fetcher
from cpufit_server.sources.listing import folder_origin, index_origin

JSON = (("Content-Type", "application/vnd.pypi.simple.v1+json; charset=utf-8"),)
NAME = canonicalize_name("small")


@pytest.fixture
def source() -> Iterator[SourceServer]:
    with source_server() as running:
        yield running


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with closing(Fetcher()) as made:
        yield made


def test_html_and_json_give_the_same_files(source: SourceServer, fetcher: Fetcher) -> None:
    wheel = "small-1.0-py3-none-any.whl"
    source.put(
        "/html/small/",
        f'<a href="../../f/{wheel}#sha256=0f" data-requires-python="&gt;=3.9">{wheel}</a><a href="/about">about</a>',
    )
    page = {
        "meta": {"api-version": "1.0"},
        "name": "small",
        "files": [
            {"filename": wheel, "url": f"../../f/{wheel}", "hashes": {"sha256": "0f"}, "requires-python": ">=3.9"},
            {"filename": "small-1.0.tar.gz.asc", "url": "x", "hashes": {}},
        ],
    }
    source.put("/json/small/", json.dumps(page), headers=JSON)
    files = [tuple(index_origin(f"{source.url}/{kind}/", fetcher)(NAME)) for kind in ("html", "json")]
    expected = SourceFile(
        filename=wheel, url=f"{source.url}/f/{wheel}", hashes=(("sha256", "0f"),), requires_python=">=3.9"
    )
    assert files == [(expected,), (expected,)]


def test_a_page_that_is_no_page_is_told(source: SourceServer, fetcher: Fetcher) -> None:
    source.put("/small/", "[]", headers=JSON)
    with pytest.raises(PageUnreadable, match="not a project page"):
        index_origin(source.url, fetcher)(NAME)


def test_an_index_in_a_folder_is_read_as_pip_reads_it(tmp_path: Path, fetcher: Fetcher) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "index.html").write_text('<a href="small-1.0.tar.gz">x</a>')
    (file,) = index_origin(tmp_path.as_uri(), fetcher)(NAME)
    assert file.url == f"{tmp_path.as_uri()}/small/small-1.0.tar.gz"


def test_a_folder_has_the_files_of_one_project(tmp_path: Path) -> None:
    for name in ("Small-1.0.tar.gz", "small-2.0-py3-none-any.whl", "smaller-1.0.tar.gz", "small-1.0.txt"):
        (tmp_path / name).touch()
    files = sorted(file.filename for file in folder_origin(tmp_path)(NAME))
    assert files == ["Small-1.0.tar.gz", "small-2.0-py3-none-any.whl"]
