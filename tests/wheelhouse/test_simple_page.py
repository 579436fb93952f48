from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone

import pytest

from cpufit_wheelhouse.errors import InvalidSimplePage
from cpufit_wheelhouse.simple_page import (
    IndexPage,
    PageFile,
    ProjectPage,
    render_html,
    render_json,
)
from cpufit_wheelhouse.simple_page_reading import parse_html, parse_json

PAGE_URL = "https://index.example/simple/small/"
DIGEST = "0123456789abcdef" * 4
FULL = PageFile(
    filename="small-1.0-py3-none-any.whl",
    url="https://files.example/x/small-1.0-py3-none-any.whl",
    hashes={"sha256": DIGEST},
    requires_python=">=3.8,<4",
    core_metadata=DIGEST[::-1],
    size=12,
    upload_time=datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=timezone.utc),
    yanked='broken "<b>" & gone',
    private={"_cpufit_need": {"x86_64": "x86_64_v3"}},
)
BARE = PageFile(filename="small-0.9.tar.gz", url="https://index.example/simple/small/small-0.9.tar.gz", size=3)
PAGE = ProjectPage(
    name="small", files=(FULL, BARE), versions=("0.9", "1.0"), status="archived", status_reason="no more & <over>"
)


def test_a_page_comes_back_from_json() -> None:
    assert parse_json(render_json(PAGE), PAGE_URL) == PAGE


def test_a_page_comes_back_from_html_without_what_html_cannot_say() -> None:
    less = dataclasses.replace(FULL, size=None, upload_time=None, private={})
    expected = dataclasses.replace(PAGE, files=(less, dataclasses.replace(BARE, size=None)), versions=None)
    assert parse_html(render_html(PAGE), PAGE_URL) == expected


def test_json_has_the_keys_of_the_specification() -> None:
    body = json.loads(render_json(PAGE))
    assert body["meta"] == {"api-version": "1.4"}
    assert body["versions"] == ["0.9", "1.0"]
    assert body["project-status"] == {"status": "archived", "reason": "no more & <over>"}
    assert body["files"][0] == {
        "filename": FULL.filename,
        "url": FULL.url,
        "hashes": {"sha256": DIGEST},
        "requires-python": ">=3.8,<4",
        "size": 12,
        "upload-time": "2026-01-02T03:04:05.678900Z",
        "core-metadata": {"sha256": FULL.core_metadata},
        # not "dist-info-metadata": pip 22.3 to 23.1 die of it
        "data-dist-info-metadata": {"sha256": FULL.core_metadata},
        "yanked": FULL.yanked,
        "_cpufit_need": {"x86_64": "x86_64_v3"},
    }
    assert body["files"][1]["yanked"] is False


@pytest.mark.parametrize(
    ("page", "version"),
    [
        (PAGE, "1.4"),
        (dataclasses.replace(PAGE, files=()), "1.4"),
        (dataclasses.replace(PAGE, api_version="1.1", status=None), "1.1"),
        (dataclasses.replace(PAGE, files=(dataclasses.replace(FULL, size=None), BARE)), "1.0"),
        (dataclasses.replace(PAGE, versions=None), "1.0"),
        (dataclasses.replace(PAGE, api_version="1.0"), "1.0"),
    ],
)
def test_a_page_is_of_the_version_whose_promises_it_keeps(page: ProjectPage, version: str) -> None:
    body = json.loads(render_json(page))
    assert body["meta"] == {"api-version": version}
    assert ("versions" in body) is (version != "1.0")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("1.0", "1.0"), ("1.1", "1.1"), ("1.4", "1.4"), ("1.5", "1.4"), ("1.10", "1.4"), ("1", "1.0")]
)
def test_a_page_that_is_passed_on_has_its_source_s_version_and_at_most_ours(theirs: str, ours: str) -> None:
    body = {"meta": {"api-version": theirs}, "name": "a", "files": [], "versions": []}
    page = parse_json(json.dumps(body), PAGE_URL)
    assert json.loads(render_json(page))["meta"] == {"api-version": ours}
    assert f'<meta name="pypi:repository-version" content="{ours}">' in render_html(page)
    html = f'<meta name="pypi:repository-version" content="{theirs}">'
    assert parse_html(html, PAGE_URL).api_version == ours


def test_html_tells_the_status_and_why_in_meta_elements() -> None:
    head = render_html(PAGE).partition("</head>")[0]
    assert '<meta name="pypi:project-status" content="archived">' in head
    assert '<meta name="pypi:project-status-reason" content="no more &amp; &lt;over&gt;">' in head
    silent = render_html(dataclasses.replace(PAGE, status=None, status_reason=None))
    assert "project-status" not in silent


