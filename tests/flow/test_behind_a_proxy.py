"""The server below a path of a reverse proxy, of which its public URL alone tells it: stock clients find their way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from tests.flow.flow_clients import NEWEST_PIP, UV, UV_VARIANTS, Client
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment
from tests.flow.flow_proxy import Proxy, reverse_proxy
from tests.flow.flow_server import Server, running_server, twine_upload, uv_publish
from tests.flow.native_wheels import BUILDS, V1, make_native_wheel

pytestmark = pytest.mark.flow

PREFIX = "/some/prefix"
ORDINARY, SPECIFIC = "ordinary", "specific"


@dataclass(frozen=True, kw_only=True)
class Behind:
    """A server and the proxy before it; the server's ``url`` is the one that clients use."""

    server: Server
    proxy: Proxy


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory, shared_objects: dict[str, Path]) -> Iterator[Behind]:
    """A server with a project of an ordinary wheel, and one that has wheels for a v2 CPU and better ones alone."""
    directory = tmp_path_factory.mktemp("behind")
    with reverse_proxy(PREFIX) as proxy, running_server(directory, CPUFIT_PUBLIC_URL=proxy.url) as server:
        proxy.target = server.url
        known = replace(server, url=proxy.url)
        token = server.token(ORDINARY, SPECIFIC)
        files = [(ORDINARY, V1), *((SPECIFIC, build) for build in BUILDS if build is not V1)]
        for number, (project, build) in enumerate(files):
            wheel = make_native_wheel(directory / project / build.name, shared_objects[build.name], project, "2.0")
            sent = (twine_upload, uv_publish)[number % 2](known, token, wheel, cpufit_needs=build.need)
            assert sent.status == 0, sent.output
        yield Behind(server=known, proxy=proxy)
        assert proxy.outside == [], "every address that anybody was given lies below the prefix"


@pytest.fixture(params=[NEWEST_PIP, UV], ids=["pip", "uv"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.param
    return found


def remove(environment: Environment, project: str) -> None:
    environment.run(environment.python, "-m", "pip", "uninstall", "--yes", project)


def test_an_ordinary_wheel_is_installed(behind: Behind, client: Client, environments: Environments) -> None:
    environment = environments.get(client, HERE)
    remove(environment, ORDINARY)
    installed = client.install(environment, behind.server.url, ORDINARY)
    assert installed.status == 0, installed.output
    assert environment.build_of(ORDINARY).output == "2.0 v1"


@pytest.mark.skipif(HERE.best is V1, reason="this machine runs no build of the project")
def test_the_selector_finds_its_wheel(behind: Behind, client: Client, environments: Environments) -> None:
    environment = environments.get(client, HERE)
    remove(environment, SPECIFIC)
    installed = client.install(environment, behind.server.url, SPECIFIC)
    assert installed.status == 0, installed.output
    assert environment.build_of(SPECIFIC).output == f"2.0 {HERE.best.name}"
    assert [status for path, status in behind.proxy.passed if path.startswith("/selectors/")][-1] == 200


@pytest.mark.skipif(HERE.best is V1, reason="this machine runs no build of the project")
@pytest.mark.parametrize("told", [NEWEST_PIP.telling("url"), UV_VARIANTS], ids=["pip by url", "uv by labels"])
def test_a_client_that_chooses_before_it_downloads_finds_its_wheel(
    behind: Behind, told: Client, environments: Environments
) -> None:
    environment = environments.get(told, HERE)
    remove(environment, SPECIFIC)
    before = len(behind.proxy.passed)
    installed = told.install(environment, behind.server.url, SPECIFIC)
    assert installed.status == 0, installed.output
    assert environment.build_of(SPECIFIC).output == f"2.0 {HERE.best.name}"
    fetched = [path for path, _ in behind.proxy.passed[before:] if path.endswith(".whl")]
    assert fetched
    assert all(path.startswith("/files/") for path in fetched)
    codings = dict(behind.proxy.codings[before:])
    assert not any(codings[path] for path in fetched), "a file is never compressed on the way"
    if told is UV_VARIANTS:
        assert codings[f"/simple/{SPECIFIC}/"] == "zstd", "what uv likes as much as gzip"


def test_pip_download_brings_the_uploaded_file(behind: Behind, environments: Environments, tmp_path: Path) -> None:
    environment = environments.get(NEWEST_PIP, HERE)
    index = f"{behind.server.url}/simple/"
    download = ("-m", "pip", "download", "--no-deps", "--dest", tmp_path, "--index-url", index)
    done = environment.run(environment.python, *download, ORDINARY)
    assert done.status == 0, done.output
    (file,) = tmp_path.iterdir()
    (uploaded,) = (behind.server.home.parent / ORDINARY / V1.name).iterdir()
    assert (file.name, file.read_bytes()) == (uploaded.name, uploaded.read_bytes())


@pytest.mark.parametrize("project", [ORDINARY, SPECIFIC])
@pytest.mark.parametrize("root", ["/simple/", "/cpu/x86_64_v3/simple/"])
@pytest.mark.parametrize("asked", ["{0}/", "{0}", "{1}/"], ids=["the address", "without its slash", "in capitals"])
def test_each_address_on_a_page_lies_below_the_prefix(behind: Behind, root: str, project: str, asked: str) -> None:
    url = behind.server.url + root + asked.format(project, project.upper())
    headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
    with httpx.Client(headers=headers, follow_redirects=True, trust_env=False) as browser:
        page = browser.get(url)
        assert str(page.url) == f"{behind.server.url}{root}{project}/"
        files = page.json()["files"]
        assert files
        for file in files:
            assert urljoin(str(page.url), file["url"]).startswith(f"{behind.server.url}/")
            whole = browser.get(urljoin(str(page.url), file["url"]))
            assert (whole.status_code, len(whole.content)) == (200, file["size"])
            part = browser.get(urljoin(str(page.url), file["url"]), headers={"Range": "bytes=2-5"})
            assert (part.status_code, part.content) == (206, whole.content[2:6])
