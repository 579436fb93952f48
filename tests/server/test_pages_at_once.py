"""What many want at the same instant is made once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import wheel_bytes

from cpufit_server import pages
from cpufit_server.client import asker_of_user_agent
from cpufit_server.negotiation import JSON_TYPE, Form
from cpufit_server.pages import Pages
from cpufit_server.selectors import Selectors
from cpufit_server.turns_by_key import TurnsByKey
from cpufit_wheelhouse.admission.rules import Submission
from cpufit_wheelhouse.home import Home, open_home

MANY = 12


def put(home: Home, version: str) -> None:
    name, data = wheel_bytes("fast", version)
    with home.blobs.stage() as staged:
        staged.write(data)
        home.ingest.wheel(staged, name, provenance={"source": "upload"}, submission=Submission(project="fast"))


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
        asker = asker_of_user_agent(None, max_length=100, max_token_length=100)
        form = Form(media_type=JSON_TYPE, coding=None)
        begin = threading.Barrier(MANY)

        def ask(_: int) -> Any:
            begin.wait()
            return made.project("fast", asker, form, "../../")

        with ThreadPoolExecutor(MANY) as people:
            for version in ("1.0", "2.0"):
                if version == "2.0":
                    put(home, version)
                found = list(people.map(ask, range(MANY)))
                assert all(page is found[0] for page in found)
                assert version in found[0].body.decode()
                assert (rendered, read) == (["fast"], ["fast"])
                hits, misses = made.cache_figures
                assert (hits + misses, misses) == ((MANY, 1) if version == "1.0" else (2 * MANY, 2))
                rendered.clear()
                read.clear()


def test_one_that_fails_is_made_by_the_next_and_nothing_is_left() -> None:
    turns, tried = TurnsByKey(), []

    def make(number: int) -> float:
        with turns.of("page"):
            tried.append(number)
            return 1 / (len(tried) - 1)  # the first fails

    with ThreadPoolExecutor(MANY) as people:
        made = [people.submit(make, number) for number in range(MANY)]
        assert sum(one.exception() is None for one in made) == MANY - 1
    assert len(turns) == 0


def test_other_things_do_not_wait() -> None:
    turns = TurnsByKey()
    with turns.of("one"), ThreadPoolExecutor(1) as people:

        def other() -> int:
            with turns.of("other"):
                return len(turns)

        assert people.submit(other).result(10) == 2
