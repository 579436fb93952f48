"""PEP 503, 629 and 833: the pages in HTML."""

from __future__ import annotations

import hashlib
import re

import pytest

from .index import PLAIN_HTML, Index, normalised
from .pages import Anchor, HtmlPage, Listed
from .scores import must, should
from .seeding import Seeds


def own_anchors(page: HtmlPage, project: str) -> list[Anchor]:
    return [anchor for anchor in page.anchors if normalised(anchor.text) == normalised(project)]


@must("PEP 503", "Specification", "the root is a valid HTML5 page")
def test_the_list_of_projects_is_html5(html_root: HtmlPage) -> None:
    assert html_root.problems == []


@must("PEP 503", "Specification", "a single anchor element per project")
def test_each_project_has_one_anchor(html_root: HtmlPage, seeds: Seeds) -> None:
    assert len(own_anchors(html_root, seeds.project)) == 1
    names = [normalised(anchor.text) for anchor in html_root.anchors]
    assert len(names) == len(set(names)), "a project is listed twice"


@must("PEP 503", "Specification", "the text of the anchor is the project's name")
def test_the_text_of_an_anchor_is_a_projects_name(html_root: HtmlPage) -> None:
    assert html_root.anchors
    odd = [
        one.text for one in html_root.anchors if not re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", one.text.lower())
    ]
    assert odd == []


@must("PEP 503", "Specification", "href links to the project's URL")
def test_an_anchor_leads_to_the_projects_page(index: Index, html_root: HtmlPage, seeds: Seeds) -> None:
    (anchor,) = own_anchors(html_root, seeds.project)
    assert index.ask(anchor.url, accept=PLAIN_HTML).status == 200


@must("PEP 503", "Normalized Names", "/<project>/ takes the normalized name")
def test_a_project_is_at_its_normalised_name(index: Index, seeds: Seeds) -> None:
    answer = index.ask(f"{normalised(seeds.project)}/", accept=PLAIN_HTML, follow=False)
    assert answer.status == 200


@must("PEP 503", "Specification", "a project's URL responds with a valid HTML5 page")
def test_a_projects_page_is_html5(html_page: HtmlPage) -> None:
    assert html_page.problems == []


@must("PEP 503", "Specification", "a single anchor element per file")
def test_each_file_has_one_anchor(html_page: HtmlPage, seeds: Seeds) -> None:
    names = [anchor.filename for anchor in html_page.anchors]
    assert names
    assert len(names) == len(set(names)), "a file is listed twice"
    assert {artifact.filename for artifact in seeds.taken} <= set(names)


@must("PEP 503", "Specification", "href links to the location of the file")
def test_an_anchor_leads_to_the_file(
    index: Index, html_page: HtmlPage, sample: list[Listed], seeds: Seeds, contents: dict[str, bytes]
) -> None:
    uploaded = {artifact.filename: artifact.data for artifact in seeds.taken}
    for file in sample:
        anchor = html_page.anchor(file.filename)
        assert anchor is not None, file.filename
        answer = index.ask(anchor.url)
        assert (answer.status, answer.body) == (200, uploaded.get(file.filename, contents[file.filename]))


@must("PEP 503", "Specification", "the text matches the final path component")
def test_the_text_of_an_anchor_is_the_files_name(html_page: HtmlPage) -> None:
    assert html_page.anchors
    assert [one.text for one in html_page.anchors if one.text != one.filename] == []


@should("PEP 503", "Specification", "the URL includes a hash, #<hashname>=<hashvalue>")
def test_an_address_has_a_hash(html_page: HtmlPage) -> None:
    assert html_page.anchors
    without = [one.href for one in html_page.anchors if not re.fullmatch(r"[a-z0-9_]+=[0-9a-f]+", one.fragment)]
    assert without == []


@must("PEP 503", "Specification", "<hashvalue> is the file's hex encoded digest")
def test_the_hash_is_that_of_the_file(html_page: HtmlPage, contents: dict[str, bytes]) -> None:
    checked = 0
    for filename, data in contents.items():
        anchor = html_page.anchor(filename)
        name, value = ("", "") if anchor is None else anchor.hash
        if name in hashlib.algorithms_guaranteed:
            checked += 1
            assert hashlib.new(name, data).hexdigest() == value, filename
    if not checked:
        pytest.skip("no address has a hash")


