"""Three libraries that read the simple API, written by others, see one thing on our pages, in HTML and in JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urljoin

import html5lib
import jsonschema
import mousebender.simple
import pytest
import requests
from packaging.utils import canonicalize_name
from pypi_simple import ACCEPT_HTML_ONLY, ACCEPT_JSON_ONLY, PyPISimple
from simple_repository import model
from simple_repository.parser import (
    parse_html_project_list,
    parse_html_project_page,
    parse_json_project_list,
    parse_json_project_page,
)
from sqlalchemy import update
from tests.server.simple_api_schema import PROJECT_DETAIL, PROJECT_LIST

from cpufit_wheelhouse.catalog import schema

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
REASON = 'läuft <nicht> & "nie"'
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
ROOTS = ["/simple/", "/cpu/x86_64_v3/simple/"]
USER_AGENTS = ["pip/26.3", 'uv/0.13.9 {"cpu":"x86_64"}']


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a reader makes of one file; ``size`` and ``upload_time`` are on JSON pages alone."""

    filename: str
    url: str
    sha256: str
    requires_python: str | None
    yanked: bool | str
    metadata_sha256: str | None
    size: int | None = None
    upload_time: datetime | None = None


@pytest.fixture(scope="module")
def hosted(
    tmp_path_factory: pytest.TempPathFactory,
    run_server: Callable[..., Any],
    make_wheel: Callable[..., Any],
    make_sdist: Callable[..., Any],
) -> Iterator[Any]:
    """A server with one project of every kind of file: ordinary, CPU-specific, local version, source; some yanked."""
    with run_server(tmp_path_factory.mktemp("hosted") / "home") as server:
        fill(server, make_wheel, make_sdist)
        with requests.Session() as session:
            session.trust_env = False  # no proxy between this test and loopback
            server.session = session
            yield server


def fill(server: Any, make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]) -> None:
    uploads = [
        (make_wheel(version="0.7", requires_python=">=3.8,<4,!=3.9.*"), {}),
        (make_wheel(version="0.8"), {}),
        (make_wheel(version="0.9+cpu.1"), {}),
        (make_sdist(version="0.9+cpu.1"), {}),
        (make_wheel(tags=LINUX, native=True, extra=b"v2"), {"cpufit_needs": "x86_64_v2"}),
        (make_wheel(tags=LINUX, native=True, extra=b"v3"), {"cpufit_needs": "x86_64_v3"}),
        (make_wheel(version="1.1", tags=LINUX, native=True), {"cpufit_needs": "x86_64_v2"}),
    ]
    for file, fields in uploads:
        assert server.upload(file, **fields).status_code == 200
    files = schema.files
    with server.home.catalog._writer.begin() as connection:
        connection.execute(update(files).where(files.c.version == "0.7").values(yanked=REASON))
        connection.execute(update(files).where(files.c.version == "0.8").values(yanked=""))
        connection.execute(update(files).where(files.c.version == "1.1").values(yanked="crashes"))
    set_status(server, "deprecated", REASON)


def set_status(server: Any, status: str, reason: str) -> None:
    projects = schema.projects
    with server.home.catalog._writer.begin() as connection:
        values = {"serial": projects.c.serial + 1, "status": status, "status_reason": reason}
        connection.execute(update(projects).where(projects.c.name == "fast").values(values))


def seen(page_url: str, filename: str, url: str, digests: Any, **facts: Any) -> Seen:
    """Return what a reader saw, its address made whole; the fresh segment of a selector's is another each time."""
    whole = re.sub(r"(/selectors/[0-9a-f]{64}/)[^/]+/", r"\1fresh/", urljoin(page_url, url.partition("#")[0]))
    return Seen(filename=filename, url=whole, sha256=dict(digests)["sha256"], **facts)


