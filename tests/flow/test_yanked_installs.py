"""What stock installers make of yanked files (PEP 592) and of a quarantined project (PEP 792), selectors included."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_clients import NEWEST_PIP, UV, UV_VARIANTS, Client
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment
from tests.flow.flow_server import Server, running_server, uv_publish
from tests.flow.native_wheels import BUILDS, V1, make_native_wheel

pytestmark = [
    pytest.mark.flow,
    pytest.mark.skipif(HERE.best in BUILDS[:2], reason="this machine does not run two CPU-specific builds"),
]

NEXT = BUILDS[BUILDS.index(HERE.best) - 1]
"""What this machine gets where the best build is not to be had."""
SPECIFIC = BUILDS[1:]
PROJECTS = {"plainly": (V1,), "wholly": SPECIFIC, "partly": SPECIFIC, "haunted": SPECIFIC}
CLIENTS = {"pip": NEWEST_PIP, "uv": UV, "uv by labels": UV_VARIANTS, "pip by url": NEWEST_PIP.telling("url")}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, shared_objects: dict[str, Path]) -> Iterator[Server]:
    """A server whose projects have two releases each: of the newer one all is yanked, or the best build alone."""
    directory = tmp_path_factory.mktemp("yanked")
    with running_server(directory / "index") as server:
        token = server.token(*PROJECTS)
        for project, builds in PROJECTS.items():
            for version in ("1.0", "2.0"):
                for build in builds:
                    wheel = make_native_wheel(directory / build.name, shared_objects[build.name], project, version)
                    sent = uv_publish(server, token, wheel, cpufit_needs=build.need)
                    assert sent.status == 0, sent.output
        change(server, "UPDATE files SET yanked = 'leaks' WHERE filename LIKE ?", "plainly-2.0-%")
        change(server, "UPDATE files SET yanked = 'leaks' WHERE filename LIKE ?", "wholly-2.0-%")
        best = "UPDATE files SET yanked = '' WHERE filename LIKE ? AND need_key = ?"
        change(server, best, "partly-2.0-%", HERE.best.need)
        change(server, "UPDATE projects SET status = 'quarantined' WHERE name = ?", "haunted")
        yield server


def change(server: Server, statement: str, *values: str) -> None:
    """Change rows of the catalog as whatever yanks does: with the serials of the projects."""
    with closing(sqlite3.connect(server.home / "catalog.sqlite3", timeout=30)) as connection, connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.execute("UPDATE projects SET serial = serial + 1")


@pytest.fixture(params=[*CLIENTS.values()], ids=[*CLIENTS])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    return found


@pytest.fixture
def environment(client: Client, environments: Environments) -> Environment:
    found = environments.get(client, HERE)
    found.run(found.python, "-m", "pip", "uninstall", "--yes", *PROJECTS)
    return found


@pytest.mark.parametrize("project", ["plainly", "wholly"])
def test_an_installer_passes_over_a_yanked_release(
    index: Server, client: Client, environment: Environment, project: str
) -> None:
    installed = client.install(environment, index.url, project)
    assert installed.status == 0, installed.output
    best = V1 if project == "plainly" else HERE.best
    assert environment.build_of(project).output == f"1.0 {best.name}"


@pytest.mark.parametrize("project", ["plainly", "wholly"])
def test_a_pinned_release_is_installed_though_it_is_yanked(
    index: Server, client: Client, environment: Environment, project: str
) -> None:
    installed = client.install(environment, index.url, f"{project}==2.0")
    assert installed.status == 0, installed.output
    assert "leaks" in installed.output, "both installers warn, with the reason"
    best = V1 if project == "plainly" else HERE.best
    assert environment.build_of(project).output == f"2.0 {best.name}"


def test_of_a_release_in_part_yanked_the_best_of_the_rest_is_installed(
    index: Server, client: Client, environment: Environment
) -> None:
    installed = client.install(environment, index.url, "partly")
    assert installed.status == 0, installed.output
    assert environment.build_of("partly").output == f"2.0 {NEXT.name}"


def test_nothing_is_installed_of_a_quarantined_project(index: Server, client: Client, environment: Environment) -> None:
    refused = client.install(environment, index.url, "haunted")
    assert refused.status != 0, refused.output
    assert environment.build_of("haunted").status != 0
    page = httpx.get(f"{index.url}/simple/haunted/", trust_env=False)
    assert '<meta name="pypi:project-status" content="quarantined">' in page.text
