"""PEP 792: what a project's status says and does."""

from __future__ import annotations

from typing import Any

import pytest

from .artifacts import make_wheel
from .conftest import Pages
from .index import JSON, PLAIN_HTML, Index
from .pages import HtmlPage, files_in_json, json_object
from .scores import must
from .seeding import Operator, Seeds, Uploads

Json = dict[str, Any]
STATUSES = ("active", "archived", "quarantined", "deprecated")
REASON = "moved to another project"


class Lifecycle:
    """A project whose status the operator sets, with one file in it."""

    def __init__(self, index: Index, uploads: Uploads, operator: Operator, project: str, base: int) -> None:
        self._index, self._uploads, self._operator, self._base = index, uploads, operator, base
        self.project = project
        self._count = 0
        self.first = uploads.put(make_wheel(project, f"{base}.2.0"))
        assert self.first.taken, self.first.answer.text

    def set(self, status: str) -> None:
        """Give the project a status."""
        words = {"project": self.project, "status": status, "reason": REASON}
        self._operator.run(self._operator.status, "gives a project a status", **words)

    def upload(self) -> bool:
        """Upload one more release; tell whether it was taken."""
        self._count += 1
        return self._uploads.put(make_wheel(self.project, f"{self._base}.2.{self._count}")).taken

    def page(self) -> Json:
        """Return the JSON page."""
        return json_object(self._index.page(self.project, accept=JSON))

    def html(self) -> HtmlPage:
        """Return the HTML page."""
        return HtmlPage(self._index.page(self.project, accept=PLAIN_HTML))

    def offered(self) -> bool:
        """Tell whether the first file is listed and can be downloaded."""
        answer = self._index.page(self.project, accept=JSON)
        if answer.status != 200:
            return False
        files = files_in_json(json_object(answer), answer.url)
        return any(
            file.filename == self.first.artifact.filename and self._index.ask(file.url).status == 200 for file in files
        )


@pytest.fixture(scope="module")
def lifecycle(index: Index, uploads: Uploads, operator: Operator, seeds: Seeds, base: int) -> Lifecycle:
    """A project whose status can be set."""
    if operator.status is None:
        pytest.skip("no command that gives a project a status was given")
    return Lifecycle(index, uploads, operator, f"{seeds.project}-lifecycle", base)


@pytest.fixture(scope="module")
def told(some_json_page: Json) -> Json:
    """The status that the page tells."""
    if "project-status" not in some_json_page:
        pytest.skip("the page tells no status, which is optional: it counts as active")
    status = some_json_page["project-status"]
    assert isinstance(status, dict)
    return status


@must("PEP 792", "Simple API, Project Detail", "status is a valid project status marker")
def test_the_status_is_one_of_four(told: Json) -> None:
    assert told.get("status", "active") in STATUSES


@must("PEP 792", "Simple API, Project Detail", "reason is an arbitrary string")
def test_the_reason_is_text(told: Json) -> None:
    if "reason" not in told:
        pytest.skip("no reason is told")
    assert isinstance(told["reason"], str)


@must("PEP 792", "Simple API, Project Detail", "project-status is of API version 1.4")
def test_a_status_comes_with_version_1_4(told: Json, some_json_page: Json) -> None:
    del told
    major, minor = some_json_page["meta"]["api-version"].split(".")
    assert (int(major), int(minor)) >= (1, 4)


@must("PEP 792", "Simple API, Project Detail", "pypi:project-status is a valid project status marker")
def test_the_html_page_says_the_same(html_page: HtmlPage, project_pages: Pages) -> None:
    told = html_page.metas.get("pypi:project-status")
    if told is None:
        pytest.skip("the page tells no status, which is optional: it counts as active")
    answer = project_pages.json_answer
    page = json_object(answer) if answer.media_type == JSON else {}
    assert told == [page.get("project-status", {}).get("status", "active")]
    assert told[0] in STATUSES


@must("PEP 792", "active", "the index allows uploads of new distributions")
def test_an_active_project_takes_files(seeds: Seeds, uploads: Uploads) -> None:
    del uploads
    assert [one.answer.status_code for one in seeds.sent if not one.taken] == []


@must("PEP 792", "active", "the index offers existing distributions for download")
def test_an_active_project_offers_its_files(contents: dict[str, bytes]) -> None:
    assert all(contents.values())


@must("PEP 792", "archived", "the index does not allow uploads of new distributions")
def test_an_archived_project_takes_nothing(lifecycle: Lifecycle) -> None:
    lifecycle.set("archived")
    assert not lifecycle.upload()


@must("PEP 792", "archived", "the index offers existing distributions for download")
def test_an_archived_project_offers_its_files(lifecycle: Lifecycle) -> None:
    lifecycle.set("archived")
    assert lifecycle.offered()


@must("PEP 792", "quarantined", "the index does not allow uploads of new distributions")
def test_a_quarantined_project_takes_nothing(lifecycle: Lifecycle) -> None:
    lifecycle.set("quarantined")
    assert not lifecycle.upload()


@must("PEP 792", "quarantined", "the index offers no distribution for download")
def test_a_quarantined_project_offers_nothing(lifecycle: Lifecycle) -> None:
    lifecycle.set("active")
    assert lifecycle.offered()
    lifecycle.set("quarantined")
    assert not lifecycle.offered()


@must("PEP 792", "deprecated", "as active: uploads are allowed, files are offered")
def test_a_deprecated_project_is_as_an_active_one(lifecycle: Lifecycle) -> None:
    lifecycle.set("deprecated")
    assert lifecycle.upload()
    assert lifecycle.offered()


@must("PEP 792", "Simple API, Project Detail", "project-status tells status and reason that were set")
def test_the_pages_tell_the_status_that_was_set(lifecycle: Lifecycle) -> None:
    lifecycle.set("deprecated")
    assert lifecycle.page()["project-status"] == {"status": "deprecated", "reason": REASON}
    metas = lifecycle.html().metas
    if "pypi:project-status" in metas:  # optional in HTML
        assert metas["pypi:project-status"] == ["deprecated"]
        assert metas.get("pypi:project-status-reason", [REASON]) == [REASON]


@must("PEP 792", "Specification", "a project that notes no status is active")
def test_a_project_can_be_active_again(lifecycle: Lifecycle) -> None:
    lifecycle.set("quarantined")
    lifecycle.set("active")
    assert lifecycle.page().get("project-status", {}).get("status", "active") == "active"
    assert lifecycle.upload()