def read_by_pypi_simple(hosted: Any, root: str, media_type: str, user_agent: str) -> list[Seen]:
    accept = ACCEPT_JSON_ONLY if media_type == JSON else ACCEPT_HTML_ONLY
    client = PyPISimple(str(hosted.client.base_url.join(root)), session=hosted.session, accept=accept)
    page = client.get_project_page("fast", headers={"User-Agent": user_agent})
    assert page.repository_version == "1.4"
    # a page that makes its selectors and labels first is of the serial before them
    assert 0 < int(page.last_serial or 0) <= hosted.home.catalog.serial("fast")
    assert page.status is not None
    assert (page.status.value, page.status_reason) == ("deprecated", REASON)
    if media_type == JSON:
        assert set(page.versions or ()) == {"0.7", "0.8", "0.9+cpu.1", "1.0", "1.1"}
    return [
        seen(
            str(hosted.client.base_url.join(f"{root}fast/")),
            package.filename,
            package.url,
            package.digests,
            requires_python=package.requires_python,
            yanked=package.is_yanked and (package.yanked_reason or True),
            metadata_sha256=(package.metadata_digests or {}).get("sha256"),
            size=package.size,
            upload_time=package.upload_time,
        )
        for package in page.packages
    ]


def text_of(hosted: Any, path: str, media_type: str, user_agent: str = "pip/26.3") -> str:
    answer = hosted.client.get(path, headers={"Accept": media_type, "User-Agent": user_agent})
    assert answer.headers["content-type"] == media_type
    return str(answer.text)


def read_by_mousebender(hosted: Any, root: str, media_type: str, user_agent: str) -> list[Seen]:
    text = text_of(hosted, f"{root}fast/", media_type, user_agent)
    page: Any
    if media_type == JSON:
        page = mousebender.simple.parse_project_details(text, media_type, "fast")
        assert page["project-status"] == {"status": "deprecated", "reason": REASON}
    else:
        with pytest.warns(mousebender.simple.APIVersionWarning):  # its reader of HTML knows 1.1
            page = mousebender.simple.parse_project_details(text, media_type, "fast")
    return [
        seen(
            str(hosted.client.base_url.join(f"{root}fast/")),
            file["filename"],
            file["url"],
            file["hashes"],
            requires_python=file.get("requires-python"),
            yanked=file.get("yanked", False),
            metadata_sha256=file.get("core-metadata", {}).get("sha256"),
            size=file.get("size"),
            upload_time=None
            if "upload-time" not in file
            else datetime.strptime(file["upload-time"], "%Y-%m-%dT%H:%M:%S.%f%z"),
        )
        for file in page["files"]
    ]


def read_by_simple_repository(hosted: Any, root: str, media_type: str, user_agent: str) -> list[Seen]:
    text = text_of(hosted, f"{root}fast/", media_type, user_agent)
    page: model.ProjectDetail = (
        parse_json_project_page(text) if media_type == JSON else parse_html_project_page(text, "fast")
    )

    def seen_in(file: model.File) -> Seen:
        metadata = file.dist_info_metadata
        return seen(
            str(hosted.client.base_url.join(f"{root}fast/")),
            file.filename,
            # it quotes what is quoted already
            file.url.replace("%25", "%"),
            file.hashes,
            requires_python=file.requires_python,
            yanked=file.yanked or False,
            metadata_sha256=metadata.get("sha256") if isinstance(metadata, dict) else None,
            size=file.size,
            upload_time=None if file.upload_time is None else file.upload_time.replace(tzinfo=timezone.utc),
        )

    return [seen_in(file) for file in page.files]


READERS = [read_by_pypi_simple, read_by_mousebender, read_by_simple_repository]


@pytest.mark.parametrize("user_agent", USER_AGENTS)
@pytest.mark.parametrize("root", ROOTS)
def test_every_reader_sees_the_same_in_either_form(hosted: Any, root: str, user_agent: str) -> None:
    first, *others = (reader(hosted, root, JSON, user_agent) for reader in READERS)
    assert all(other == first for other in others)
    assert all(file.size is not None and file.upload_time is not None for file in first)
    bare = [replace(file, size=None, upload_time=None) for file in first]
    for reader in READERS:
        assert reader(hosted, root, HTML, user_agent) == bare


def test_what_they_see_is_what_was_uploaded(hosted: Any, make_wheel: Callable[..., Any]) -> None:
    found = {file.filename: file for file in read_by_pypi_simple(hosted, "/simple/", JSON, "pip/26.3")}
    name, data = make_wheel(version="0.7", requires_python=">=3.8,<4,!=3.9.*")
    file = found[name]
    assert (file.sha256, file.size) == (sha256(data).hexdigest(), len(data))
    assert file.requires_python == ">=3.8,<4,!=3.9.*"
    assert file.yanked == REASON
    assert found["fast-0.8-py3-none-any.whl"].yanked is True
    assert found["fast-0.9+cpu.1-py3-none-any.whl"].yanked is False
    assert found["fast-1.0.tar.gz"].yanked is False
    assert found["fast-1.1.tar.gz"].yanked == "crashes", "the selector of a release of which every wheel is yanked"
    assert found["fast-1.1.tar.gz"].metadata_sha256 is None
    stored = {one.sha256: one for one in hosted.home.catalog.files("fast")}
    assert file.upload_time == stored[file.sha256].uploaded_at
    for each in found.values():
        content = hosted.client.get(each.url).content
        assert (sha256(content).hexdigest(), len(content)) == (each.sha256, each.size)
        if each.metadata_sha256 is not None:
            metadata = hosted.client.get(f"{each.url}.metadata").content
            assert sha256(metadata).hexdigest() == each.metadata_sha256


