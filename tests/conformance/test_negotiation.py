"""PEP 691, "Version + Format Selection": which format whoever asks gets."""

from __future__ import annotations

import json

import pytest

from .index import HTML, JSON, PLAIN_HTML, Answer, Index
from .scores import must, should
from .seeding import Seeds

PIP = f"{JSON}, {HTML}; q=0.1, {PLAIN_HTML}; q=0.01"
"""What pip and uv send, but for the weights' digits."""


def is_what_it_says(answer: Answer) -> bool:
    """Tell whether an answer's body is of the type in its header."""
    try:
        json.loads(answer.body)
    except ValueError:
        return answer.media_type in (HTML, PLAIN_HTML) and b"<a " in answer.body.lower()
    return answer.media_type == JSON


@must("PEP 691", "Version + Format Selection", "no Accept header is as Accept: */*")
def test_no_accept_is_as_any(index: Index, seeds: Seeds) -> None:
    silent = index.page(seeds.project, accept="")
    anything = index.page(seeds.project, accept="*/*")
    assert (silent.status, anything.status) == (200, 200)
    assert silent.media_type == anything.media_type


@must("PEP 691", "Version + Format Selection", "servers always include a Content-Type header")
def test_every_page_says_its_type(index: Index, seeds: Seeds) -> None:
    for accept in ("", "*/*", PIP, JSON, HTML, PLAIN_HTML):
        answer = index.page(seeds.project, accept=accept)
        if answer.status == 200:
            assert is_what_it_says(answer), f"for Accept: {accept!r} the page is {answer.media_type!r}"


@must("PEP 691", "Version + Format Selection", "the server selects one of the listed types")
def test_who_takes_json_alone_gets_json(index: Index, seeds: Seeds) -> None:
    assert index.page(seeds.project, accept=JSON).media_type == JSON


@must("PEP 691", "Content-Types", "text/html is an alias of v1+html")
def test_who_takes_text_html_alone_gets_that(index: Index, seeds: Seeds) -> None:
    assert index.page(seeds.project, accept=PLAIN_HTML).media_type == PLAIN_HTML


@should("PEP 691", "Recommendations", "support all 3 content types")
def test_who_takes_v1_html_alone_gets_that(index: Index, seeds: Seeds) -> None:
    assert index.page(seeds.project, accept=HTML).media_type == HTML


@must("PEP 691", "Version + Format Selection", "latest is answered with the actual version's type")
@pytest.mark.parametrize("kind", ["json", "html"])
def test_latest_is_answered_with_its_version(index: Index, seeds: Seeds, kind: str) -> None:
    answer = index.page(seeds.project, accept=f"application/vnd.pypi.simple.latest+{kind}")
    if answer.status == 406:
        pytest.skip("latest is not served")
    assert answer.status == 200
    assert is_what_it_says(answer), f"the page is {answer.media_type!r}"


@must("PEP 691", "Version + Format Selection", "without a common type: a default, 406, or 300")
def test_who_takes_nothing_of_it_gets_a_clear_answer(index: Index, seeds: Seeds) -> None:
    answer = index.page(seeds.project, accept="application/vnd.pypi.simple.v999+json")
    assert answer.status in (200, 300, 406)
    assert answer.status != 200 or is_what_it_says(answer)


@should("PEP 691", "Recommendations", "never 300 Multiple Choices")
def test_nobody_gets_multiple_choices(index: Index, seeds: Seeds) -> None:
    assert index.page(seeds.project, accept="image/png").status != 300


@should("PEP 691", "Version + Format Selection", "the order of listed types has no meaning")
def test_the_order_of_types_does_not_count(index: Index, seeds: Seeds) -> None:
    types = (JSON, HTML, PLAIN_HTML)
    answers = {index.page(seeds.project, accept=", ".join(order)).media_type for order in (types, types[::-1])}
    assert len(answers) == 1


@should("PEP 691", "Version + Format Selection", "a higher quality has priority")
@pytest.mark.parametrize("liked", [JSON, PLAIN_HTML])
def test_the_higher_quality_wins(index: Index, seeds: Seeds, liked: str) -> None:
    other = PLAIN_HTML if liked == JSON else JSON
    assert index.page(seeds.project, accept=f"{other};q=0.2, {liked};q=0.9").media_type == liked


@should("PEP 691", "Recommendations", "text/html only as a last resort")
def test_installers_get_json(index: Index, seeds: Seeds) -> None:
    assert index.page(seeds.project, accept=PIP).media_type == JSON


@should("PEP 691", "URL Parameter", "format takes precedence over Accept")
def test_the_parameter_wins_over_accept(index: Index, seeds: Seeds) -> None:
    pairs = ((JSON, PLAIN_HTML), (HTML, JSON), (PLAIN_HTML, JSON))
    path = index.page(seeds.project, accept="*/*").url
    types: list[str | None] = []
    for wanted, accept in pairs:
        answer = index.ask(f"{path}?format={wanted.replace('+', '%2B')}", accept=accept)
        types.append(answer.media_type if answer.status == 200 else None)
    if not any(types) or types == [index.ask(path, accept=accept).media_type for _, accept in pairs]:
        pytest.skip("the parameter is ignored, or refused")
    assert types == [wanted for wanted, _ in pairs]
