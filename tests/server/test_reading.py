"""Private reading: who sees what, what a missing and what a wrong token gets, and what a cache may keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from cpufit_server.app import ROUTERS
from cpufit_server.reading import Target, target_of
from cpufit_server.selectors import Selectors

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def private(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]
) -> Iterator[Any]:
    with run_server(tmp_path / "home", private_reading=True) as server:
        for name in ("fast", "slow"):
            server.upload(make_wheel(name=name, tags=LINUX, native=True), cpufit_needs="x86_64_v2+avx")
            server.upload(make_sdist(name=name))
        yield server


def token(server: Any, *projects: str, scopes: tuple[str, ...] = ("read",)) -> tuple[str, str]:
    return "__token__", server.home.catalog.create_token(projects or None, "", scopes=frozenset(scopes))


def addresses(server: Any, name: str) -> list[str]:
    """Return an address of each kind that is about one project."""
    snapshot = server.home.catalog.snapshot(name)
    wheel, sdist = snapshot.files
    (labelled,) = (made for made in snapshot.derived if made.kind == "labelled")
    page = server.client.get(f"/simple/{name}/", headers={"Accept": JSON}, auth=token(server)).json()
    (selector,) = (file for file in page["files"] if file.get("_cpufit_selector"))
    return [
        f"/simple/{name}/",
        f"/cpu/x86_64_v3/simple/{name}/",
        f"/files/{wheel.sha256}/{wheel.filename}",
        f"/files/{wheel.sha256}/{wheel.filename}.metadata",
        f"/files/{labelled.sha256}/{labelled.filename}",
        f"/files/{sdist.sha256}/{sdist.filename}",
        selector["url"].removeprefix("../.."),
        f"/api/v1/projects/{name}",
    ]


LISTINGS = ["/simple/", "/cpu/x86_64_v2/simple/", "/api/v1/held", "/api/v1/wanted"]


def test_without_a_token_everything_is_401_but_the_health_and_what_is_not_here_too(private: Any) -> None:
    for path in (*addresses(private, "fast"), *LISTINGS, "/simple/nothing/", "/nothing", "/files/x/y", "/docs"):
        for method in ("GET", "HEAD"):
            answer = private.client.request(method, path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert answer.headers["cache-control"] == "no-store"
    assert private.client.get("/healthz").status_code == 200


def test_a_token_reads_its_projects_and_no_other(private: Any) -> None:
    mine, wrong = token(private, "fast"), token(private, "slow")
    for path in addresses(private, "fast"):
        answer = private.client.get(path, auth=mine)
        assert answer.status_code == 200, path
        assert "public" not in answer.headers["cache-control"], path
        answer = private.client.get(path, auth=wrong)
        assert (answer.status_code, "token-not-for-project" in answer.text) == (403, True), path
    # a project that is not here is told from one that is not his by nobody who may not read either
    assert private.client.get("/simple/nothing/", auth=mine).status_code == 403
    assert private.client.get("/simple/nothing/", auth=token(private)).status_code == 404
    assert private.client.get("/nothing", auth=mine).status_code == 403
    assert private.client.get("/nothing", auth=token(private)).status_code == 404


def test_files_are_kept_for_their_reader_alone(private: Any) -> None:
    page, _, _, file, *_ = addresses(private, "fast")
    answer = private.client.get(file, auth=token(private))
    assert answer.headers["cache-control"] == "private, max-age=365000000, immutable"
    answer = private.client.get("/cpu/x86_64_v3/simple/fast/", auth=token(private))
    assert answer.headers["cache-control"] == "private, no-cache"
    moved = private.client.get(page.replace("fast", "Fast"), auth=token(private))
    assert (moved.status_code, moved.headers["cache-control"]) == (301, "private, no-cache")


def test_lists_leave_out_what_a_token_may_not_read(private: Any) -> None:
    def listed(auth: tuple[str, str]) -> list[str]:
        page = private.client.get("/simple/", headers={"Accept": JSON}, auth=auth).json()
        return [project["name"] for project in page["projects"]]

    assert listed(token(private)) == ["fast", "slow"]
    assert listed(token(private, "Slow")) == ["slow"]
    for auth, projects in ((token(private), {"fast", "slow"}), (token(private, "slow"), {"slow"})):
        for name in ("fast", "slow"):
            private.client.get(f"/cpu/x86_64_v1/simple/{name}/", auth=token(private))
        wanted = private.client.get("/api/v1/wanted", auth=auth).json()
        assert {one["project"] for one in wanted["wanted"]} == projects
        assert wanted["releases"] == len(projects)


@pytest.mark.parametrize(
    ("scopes", "code"), [(("upload",), "token-lacks-scope"), (("admin",), None), (("read", "upload"), None)]
)
def test_the_scope_counts(private: Any, scopes: tuple[str, ...], code: str | None) -> None:
    answer = private.client.get("/api/v1/projects/fast", auth=token(private, scopes=scopes))
    assert (answer.status_code, answer.json().get("code")) == (200 if code is None else 403, code)


def test_a_wrong_token_is_403(private: Any) -> None:
    answer = private.client.get("/simple/fast/", auth=("__token__", "cpufit-wrong"))
    assert (answer.status_code, "token-not-valid" in answer.text) == (403, True)


def test_a_revoked_token_is_refused_at_once(private: Any) -> None:
    auth = token(private)
    assert private.client.get("/simple/fast/", auth=auth).status_code == 200
    private.home.catalog.revoke_token(private.home.catalog.tokens()[-1].id)
    assert private.client.get("/simple/fast/", auth=auth).status_code == 403


def test_selectors_of_a_private_index_send_no_reports_which_it_would_refuse(private: Any) -> None:
    snapshot = private.home.catalog.snapshot("fast")
    addresses(private, "fast")
    made = [each.sha256 for each in private.home.catalog.derived("fast") if each.kind == "selector"]
    silent = Selectors(private.home, private.settings.base_url, wanted=False).of(snapshot)["1.0"]
    assert made == [silent.sha256]


def test_what_passes_through_from_upstream_is_for_every_token(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "upstream") as upstream:
        upstream.upload(make_wheel(name="dependency"))
        with run_server(
            tmp_path / "home", private_reading=True, upstream=f"http://127.0.0.1:{upstream.settings.port}/simple"
        ) as server:
            server.upload(make_wheel(name="slow"))
            mine = token(server, "fast")
            assert server.client.get("/simple/dependency/", auth=mine).status_code == 200
            assert server.client.get("/simple/slow/", auth=mine).status_code == 403
            assert server.client.get("/simple/dependency/").status_code == 401


def test_every_route_is_about_a_project_or_told_otherwise() -> None:
    """A route that is added without being thought of here is for tokens of every project."""
    values = {"{name}": "fast", "{token}": "x86_64_v2", "{sha256}": "a" * 64, "{fresh}": "x", "{held_id}": "1"}
    values |= {"{digest}": "b" * 64, "{project}": "fast"}
    targets = {}
    for router in ROUTERS:
        for route in (route for route in router.routes if isinstance(route, APIRoute)):
            path = route.path
            for name, value in {**values, "{filename}": "fast-1.0.tar.gz", "{version}": "1.0"}.items():
                path = path.replace(name, value)
            targets[path] = target_of(path)
    assert {path for path, target in targets.items() if target is Target.OPEN} == {"/healthz", "/legacy/", "/legacy"}
    assert {path for path, target in targets.items() if target is Target.EVERYTHING} == set()
    assert targets[f"/selectors/{'a' * 64}/x/fast-1.0.tar.gz"] == "fast"
    assert targets["/simple/fast"] == "fast"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/files/x/Fast_er-1.0-py3-none-any.whl", "fast-er"),
        ("/files/x/fast_er-1.0-py3-none-manylinux_2_17_x86_64-x86_64_v3.whl.metadata", "fast-er"),
        ("/files/x/fast_er-1.0-variants.json", "fast-er"),
        ("/files/x/fast-er-1.0.tar.gz", "fast-er"),
        ("/files/x/fast.exe", Target.EVERYTHING),
        ("/files/x/-.whl", Target.EVERYTHING),
        ("/files/../simple/", Target.EVERYTHING),
        ("/simple//", Target.EVERYTHING),
        ("/metrics", Target.EVERYTHING),
        ("/healthz/", Target.EVERYTHING),
        ("/api/v1/projects/Fast.er/journal", "fast-er"),
    ],
)
def test_what_an_address_is_about(path: str, target: object) -> None:
    assert target_of(path) == target