@pytest.mark.parametrize("root", ROOTS)
def test_every_reader_sees_the_same_list_of_projects(hosted: Any, make_wheel: Callable[..., Any], root: str) -> None:
    hosted.upload(make_wheel(name="slow_thing"))
    expected = ["fast", "slow-thing"]
    for media_type, accept in ((JSON, ACCEPT_JSON_ONLY), (HTML, ACCEPT_HTML_ONLY)):
        client = PyPISimple(str(hosted.client.base_url.join(root)), session=hosted.session, accept=accept)
        text = text_of(hosted, root, media_type)
        if media_type == JSON:
            listed: Any = mousebender.simple.parse_project_index(text, media_type)
            parsed = parse_json_project_list(text)
        else:
            with pytest.warns(mousebender.simple.APIVersionWarning):
                listed = mousebender.simple.parse_project_index(text, media_type)
            parsed = parse_html_project_list(text)
        for names in (
            client.get_index_page().projects,
            [entry["name"] for entry in listed["projects"]],
            [entry.name for entry in parsed.projects],
        ):
            assert sorted(map(canonicalize_name, names)) == expected


@pytest.mark.parametrize("user_agent", USER_AGENTS)
@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("status", ["active", "archived", "quarantined", "deprecated"])
def test_the_json_pages_keep_to_the_schema_of_the_specification(
    hosted: Any, root: str, user_agent: str, status: str
) -> None:
    headers = {"Accept": JSON, "User-Agent": user_agent}
    set_status(hosted, status, REASON)
    try:
        page = hosted.client.get(f"{root}fast/", headers=headers).json()
        listed = hosted.client.get(root, headers=headers).json()
    finally:
        set_status(hosted, "deprecated", REASON)
    jsonschema.Draft202012Validator(PROJECT_DETAIL).validate(page)
    jsonschema.Draft202012Validator(PROJECT_LIST).validate(listed)
    assert page["project-status"]["status"] == status
    assert bool(page["files"]) == (status != "quarantined")


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"filename": "a", "url": "a", "hashes": {"sha256": "00"}}]},
        {"name": "Fast"},
        {"versions": ["1", "1"]},
        {"extra": 1},
        {"meta": {"api-version": "1"}},
        {"project-status": {"status": "haunted"}},
        {"files": [{"filename": "a", "url": "a?b", "hashes": {"sha256": "00"}, "size": 1}]},
        {"files": [{"filename": "a", "url": "a", "hashes": {"sha256": "00"}, "size": 1, "yanked": ""}]},
    ],
)
def test_the_schema_refuses_what_is_no_page(change: dict[str, Any]) -> None:
    page = {"meta": {"api-version": "1.4"}, "name": "fast", "files": [], "versions": []}
    validator = jsonschema.Draft202012Validator(PROJECT_DETAIL)
    validator.validate(page)
    assert not validator.is_valid({**page, **change})


@pytest.mark.parametrize("user_agent", USER_AGENTS)
@pytest.mark.parametrize("root", ROOTS)
def test_the_html_pages_are_html5(hosted: Any, root: str, user_agent: str) -> None:
    """A strict parser raises at the first error; who reads them as bytes learns the encoding from the page itself."""
    for path in (root, f"{root}fast/"):
        body = hosted.client.get(path, headers={"Accept": HTML, "User-Agent": user_agent}).content
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        document = parser.parse(body)
        assert parser.documentEncoding == "utf-8"
        anchors = document.findall(".//a")
        assert anchors
        for anchor in anchors:
            assert anchor.text
            if path != root:
                # PEP 503: the text is the last part of the address
                assert unquote(anchor.get("href").partition("#")[0].rpartition("/")[2]) == anchor.text
