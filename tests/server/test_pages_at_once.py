"""What many want at the same instant is made once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import wheel_bytes
from tests.together import together

from cpufit_server import pages
from cpufit_server.client import asker_of_user_agent
from cpufit_server.made_once import MadeOnce
from cpufit_server.negotiation import JSON_TYPE, Form
from cpufit_server.pages import Pages
from cpufit_server.selectors import Selectors
from cpufit_wheelhouse.admission.rules import Submission
from cpufit_wheelhouse.home import Home, open_home

MANY = 12
ASKER = asker_of_user_agent(None, max_length=100, max_token_length=100)
FORM = Form(media_type=JSON_TYPE, coding=None)


def put(home: Home, version: str) -> None:
    name, data = wheel_bytes("fast", version)
    with home.blobs.stage() as staged:
        staged.write(data)
        home.ingest.wheel(staged, name, provenance={"source": "upload"}, submission=Submission(project="fast"))


def asked(ask: Callable[[], Any]) -> list[Any]:
    found, errors = together(MANY, lambda _: ask())
    assert errors == []
    return found


def test_a_page_that_many_want_is_rendered_and_its_project_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(tmp_path / "home") as home:
        put(home, "1.0")
        made = Pages(home, Selectors(home, "http://x"), entries=100, weight=1 << 20)
        rendered: list[str] = []
        read: list[str] = []
        render, snapshot = pages.render, home.catalog.snapshot

        def slowly(page: Any, *arguments: Any, **named: Any) -> Any:
            rendered.append(page.name)
            time.sleep(0.2)
            return render(page, *arguments, **named)

        def counted(name: str, *arguments: Any) -> Any:
            read.append(name)
            time.sleep(0.2)
            return snapshot(name, *arguments)

        monkeypatch.setattr(pages, "render", slowly)
        monkeypatch.setattr(type(home.catalog), "snapshot", lambda _, *arguments: counted(*arguments))
        for version in ("1.0", "2.0"):
            if version == "2.0":
                put(home, version)
            found = asked(lambda: made.project("fast", ASKER, FORM, "../../"))
            assert all(page is found[0] for page in found)
            assert version in found[0].body.decode()
            assert (rendered, read) == (["fast"], ["fast"])
            assert made.cache_figures[1] == (1 if version == "1.0" else 2)
            rendered.clear()
            read.clear()


def test_the_list_of_projects_is_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(tmp_path / "home") as home:
        put(home, "1.0")
        made = Pages(home, Selectors(home, "http://x"), entries=100, weight=1 << 20)
        rendered: list[str] = []
        render = pages.render

        def slowly(page: Any, *arguments: Any, **named: Any) -> Any:
            rendered.extend(page.projects)
            time.sleep(0.2)
            return render(page, *arguments, **named)

        monkeypatch.setattr(pages, "render", slowly)
        found = asked(lambda: made.index(FORM))
        assert all(page is found[0] for page in found)
        assert rendered == ["fast"]


def test_what_fails_fails_for_all_who_waited_at_once_and_is_tried_anew_later() -> None:
    once, tried = MadeOnce[str](), []

    def make() -> str:
        tried.append(1)
        time.sleep(0.3)
        if len(tried) == 1:
            raise OSError("the disk")
        return "page"

    found, errors = together(MANY, lambda _: once.get("page", make))
    assert (found, [str(error) for error in errors]) == ([], ["the disk"] * MANY)
    assert len(tried) == 1
    assert len(once) == 0
    assert once.get("page", make) == "page"


def test_other_things_do_not_wait() -> None:
    once = MadeOnce[str]()

    def other() -> str:
        return once.get("other", lambda: "other")

    with ThreadPoolExecutor(1) as people:
        assert once.get("one", lambda: people.submit(other).result(10)) == "other"


def test_what_no_cache_keeps_is_given_to_all_who_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_home(tmp_path / "home") as home:
        put(home, "1.0")
        made = Pages(home, Selectors(home, "http://x"), entries=0, weight=0)
        rendered: list[str] = []
        render = pages.render

        def slowly(page: Any, *arguments: Any, **named: Any) -> Any:
            rendered.append(page.name)
            time.sleep(0.3)
            return render(page, *arguments, **named)

        monkeypatch.setattr(pages, "render", slowly)
        assert {b"fast-1.0" in page.body for page in asked(lambda: made.project("fast", ASKER, FORM, "../../"))} == {
            True
        }
        assert len(rendered) < MANY
