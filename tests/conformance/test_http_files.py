"""RFC 9110 and 9111: what installers need of a file, which they resume, read in part, and keep."""

from __future__ import annotations

import re

import pytest

from .index import Answer, Index
from .pages import Listed
from .scores import must, should


@pytest.fixture(scope="module")
def whole(index: Index, sample: list[Listed]) -> Answer:
    """One file as GET gives it."""
    return index.ask(sample[0].url)


def part(index: Index, whole: Answer, wanted: str, if_range: str = "") -> Answer:
    """Ask for a part of the file, or skip where parts are not served, which is optional."""
    answer = index.ask(whole.url, range=f"bytes={wanted}", if_range=if_range)
    if answer.status == 200 and whole.headers.get("accept-ranges", "none") == "none":
        pytest.skip("parts of files are not served")
    return answer


@must("HTTP", "RFC 9110 §9.3.2", "HEAD of a file is 200 without content")
def test_head_of_a_file_has_no_body(index: Index, whole: Answer) -> None:
    answer = index.ask(whole.url, method="HEAD")
    assert (answer.status, answer.raw) == (200, b"")


@should("HTTP", "RFC 9110 §8.6; pip, uv", "HEAD says the file's Content-Length")
def test_head_tells_the_length(index: Index, whole: Answer) -> None:
    assert index.ask(whole.url, method="HEAD").headers.get("content-length") == str(len(whole.raw))


@should("HTTP", "RFC 9110 §14.3; pip, uv", "HEAD says Accept-Ranges: bytes")
def test_head_tells_that_parts_are_served(index: Index, whole: Answer) -> None:
    assert index.ask(whole.url, method="HEAD").headers.get("accept-ranges") == "bytes"


@should("HTTP", "RFC 9110 §14.2; pip, uv", "a Range is answered with 206")
def test_a_part_of_a_file_can_be_had(index: Index, whole: Answer) -> None:
    assert index.ask(whole.url, range="bytes=0-9").status == 206


@must("HTTP", "RFC 9110 §15.3.7", "a 206 has the part, and Content-Range says which")
@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("0-0", 0, 1), ("10-99", 10, 100), ("5-", 5, None), ("-100", -100, None)]
)
def test_a_part_is_what_was_asked_for(index: Index, whole: Answer, wanted: str, first: int, last: int | None) -> None:
    answer = part(index, whole, wanted)
    expected = whole.raw[first:last]
    assert (answer.status, answer.raw) == (206, expected)
    size = len(whole.raw)
    begin = size + first if first < 0 else first
    assert answer.headers["content-range"] == f"bytes {begin}-{begin + len(expected) - 1}/{size}"


@must("HTTP", "RFC 9110 §14.2", "a range past the end stops at the end")
def test_a_range_past_the_end_stops_there(index: Index, whole: Answer) -> None:
    assert part(index, whole, f"10-{len(whole.raw) + 1000}").raw == whole.raw[10:]


@should("HTTP", "RFC 9110 §15.5.17", "a range behind the end is 416 with the length")
def test_a_range_behind_the_end_is_416(index: Index, whole: Answer) -> None:
    answer = part(index, whole, f"{len(whole.raw)}-")
    assert answer.status == 416
    assert answer.headers.get("content-range") == f"bytes */{len(whole.raw)}"


@must("HTTP", "RFC 9110 §14.2", "a Range of another unit, or a broken one, is ignored or refused")
@pytest.mark.parametrize("told", ["lines=1-2", "bytes=9-1", "bytes=x"])
def test_a_range_that_is_none_gives_no_wrong_bytes(index: Index, whole: Answer, told: str) -> None:
    answer = index.ask(whole.url, range=told)
    assert answer.status in (200, 400, 416)
    assert answer.status != 200 or answer.raw == whole.raw


@must("HTTP", "RFC 9110 §13.1.5; pip", "If-Range with the entity tag gives the part")
def test_who_resumes_the_same_file_gets_the_rest(index: Index, whole: Answer) -> None:
    validator = whole.headers.get("etag") or whole.headers.get("last-modified")
    if validator is None or validator.startswith("W/"):
        pytest.skip("the file has no strong validator")
    answer = part(index, whole, "10-", if_range=validator)
    assert (answer.status, answer.raw) == (206, whole.raw[10:])


@must("HTTP", "RFC 9110 §13.1.5; pip", "If-Range with another entity tag gives the whole file")
def test_who_resumes_another_file_gets_all_of_it(index: Index, whole: Answer) -> None:
    answer = part(index, whole, "10-", if_range='"something-else"')
    assert (answer.status, answer.raw) == (200, whole.raw)


@must("HTTP", "RFC 9110 §14.3", "Accept-Ranges: bytes is not said where none are served")
def test_ranges_that_are_promised_are_served(index: Index, whole: Answer) -> None:
    promised = index.ask(whole.url, method="HEAD").headers.get("accept-ranges", "none")
    if promised == "none":
        pytest.skip("no ranges are promised")
    assert index.ask(whole.url, range="bytes=0-0").status == 206


@must("HTTP", "RFC 9110 §8.4; pip", "a file is not compressed on the way")
def test_files_are_not_compressed(index: Index, whole: Answer) -> None:
    answer = index.ask(whole.url, accept_encoding="gzip, deflate, br, zstd")
    assert answer.headers.get("content-encoding", "identity") == "identity"
    assert answer.raw == whole.raw


@should("HTTP", "RFC 9110 §8.8", "a file has a validator: ETag or Last-Modified")
def test_a_file_has_a_validator(whole: Answer) -> None:
    assert "etag" in whole.headers or "last-modified" in whole.headers


@must("HTTP", "RFC 9110 §13.1.2", "If-None-Match with the file's entity tag is answered 304")
def test_who_has_the_file_is_told_so(index: Index, whole: Answer) -> None:
    if "etag" not in whole.headers:
        pytest.skip("the file has no entity tag")
    answer = index.ask(whole.url, if_none_match=whole.headers["etag"])
    assert (answer.status, answer.raw) == (304, b"")


@should("HTTP", "RFC 9110 §8.3", "a file says its Content-Type, and it is none of a page")
def test_a_file_has_a_type(whole: Answer) -> None:
    assert whole.media_type
    assert not whole.media_type.startswith(("text/", "application/vnd.pypi"))


@should("HTTP", "RFC 9111 §5.2; uv", "a file, which never changes, may be kept for a day or longer")
def test_a_file_may_be_kept(whole: Answer) -> None:
    ages = re.findall(r"(?:^|[\s,])max-age\s*=\s*(\d+)", whole.headers.get("cache-control", "").lower())
    assert ages
    assert int(ages[0]) >= 86400


@must("HTTP", "pip", "a file's address has no query, so that .metadata can be put behind it")
def test_addresses_of_files_have_no_query(listed: list[Listed]) -> None:
    assert [file.url for file in listed if "?" in file.url] == []


@must("HTTP", "RFC 9110 §15.5.5", "a file that is not there is 404")
def test_a_missing_file_is_404(index: Index, whole: Answer) -> None:
    missing = whole.url.rpartition("/")[0] + "/no_such_file-0.0-py3-none-any.whl"
    assert index.ask(missing).status == 404
