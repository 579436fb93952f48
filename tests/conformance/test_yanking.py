"""PEP 592: yanked files, where the project has one or the operator's commands can make one."""

from __future__ import annotations

from typing import Any

import pytest

from .artifacts import Artifact, make_wheel
from .index import JSON, PLAIN_HTML, Index
from .pages import HtmlPage, Listed, files_in_json, json_object
from .scores import must, should
from .seeding import Operator, Seeds, Uploads

Json = dict[str, Any]
REASON = 'broken: 1 < 2 & "quoted"'


@pytest.fixture(scope="module")
def yanked_in_json(some_json_files: list[Listed]) -> list[Listed]:
    """The yanked files of the project that is looked at."""
    found = [file for file in some_json_files if file.entry.get("yanked")]
    if not found:
        pytest.skip("the project has no yanked file")
    return found


@pytest.fixture(scope="module")
def yanked(uploads: Uploads, operator: Operator, seeds: Seeds, base: int) -> tuple[Artifact, dict[str, str]]:
    """A file that the operator yanked, with the words for the commands."""
    if operator.yank is None or operator.unyank is None:
        pytest.skip("no commands that yank a file and take it back were given")
    sent = uploads.put(make_wheel(f"{seeds.project}-lifecycle", f"{base}.0"))
    assert sent.taken, sent.answer.text
    words = {
        "project": sent.artifact.project,
        "version": sent.artifact.version,
        "filename": sent.artifact.filename,
        "reason": REASON,
    }
    operator.run(operator.yank, "yanks a file", **words)
    return sent.artifact, words


def in_json(index: Index, artifact: Artifact) -> Listed:
    answer = index.page(artifact.project, accept=JSON)
    (found,) = [file for file in files_in_json(json_object(answer), answer.url) if file.filename == artifact.filename]
    return found


def in_html(index: Index, artifact: Artifact) -> dict[str, str | None]:
    anchor = HtmlPage(index.page(artifact.project, accept=PLAIN_HTML)).anchor(artifact.filename)
    assert anchor is not None
    return anchor.attributes


@must("PEP 592", "PEP 691, Project Detail", "yanked is a boolean or a string that is not empty")
def test_the_key_is_a_boolean_or_a_reason(some_json_files: list[Listed]) -> None:
    told = [file for file in some_json_files if "yanked" in file.entry]
    if not told:
        pytest.skip("no file says whether it is yanked")
    for file in told:
        assert isinstance(file.entry["yanked"], bool | str), file.filename
        assert file.entry["yanked"] != "", file.filename


@must("PEP 592", "Specification", "data-yanked has no value or the reason")
def test_both_formats_say_the_same(
    yanked_in_json: list[Listed], some_json_files: list[Listed], html_page: HtmlPage
) -> None:
    del yanked_in_json
    in_page = {one.filename: one.attributes for one in html_page.anchors}
    for file in some_json_files:
        told, attributes = file.entry.get("yanked", False), in_page[file.filename]
        assert bool(told) == ("data-yanked" in attributes), file.filename
        assert (told if isinstance(told, str) else "") == (attributes.get("data-yanked") or ""), file.filename


@should("PEP 592", "Installers", "who installs what was pinned still gets a yanked file")
def test_a_yanked_file_can_be_had(index: Index, yanked_in_json: list[Listed]) -> None:
    assert [file.url for file in yanked_in_json[:3] if index.ask(file.url, method="HEAD").status != 200] == []


@must("PEP 592", "Specification", "a yanked file's link has data-yanked with the reason")
def test_what_is_yanked_is_marked_in_html(index: Index, yanked: tuple[Artifact, dict[str, str]]) -> None:
    assert in_html(index, yanked[0])["data-yanked"] == REASON


@must("PEP 592", "PEP 691, Project Detail", "a yanked file has yanked with the reason")
def test_what_is_yanked_is_marked_in_json(index: Index, yanked: tuple[Artifact, dict[str, str]]) -> None:
    assert in_json(index, yanked[0]).entry["yanked"] == REASON


@should("PEP 592", "Installers", "who installs what was pinned still gets what was yanked since")
def test_what_is_yanked_can_be_had(index: Index, yanked: tuple[Artifact, dict[str, str]]) -> None:
    assert index.ask(in_json(index, yanked[0]).url).body == yanked[0].data


@must("PEP 592", "Specification", "yanking may be rescinded, and set again")
def test_a_yank_can_be_taken_back(index: Index, operator: Operator, yanked: tuple[Artifact, dict[str, str]]) -> None:
    artifact, words = yanked
    operator.run(operator.unyank, "takes a yank back", **words)
    assert not in_json(index, artifact).entry.get("yanked")
    assert "data-yanked" not in in_html(index, artifact)
    operator.run(operator.yank, "yanks a file", **words)
    assert in_json(index, artifact).entry["yanked"] == REASON
