from __future__ import annotations

import gzip
import secrets

import zstandard

from cpufit_server.bounded_cache import BoundedCache
from cpufit_server.negotiation import JSON_TYPE, PLAIN_HTML_TYPE
from cpufit_server.pages import compress, render
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage


def cache(entries: int, weight: int) -> BoundedCache[bytes]:
    return BoundedCache(entries=entries, weight=weight, weigh=len)


def test_what_was_used_longest_ago_makes_room() -> None:
    kept = cache(2, 100)
    kept.put("a", b"1")
    kept.put("b", b"2")
    assert kept.get("a") == b"1"
    kept.put("c", b"3")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (b"1", None, b"3")


def test_the_weight_is_bounded_too_and_counted_right_when_replaced() -> None:
    kept = cache(100, 10)
    for _ in range(5):
        kept.put("a", b"x" * 6)
    kept.put("b", b"x" * 4)
    assert len(kept) == 2
    kept.put("c", b"x")
    assert (kept.get("a"), len(kept)) == (None, 2)
    kept.put("d", b"x" * 11)
    assert len(kept) == 0


def test_a_page_is_compressed_in_the_coding_asked_for_where_it_pays() -> None:
    files = tuple(PageFile(filename=f"a-{n}.tar.gz", url=f"../a-{n}.tar.gz") for n in range(100))
    page = ProjectPage(name="a", files=files)
    json, html = render(page, JSON_TYPE), render(page, PLAIN_HTML_TYPE)
    zipped, packed = json.encoded("gzip"), json.encoded("zstd")
    assert gzip.decompress(zipped.body) == zstandard.decompress(packed.body) == json.body
    assert len({each.etag for each in (json, html, zipped, packed)}) == 4
    assert json.encoded("zstd") == packed, "the same bytes each time, or the strong tag would lie"
    assert json.encoded(None) is json
    small = render(ProjectPage(name="a", files=()), JSON_TYPE)
    assert small.encoded("gzip") is small


def test_a_zstd_page_needs_no_larger_window_than_clients_have_to_take() -> None:
    packed = compress(secrets.token_hex(6 << 20).encode(), "zstd")
    assert zstandard.get_frame_parameters(packed).window_size <= 8 << 20, "RFC 9659, section 3"


def test_the_fresh_segment_is_another_in_each_answer_and_the_same_within_one() -> None:
    files = tuple(PageFile(filename=f"a-{n}.tar.gz", url=f"../PLACE/a-{n}.tar.gz") for n in range(100))
    page = render(ProjectPage(name="a", files=files), PLAIN_HTML_TYPE, placeholder="PLACE")
    first, second = page.refreshed().body, page.refreshed().body
    assert first != second
    assert b"PLACE" not in first
    segments = {part.split(b"/")[0] for part in first.split(b"../")[1:]}
    assert len(segments) == 1
    assert page.encoded("gzip") is page, "it is compressed when its segment is known"


def test_a_page_without_a_selector_has_nothing_to_refresh() -> None:
    page = render(ProjectPage(name="a", files=()), JSON_TYPE, placeholder="PLACE")
    assert page.placeholder is None
    assert page.refreshed() is page


def test_half_a_surrogate_pair_from_upstream_does_not_break_the_page() -> None:
    page = ProjectPage(name="a", files=(PageFile(filename="a\ud800.tar.gz", url="https://x.example/a"),))
    assert b"a?.tar.gz" in render(page, JSON_TYPE).body
