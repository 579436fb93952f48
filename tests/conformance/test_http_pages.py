"""RFC 9110 and 9111: what installers and caches on the way need of a page."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest

from .index import HTML, JSON, PLAIN_HTML, Answer, Index, normalised
from .scores import must, should
from .seeding import Seeds


def page(index: Index, seeds: Seeds, accept: str = f"{JSON}, {PLAIN_HTML};q=0.1", **headers: str) -> Answer:
    answer = index.page(seeds.project, accept=accept, **headers)
    assert answer.status in (200, 304), f"the page answers {answer.status}"
    return answer


@pytest.fixture
def etag(index: Index, seeds: Seeds) -> str:
    """The entity tag of the project's page."""
    found = page(index, seeds).headers.get("etag")
    if found is None:
        pytest.skip("the page has no entity tag")
    return str(found)


@should("HTTP", "RFC 9110 §8.8", "a page has a validator: ETag or Last-Modified")
def test_a_page_has_a_validator(index: Index, seeds: Seeds) -> None:
    headers = page(index, seeds).headers
    assert "etag" in headers or "last-modified" in headers


@must("HTTP", "RFC 9110 §8.8.3", "an entity tag is a quoted string, W/ before a weak one")
def test_an_entity_tag_is_quoted(etag: str) -> None:
    assert re.fullmatch(r'(W/)?"[\x21\x23-\x7e]*"', etag), etag


@must("HTTP", "RFC 9110 §13.1.2", "If-None-Match with the entity tag is answered 304")
def test_who_has_the_page_is_told_so(index: Index, seeds: Seeds, etag: str) -> None:
    answer = page(index, seeds, if_none_match=etag)
    assert (answer.status, answer.raw) == (304, b"")


@must("HTTP", "RFC 9110 §13.1.2", "If-None-Match is a list, compared weakly")
def test_a_list_of_tags_is_understood(index: Index, seeds: Seeds, etag: str) -> None:
    weak = etag if etag.startswith("W/") else f"W/{etag}"
    assert page(index, seeds, if_none_match=f'"something-else", {weak}').status == 304


@must("HTTP", "RFC 9110 §13.1.2", "another entity tag is answered with the page")
def test_who_has_another_page_gets_this_one(index: Index, seeds: Seeds, etag: str) -> None:
    del etag
    assert page(index, seeds, if_none_match='"something-else"').status == 200


@must("HTTP", "RFC 9110 §15.4.5", "a 304 has the ETag, Vary and Cache-Control of the 200")
def test_a_304_has_the_headers_that_caches_need(index: Index, seeds: Seeds, etag: str) -> None:
    full, short = page(index, seeds), page(index, seeds, if_none_match=etag)
    assert short.status == 304
    for name in ("etag", "vary", "cache-control", "content-location", "expires"):
        assert short.headers.get(name) == full.headers.get(name), name


@must("HTTP", "RFC 9110 §8.8.3", "representations that differ have different strong tags")
def test_each_representation_has_a_tag_of_its_own(index: Index, seeds: Seeds, etag: str) -> None:
    del etag
    answers = [
        page(index, seeds, accept, accept_encoding=coding)
        for accept in (JSON, PLAIN_HTML)
        for coding in ("identity", "gzip")
    ]
    seen: dict[str, bytes] = {}
    for answer in answers:
        tag = str(answer.headers.get("etag", ""))
        if tag and not tag.startswith("W/"):
            assert seen.setdefault(tag, answer.raw) == answer.raw, "one strong tag for different bytes"


@must("HTTP", "RFC 9110 §8.8.3", "the entity tag is the same for the same page")
def test_the_tag_stays_while_nothing_changes(index: Index, seeds: Seeds, etag: str) -> None:
    assert page(index, seeds).headers["etag"] == etag


@should("HTTP", "RFC 9110 §12.5.5", "a page chosen by Accept says so in Vary")
def test_vary_names_accept(index: Index, seeds: Seeds) -> None:
    types = {page(index, seeds, accept).media_type for accept in (JSON, PLAIN_HTML)}
    if len(types) == 1:
        pytest.skip("there is one format")
    assert {"accept", "*"} & page(index, seeds).vary


@should("HTTP", "RFC 9110 §12.5.5", "a page chosen by Accept-Encoding says so in Vary, coded or not")
def test_vary_names_accept_encoding(index: Index, seeds: Seeds) -> None:
    coded = page(index, seeds, accept_encoding="gzip")
    if "content-encoding" not in coded.headers:
        pytest.skip("pages are not compressed")
    for answer in (coded, page(index, seeds, accept_encoding="identity")):
        assert {"accept-encoding", "*"} & answer.vary


@should("HTTP", "RFC 9110 §8.4", "a page is compressed for who takes gzip")
def test_pages_are_compressed(index: Index, seeds: Seeds) -> None:
    plain = page(index, seeds)
    if len(plain.raw) < 1400:
        pytest.skip("the page fits into one packet as it is")
    assert page(index, seeds, accept_encoding="gzip").headers.get("content-encoding") == "gzip"