@should("PEP 503", "Specification", "a hash function that hashlib guarantees")
def test_the_hash_is_one_that_everybody_has(html_page: HtmlPage) -> None:
    names = {anchor.hash[0] for anchor in html_page.anchors} - {""}
    if not names:
        pytest.skip("no address has a hash")
    assert names <= {"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}


@should("PEP 503", "Specification", "the current recommendation is sha256")
def test_the_hash_is_sha256(html_page: HtmlPage) -> None:
    names = {anchor.hash[0] for anchor in html_page.anchors} - {""}
    if not names:
        pytest.skip("no address has a hash")
    assert names == {"sha256"}


@must("PEP 503", "Specification", "URLs which respond with HTML5 end with a /")
def test_no_page_is_served_without_its_slash(index: Index, seeds: Seeds) -> None:
    answer = index.ask(normalised(seeds.project), accept=PLAIN_HTML)
    assert answer.status != 200 or answer.url.endswith("/"), f"{answer.url} is a page"


@should("PEP 503", "Specification", "redirect the URLs without a / to add one")
def test_an_address_without_its_slash_is_redirected(index: Index, seeds: Seeds) -> None:
    answer = index.ask(normalised(seeds.project), accept=PLAIN_HTML)
    assert answer.status == 200
    assert answer.hops, "it is served, not redirected"
    assert answer.url.endswith(f"/{normalised(seeds.project)}/")


@must("PEP 503", "Specification", "< and > in data-requires-python are HTML encoded")
def test_requires_python_is_escaped(html_page: HtmlPage) -> None:
    written = [one.raw_value("data-requires-python") for one in html_page.anchors]
    told = [value for value in written if value is not None]
    if not told:
        pytest.skip("no link says which Python its file requires")
    assert [value for value in told if "<" in value or ">" in value] == []


@must("PEP 503", "Specification", "data-requires-python exposes Requires-Python")
def test_requires_python_is_that_of_the_metadata(html_page: HtmlPage, seeds: Seeds) -> None:
    found = {one.filename: one.attributes.get("data-requires-python") for one in html_page.anchors}
    if not any(found.values()):
        pytest.skip("no link says which Python its file requires")
    if not seeds.taken:
        pytest.skip("nothing was uploaded whose metadata could be compared")
    for artifact in seeds.taken:
        told = (found[artifact.filename] or "").replace(" ", "")
        assert told == (artifact.requires_python or "").replace(" ", ""), artifact.filename


@should("PEP 503", "Specification", "data-gpg-sig stands on every link or on none")
def test_signatures_are_told_of_every_file(html_page: HtmlPage) -> None:
    told = ["data-gpg-sig" in anchor.attributes for anchor in html_page.anchors]
    if not any(told):
        pytest.skip("no link tells of signatures")
    assert all(told)


@must("PEP 503", "Specification", "a signature is at the file's URL with .asc")
def test_a_signature_lies_beside_its_file(index: Index, html_page: HtmlPage) -> None:
    signed = [one for one in html_page.anchors if one.attributes.get("data-gpg-sig") == "true"]
    if not signed:
        pytest.skip("no link tells of a signature")
    assert [one.url for one in signed[:3] if index.ask(one.url + ".asc").status != 200] == []


@must("PEP 629", "Overview", "a meta tag pypi:repository-version on every page")
def test_every_page_says_its_version(html_root: HtmlPage, html_page: HtmlPage) -> None:
    assert html_root.repository_version is not None
    assert html_page.repository_version is not None


@must("PEP 629", "Overview", "the version is only Major.Minor")
def test_the_version_has_two_numbers(html_root: HtmlPage, html_page: HtmlPage) -> None:
    for page in (html_root, html_page):
        assert re.fullmatch(r"\d+\.\d+", page.repository_version or ""), page.repository_version


@must("PEP 629", "Overview", "a client fails on a major version greater than 1")
def test_the_major_version_is_one(html_page: HtmlPage) -> None:
    # no tag counts as 1.0
    assert (html_page.repository_version or "1.0").partition(".")[0] == "1"


@must("PEP 833", "Specification", "HTML stays at repository version 1.4")
def test_html_claims_no_newer_version(html_page: HtmlPage) -> None:
    major, _, minor = (html_page.repository_version or "1.0").partition(".")
    assert (int(major), int(minor)) <= (1, 4)
