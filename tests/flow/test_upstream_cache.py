"""Real installers through the cache: from another server of ours, from a counted index, at once, and offline."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.flow.flow_clients import uv_program
from tests.flow.flow_machines import Outcome, clean_environment
from tests.flow.flow_server import running_server, twine_upload
from tests.server.upstream_index import UpstreamIndex, upstream_server

pytestmark = pytest.mark.flow

Wheels = list[Path]


@pytest.fixture
def wheels(wheel_factory: Callable[..., Path]) -> Wheels:
    """An application, what it needs, and what that needs."""
    head = ("Metadata-Version: 2.1", "Version: 1.0")
    needs = {"app": ("middle",), "middle": ("small", "large"), "small": (), "large": ()}
    noise = {"large": {"large/__init__.py": b"", "large/data.bin": bytes(range(256)) * 20_000}}
    return [
        wheel_factory(
            name=name,
            members=noise.get(name, {f"{name}/__init__.py": b""}),
            metadata=[*head, f"Name: {name}", *(f"Requires-Dist: {one}" for one in required)],
            compression=0,
        )
        for name, required in needs.items()
    ]


@pytest.fixture
def counted(wheels: Wheels) -> Iterator[UpstreamIndex]:
    with upstream_server() as index:
        for wheel in wheels:
            index.add(wheel.name.split("-")[0], wheel.name, wheel.read_bytes())
        yield index


def pip(scratch: Path, url: str) -> Outcome:
    """Download the application with pip, with nothing in its cache."""
    command = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--dest", str(scratch / "got")]
    return run(scratch, *command, "--index-url", f"{url}/simple/", "app")


def uv(scratch: Path, url: str) -> Outcome:
    """Install the application with uv, with nothing in its cache."""
    command = [str(uv_program()), "pip", "install", "--python", sys.executable, "--target", str(scratch / "got")]
    return run(scratch, *command, "--index-url", f"{url}/simple/", "app")


CLIENTS = [pip, uv]


def run(scratch: Path, *command: str) -> Outcome:
    scratch.mkdir(parents=True)
    ended = subprocess.run(
        command,
        env=clean_environment(scratch),
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return Outcome(status=ended.returncode, output=ended.stdout)


def got(scratch: Path) -> set[str]:
    """Return the projects that a client has."""
    return {path.name.split("-")[0] for path in (scratch / "got").iterdir()} & {"app", "middle", "small", "large"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_of_ours_as_upstream_and_then_without_it(
    tmp_path: Path, wheels: Wheels, client: Callable[[Path, str], Outcome]
) -> None:
    with running_server(tmp_path / "upstream") as upstream:
        uploaded = twine_upload(upstream, upstream.token("app", "middle", "small", "large"), *wheels)
        assert uploaded.status == 0, uploaded.output
        with running_server(tmp_path / "here", "--upstream", f"{upstream.url}/simple/") as server:
            first = client(tmp_path / "first", server.url)
            assert first.status == 0, first.output
            address = upstream.url
    with running_server(tmp_path / "here", "--upstream", f"{address}/simple/", "--upstream-offline") as server:
        second = client(tmp_path / "second", server.url)
        assert second.status == 0, second.output
    assert got(tmp_path / "first") == got(tmp_path / "second") == {"app", "middle", "small", "large"}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_an_upstream_without_metadata_files(
    tmp_path: Path, counted: UpstreamIndex, client: Callable[[Path, str], Outcome], ranges: bool
) -> None:
    counted.ranges = ranges
    with running_server(tmp_path / "here", "--upstream", f"{counted.simple}/") as server:
        ended = client(tmp_path / "client", server.url)
    assert ended.status == 0, ended.output
    assert got(tmp_path / "client") == {"app", "middle", "small", "large"}
    whole = [path for path, headers in counted.asked if path.endswith(".whl") and "range" not in headers]
    assert len(whole) == len(set(whole)), "no wheel is fetched twice"


def test_twenty_clients_at_once_cause_one_request_for_each_page_and_file(
    tmp_path: Path, counted: UpstreamIndex
) -> None:
    with (
        running_server(tmp_path / "here", "--upstream", f"{counted.simple}/") as server,
        ThreadPoolExecutor(20) as threads,
    ):
        running = [
            threads.submit(CLIENTS[number % 2], tmp_path / f"client-{number}", server.url) for number in range(20)
        ]
        ended = [one.result() for one in running]
    assert [one.output for one in ended if one.status] == []
    assert all(got(tmp_path / f"client-{number}") == {"app", "middle", "small", "large"} for number in range(20))
    asked = Counter((path, headers.get("range")) for path, headers in counted.asked if path != "/simple/pip/")
    assert set(asked.values()) == {1}, "uv looks into wheels before it fetches them: each part is asked for once too"
    whole = {path for path, wanted in asked if wanted is None}
    assert whole == {*(f"/simple/{name}/" for name in ("app", "middle", "small", "large")), *counted.files}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_takes_a_wheel_with_a_wrong_hash(
    tmp_path: Path, counted: UpstreamIndex, client: Callable[[Path, str], Outcome]
) -> None:
    # at once: what is wrong with the wheel is found out before the second client comes
    settings = {"CPUFIT_UPSTREAM_METADATA_WAIT": "0"}
    with running_server(tmp_path / "here", "--upstream", f"{counted.simple}/", **settings) as server:
        path = next(path for path in counted.files if path.startswith("/files/large"))
        right = counted.files[path]
        counted.files[path] = right[:-1] + b"?"
        assert client(tmp_path / "first", server.url).status != 0
        counted.files[path] = right
        assert client(tmp_path / "second", server.url).status == 0