@must("HTTP", "RFC 9110 §8.4", "a coded page decodes to the page")
def test_a_compressed_page_is_the_page(index: Index, seeds: Seeds) -> None:
    coded = page(index, seeds, accept_encoding="gzip, deflate")
    assert coded.headers.get("content-encoding", "identity") in ("gzip", "deflate", "identity")
    assert coded.body == page(index, seeds).body


@must("HTTP", "RFC 9110 §12.5.3", "no coding is sent that the client does not take")
def test_who_takes_no_gzip_gets_none(index: Index, seeds: Seeds) -> None:
    for coding in ("identity", "gzip;q=0", "br;q=0, gzip;q=0.0, identity"):
        found = page(index, seeds, accept_encoding=coding).headers.get("content-encoding", "identity")
        assert found == "identity", f"for Accept-Encoding: {coding} the page is {found}"


@must("HTTP", "RFC 9110 §9.3.2", "HEAD has the status of GET and no content")
def test_head_of_a_page_has_no_body(index: Index, seeds: Seeds) -> None:
    answer = index.ask(f"{normalised(seeds.project)}/", method="HEAD", accept=PLAIN_HTML)
    assert (answer.status, answer.raw) == (200, b"")


@should("HTTP", "RFC 9110 §9.3.2", "HEAD has the header fields of GET")
def test_head_of_a_page_has_the_headers_of_get(index: Index, seeds: Seeds) -> None:
    path = f"{normalised(seeds.project)}/"
    head = index.ask(path, method="HEAD", accept=PLAIN_HTML).headers
    got = index.ask(path, accept=PLAIN_HTML).headers
    for name in ("content-type", "etag", "cache-control", "vary"):
        assert head.get(name) == got.get(name), name


@should("HTTP", "RFC 9110 §8.3", "pages have their exact content types")
def test_types_are_exact(index: Index, seeds: Seeds) -> None:
    for accept, types in ((JSON, {JSON}), (HTML, {HTML, PLAIN_HTML}), (PLAIN_HTML, {PLAIN_HTML})):
        answer = index.page(seeds.project, accept=accept)
        if answer.status == 200:
            assert answer.media_type in types, f"for Accept: {accept} the page is {answer.media_type}"


@should("HTTP", "RFC 9111 §5.2", "a page says how long it may be kept, ten minutes at the most")
def test_a_new_file_is_not_hidden_by_caches(index: Index, seeds: Seeds) -> None:
    # pip since 26.2 and uv believe max-age; without the header uv guesses from Last-Modified
    told = page(index, seeds).headers.get("cache-control", "").lower()
    assert told, "there is no Cache-Control"
    ages = re.findall(r"(?:s-maxage|max-age)\s*=\s*(\d+)", told)
    assert "no-cache" in told or "no-store" in told or (ages and max(map(int, ages)) <= 600), told


@must("HTTP", "RFC 9110 §6.6.1", "an answer has a Date in the form of §5.6.7")
def test_a_page_has_a_date(index: Index, seeds: Seeds) -> None:
    told = page(index, seeds).headers.get("date", "")
    assert parsedate_to_datetime(told).tzinfo is not None


@must("HTTP", "RFC 9110 §15.5.5; pip, uv", "a project that is not there is 404")
def test_a_missing_project_is_404(index: Index) -> None:
    assert index.page("conformance-no-such-project-7f3a", accept=PLAIN_HTML).status == 404


@must("HTTP", "RFC 9110 §10.2.2", "a redirect of another spelling leads to the project's page")
def test_another_spelling_leads_to_the_page(index: Index, seeds: Seeds) -> None:
    answer = index.ask(f"{normalised(seeds.project).upper()}/", accept=PLAIN_HTML)
    if not answer.hops:
        pytest.skip("other spellings are not redirected, which is optional")
    assert answer.status == 200
    assert answer.url.endswith(f"/{normalised(seeds.project)}/")


@should("HTTP", "RFC 9110 §9.1", "a method that a page does not have is 405, or 501")
def test_a_page_cannot_be_put(index: Index, seeds: Seeds) -> None:
    answer = index.ask(f"{normalised(seeds.project)}/", method="PUT", accept=PLAIN_HTML)
    assert answer.status in (401, 403, 405, 501)


@must("HTTP", "RFC 9110 §15.5.6", "a 405 has Allow")
def test_what_cannot_be_done_says_what_can(index: Index, seeds: Seeds) -> None:
    answer = index.ask(f"{normalised(seeds.project)}/", method="PUT", accept=PLAIN_HTML)
    if answer.status != 405:
        pytest.skip(f"the answer is {answer.status}")
    assert "GET" in answer.headers.get("allow", "")
