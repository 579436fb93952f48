from __future__ import annotations

import pytest

from cpufit_server.errors import NotAcceptable
from cpufit_server.negotiation import HTML_TYPE, JSON_TYPE, accepts_gzip, page_type, preferred

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
        (None, False),
        ("", False),
        ("gzip, deflate", True),
        ("deflate, GZIP;q=0.1", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("x-gzip", True),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str | None, expected: bool) -> None:
    assert accepts_gzip(header) is expected
