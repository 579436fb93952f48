from __future__ import annotations

import pytest

from cpufit_server.errors import NotAcceptable
from cpufit_server.negotiation import HTML_TYPE, JSON_TYPE, content_coding, form_wanted, page_type, preferred

PIP = f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "text/html"),
        ("", "text/html"),
        ("*/*", "text/html"),
        (PIP, JSON_TYPE),
        (f"{JSON_TYPE};q=0.1, {HTML_TYPE};q=0.2", HTML_TYPE),
        (f"text/html, {JSON_TYPE}", JSON_TYPE),
        ("text/html;q=0.9, */*;q=0.8", "text/html"),
        (f"*/*;q=0.5, {HTML_TYPE};q=0.5", HTML_TYPE),
        (f"*/*, {JSON_TYPE};q=0", "text/html"),
        ("application/*", JSON_TYPE),
        ("text/*", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("application/vnd.pypi.simple.latest+html", HTML_TYPE),
        ("TEXT/HTML", "text/html"),
        ("text/html;q=nonsense, */*;q=0.1", JSON_TYPE),
        ("x" * 5000, "text/html"),
    ],
)
def test_the_best_liked_format_is_sent(accept: str | None, expected: str) -> None:
    assert page_type(accept) == expected


@pytest.mark.parametrize("accept", ["image/png", f"{JSON_TYPE};q=0", "*/*;q=0", "text/html;q=2", "application/json"])
def test_a_client_that_takes_none_of_them_is_told_which_there_are(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="there are text/html"):
        page_type(accept)


def test_of_other_types_the_first_wins_in_doubt() -> None:
    offered = ("application/json", "text/plain", "text/html")
    assert preferred(None, offered) == "application/json"
    assert preferred("image/png", offered) == "application/json"
    assert preferred("text/html,application/xhtml+xml,*/*;q=0.8", offered) == "text/html"
    uv_publish = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
    assert preferred(uv_publish, offered) == "application/json"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, zstd", "zstd"),
        ("ZSTD;q=0.5, gzip;q=0.5", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd;q=0, gzip;q=0.1", "gzip"),
        ("zstd", "zstd"),
        ("br", None),
        ("deflate, GZIP;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("*", "gzip"),
        ("*, gzip;q=0", None),
        ("*;q=0, zstd", "zstd"),
        ("identity", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("x-gzip", "gzip"),
    ],
)
def test_a_page_goes_in_the_coding_that_the_client_likes_best(header: str | None, expected: str | None) -> None:
    assert content_coding(header) == expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (JSON_TYPE, JSON_TYPE),
        (HTML_TYPE, HTML_TYPE),
        ("text/html", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("application/vnd.pypi.simple.latest+html", HTML_TYPE),
        ("application/vnd.pypi.simple.v1 json", JSON_TYPE),
        (" Application/vnd.PyPI.simple.v1+JSON ", JSON_TYPE),
    ],
)
def test_the_format_in_the_address_goes_before_accept(named: str, expected: str) -> None:
    for accept in (None, PIP, "image/png"):
        assert form_wanted(accept, None, [named]).media_type == expected


@pytest.mark.parametrize(
    "named",
    [
        [""],
        ["json"],
        ["*/*"],
        ["application/*"],
        [f"{JSON_TYPE};q=1"],
        [f"{JSON_TYPE}, {HTML_TYPE}"],
        ["application/vnd.pypi.simple.v2+json"],
        [JSON_TYPE, JSON_TYPE],
    ],
)
def test_a_format_that_is_none_is_told_which_there_are(named: list[str]) -> None:
    with pytest.raises(NotAcceptable, match="there are text/html") as caught:
        form_wanted("*/*", None, named)
    assert caught.value.where == "format"