@pytest.mark.parametrize("told", [{"status": "haunted"}, {"status": 3}, {}, None])
def test_a_status_that_nobody_knows_says_nothing(told: object) -> None:
    body = {"meta": {"api-version": "1.4"}, "name": "a", "files": [], "versions": [], "project-status": told}
    assert parse_json(json.dumps(body), PAGE_URL).status is None


def test_a_yank_without_a_reason_is_true_in_json_and_an_empty_attribute_in_html() -> None:
    for yanked in (True, ""):
        page = dataclasses.replace(PAGE, files=(dataclasses.replace(FULL, yanked=yanked),))
        assert json.loads(render_json(page))["files"][0]["yanked"] is True
        assert 'data-yanked=""' in render_html(page)
        assert parse_html(render_html(page), PAGE_URL).files[0].yanked is True


def test_a_control_character_does_not_make_the_html_invalid() -> None:
    page = dataclasses.replace(PAGE, files=(dataclasses.replace(FULL, yanked="a\x00b\x1bc\x85d\te"),))
    assert 'data-yanked="a\ufffdb\ufffdc\ufffdd\te"' in render_html(page)


def test_html_escapes_what_could_break_out() -> None:
    text = render_html(PAGE)
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in text
    assert "<b>" not in text
    assert f"{FULL.url}#sha256={DIGEST}" in text
    assert f'data-core-metadata="sha256={FULL.core_metadata}"' in text
    assert f'data-dist-info-metadata="sha256={FULL.core_metadata}"' in text


def test_the_index_lists_every_project_under_its_normal_name() -> None:
    page = IndexPage(projects=("Small.Thing", "polars"))
    assert '<a href="small-thing/">Small.Thing</a>' in render_html(page)
    assert json.loads(render_json(page)) == {
        "meta": {"api-version": "1.4"},
        "projects": [{"name": "Small.Thing"}, {"name": "polars"}],
    }


def test_an_upload_time_of_another_zone_is_written_in_utc() -> None:
    there = FULL.upload_time.astimezone(timezone(timedelta(hours=5))) if FULL.upload_time else None
    page = ProjectPage(name="a", files=(dataclasses.replace(FULL, upload_time=there),))
    assert parse_json(render_json(page), PAGE_URL).files[0].upload_time == FULL.upload_time


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [("2026-01-02T03:04:05Z", 0), ("2026-01-02T03:04:05.1Z", 100000), ("2026-01-02T03:04:05.1234567+00:00", 123456)],
)
def test_times_are_read_on_every_python(text: str, microseconds: int) -> None:
    entry = {"filename": "a-1.tar.gz", "url": "a", "hashes": {}, "upload-time": text}
    page = parse_json(json.dumps({"meta": {"api-version": "1.4"}, "name": "a", "files": [entry]}), PAGE_URL)
    assert page.files[0].upload_time == datetime(2026, 1, 2, 3, 4, 5, microseconds, tzinfo=timezone.utc)


def test_relative_addresses_and_base_are_resolved() -> None:
    text = '<base href="/files/"><a href="a-1.0.tar.gz#sha256=00ff" data-yanked>a</a><a href="../b%2B-1.zip">b</a>'
    first, second = parse_html(text, PAGE_URL).files
    assert (first.url, first.hashes, first.yanked) == (
        "https://index.example/files/a-1.0.tar.gz",
        {"sha256": "00ff"},
        True,
    )
    assert (second.url, second.filename) == ("https://index.example/b%2B-1.zip", "b+-1.zip")


def test_links_that_lead_to_no_file_are_left_out() -> None:
    assert (
        parse_html('<a name="x">x</a><a href="">y</a><a href="../">up</a><a href="http://[::1/a">z</a>', PAGE_URL).files
        == ()
    )


def test_metadata_without_a_hash_is_not_claimed() -> None:
    entry = {"filename": "a-1.tar.gz", "url": "a", "hashes": {}, "core-metadata": True, "dist-info-metadata": False}
    page = parse_json(json.dumps({"meta": {"api-version": "1.0"}, "name": "a", "files": [entry]}), PAGE_URL)
    assert page.files[0].core_metadata is None
    assert parse_html('<a href="a-1.whl" data-core-metadata="true">a</a>', PAGE_URL).files[0].core_metadata is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"meta": {"api-version": "2.0"}, "name": "a", "files": []}',
        '{"meta": {"api-version": "1.0"}, "name": "a", "files": [{"filename": "a"}]}',
        '{"meta": {"api-version": "1.0"}, "name": "a", "files": 3}',
        '{"meta": {"api-version": "1.0"}, "name": "a", "files": ["a"]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_project_page_is_refused(text: str) -> None:
    with pytest.raises(InvalidSimplePage) as caught:
        parse_json(text, PAGE_URL)
    assert caught.value.where == PAGE_URL


def test_html_of_a_later_version_is_refused() -> None:
    with pytest.raises(InvalidSimplePage, match=r"2\.0"):
        parse_html('<meta name="pypi:repository-version" content="2.0">', PAGE_URL)
