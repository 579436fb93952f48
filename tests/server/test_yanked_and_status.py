"""Yanked files (PEP 592) and the status of a project (PEP 792), from the catalog to a client."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from sqlalchemy import update

from cpufit_wheelhouse.catalog import schema

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
UV = 'uv/0.13.9 {"cpu":"x86_64"}'
VIEWS = [
    ("/simple/fast/", "pip/26.3"),
    ("/simple/fast/", UV),
    ("/cpu/x86_64_v4/simple/fast/", "pip/26.3"),
]


def set_columns(server: Any, table: Any, where: Any, **values: object) -> None:
    """Change rows as whatever sets them does: with the serial of the project."""
    with server.home.catalog._writer.begin() as connection:
        connection.execute(update(table).where(where).values(**values))
        connection.execute(update(schema.projects).values(serial=schema.projects.c.serial + 1))


def yank(server: Any, data: bytes, reason: str | None) -> None:
    set_columns(server, schema.files, schema.files.c.sha256 == hashlib.sha256(data).hexdigest(), yanked=reason)


def set_status(server: Any, status: str, reason: str | None = None) -> None:
    set_columns(server, schema.projects, schema.projects.c.name == "fast", status=status, status_reason=reason)


@pytest.fixture
def variants(server: Any, make_wheel: Callable[..., Any]) -> dict[str, bytes]:
    """Wheels of one name for v2 and v3 in release 1.0, and an ordinary one in 0.9; their bytes by level."""
    found = {}
    for level in ("x86_64_v2", "x86_64_v3"):
        file = make_wheel(tags=LINUX, native=True, extra=level.encode())
        assert server.upload(file, cpufit_needs=level).status_code == 200
        found[level] = file[1]
    ordinary = make_wheel(version="0.9")
    assert server.upload(ordinary).status_code == 200
    return {**found, "ordinary": ordinary[1]}


def yanks(server: Any, path: str = "/simple/fast/", user_agent: str = "pip/26.3") -> dict[str, bool | str]:
    return {file["filename"]: file["yanked"] for file in server.page(path, user_agent)["files"]}


def chosen_by_the_selector(server: Any) -> set[str]:
    """Return the hashes of the wheels among which the selector on the plain page chooses."""
    (entry,) = (file for file in server.page()["files"] if file.get("_cpufit_selector"))
    answer = server.client.get(urljoin("/simple/fast/", entry["url"]))
    with tarfile.open(fileobj=BytesIO(answer.content)) as archive:
        inside = archive.extractfile("fast-1.0/candidates.json")
        assert inside is not None
        return {candidate["sha256"] for candidate in json.loads(inside.read())["candidates"]}


def test_a_yank_is_on_every_page_and_can_be_taken_back(server: Any, variants: dict[str, bytes]) -> None:
    yank(server, variants["ordinary"], 'wrong "<b>"')
    for path, user_agent in VIEWS:
        assert yanks(server, path, user_agent)["fast-0.9-py3-none-any.whl"] == 'wrong "<b>"'
    html = server.client.get("/simple/fast/", headers={"Accept": "text/html"}).text
    assert 'data-yanked="wrong &quot;&lt;b&gt;&quot;"' in html
    yank(server, variants["ordinary"], "")
    assert yanks(server)["fast-0.9-py3-none-any.whl"] is True
    yank(server, variants["ordinary"], None)
    assert yanks(server)["fast-0.9-py3-none-any.whl"] is False


def test_a_yanked_file_is_still_handed_out(server: Any, variants: dict[str, bytes]) -> None:
    yank(server, variants["ordinary"], "broken")
    entry = next(file for file in server.page()["files"] if file["yanked"] == "broken")
    assert server.client.get(urljoin("/simple/fast/", entry["url"])).content == variants["ordinary"]


def test_the_selector_follows_a_yank_and_its_end(server: Any, variants: dict[str, bytes]) -> None:
    v2, v3 = (hashlib.sha256(variants[level]).hexdigest() for level in ("x86_64_v2", "x86_64_v3"))
    assert chosen_by_the_selector(server) == {v2, v3}
    yank(server, variants["x86_64_v3"], "broken")
    assert chosen_by_the_selector(server) == {v2}
    assert yanks(server)["fast-1.0.tar.gz"] is False
    yank(server, variants["x86_64_v2"], "broken too")
    assert chosen_by_the_selector(server) == {v2, v3}
    assert yanks(server)["fast-1.0.tar.gz"] == "broken too; broken"
    yank(server, variants["x86_64_v3"], None)
    assert chosen_by_the_selector(server) == {v3}
    assert yanks(server)["fast-1.0.tar.gz"] is False


def test_labelled_wheels_and_the_profile_view_follow_the_yank(server: Any, variants: dict[str, bytes]) -> None:
    yank(server, variants["x86_64_v3"], "broken")
    labels = {name: yanked for name, yanked in yanks(server, user_agent=UV).items() if "x86_64_v" in name}
    assert labels == {f"fast-1.0-{LINUX}-x86_64_v2.whl": False, f"fast-1.0-{LINUX}-x86_64_v3.whl": "broken"}
    entry = next(f for f in server.page("/cpu/x86_64_v4/simple/fast/")["files"] if "-1.0-" in f["filename"])
    assert entry["hashes"]["sha256"] == hashlib.sha256(variants["x86_64_v2"]).hexdigest()
    assert entry["yanked"] is False


@pytest.mark.parametrize("status", ["active", "archived", "deprecated"])
def test_the_status_is_told_and_the_files_stay(server: Any, variants: dict[str, bytes], status: str) -> None:
    before = [server.names(*view) for view in VIEWS]
    set_status(server, status, "see <b>faster</b>")
    assert [server.names(*view) for view in VIEWS] == before
    for path, user_agent in VIEWS:
        page = server.page(path, user_agent)
        assert page["meta"] == {"api-version": "1.4"}
        assert page["project-status"] == {"status": status, "reason": "see <b>faster</b>"}
        html = server.client.get(path, headers={"Accept": "text/html", "User-Agent": user_agent}).text
        assert f'<meta name="pypi:project-status" content="{status}">' in html
        assert '<meta name="pypi:project-status-reason" content="see &lt;b&gt;faster&lt;/b&gt;">' in html


def test_a_project_without_a_reason_tells_none(server: Any, variants: dict[str, bytes]) -> None:
    assert server.page()["project-status"] == {"status": "active"}
    assert "project-status-reason" not in server.client.get("/simple/fast/").text


@pytest.fixture
def addresses(server: Any, variants: dict[str, bytes]) -> list[str]:
    """Every address of a file of the project that some page named."""
    found = set()
    for path, user_agent in VIEWS:
        for file in server.page(path, user_agent)["files"]:
            url = urljoin(path, file["url"])
            found |= {url, f"{url}.metadata"} if "core-metadata" in file else {url}
    assert all(server.client.get(url).status_code == 200 for url in found)
    return sorted(found)


def test_of_a_quarantined_project_nothing_is_offered(
    server: Any, variants: dict[str, bytes], addresses: list[str]
) -> None:
    kept = [server.client.get(path, headers={"User-Agent": agent}).headers.get("etag") for path, agent in VIEWS]
    set_status(server, "quarantined", "malware")
    for (path, user_agent), etag in zip(VIEWS, kept, strict=True):
        page = server.page(path, user_agent)
        assert page["files"] == []
        assert page["versions"] == ["0.9", "1.0"]
        assert page["project-status"] == {"status": "quarantined", "reason": "malware"}
        known = {"User-Agent": user_agent, "If-None-Match": etag or '"none"'}
        answer = server.client.get(path, headers=known)
        assert answer.status_code == 200
        assert "<a " not in answer.text
    for url in addresses:
        for ask in (server.client.get, server.client.head):
            refused: httpx.Response = ask(url)
            assert refused.status_code == 403, url
        assert server.client.get(url).json()["code"] == "project-quarantined"
    assert server.client.get("/simple/").text.count("fast") == 2, "the project itself is still listed"


def test_the_end_of_a_quarantine_brings_everything_back(
    server: Any, variants: dict[str, bytes], addresses: list[str]
) -> None:
    before = [server.names(*view) for view in VIEWS]
    set_status(server, "quarantined")
    set_status(server, "active")
    assert [server.names(*view) for view in VIEWS] == before
    assert {server.client.get(url).status_code for url in addresses} == {200}


def test_a_quarantined_project_is_nobody_s_unmet_demand(server: Any, variants: dict[str, bytes]) -> None:
    set_status(server, "quarantined")
    assert "_cpufit_unmet" not in server.page("/cpu/x86_64_v1/simple/fast/")
    assert server.client.get("/api/v1/wanted").json()["wanted"] == []
