from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.upstream_index import UpstreamIndex, sha256

from cpufit_pip_plugin.cpu_check.cli import main as cpu_check
from cpufit_resolver.need import parse_need
from cpufit_server.answers import UpstreamProject
from cpufit_server.cli import main as server_command
from cpufit_wheelhouse.inspection.verdict import Verdict

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
X86 = frozenset({"x86_64"})


@pytest.fixture
def passing(tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **settings: run_server(tmp_path / "home", upstream=index.simple, **settings)


@pytest.fixture
def wheels(index: UpstreamIndex, make_wheel: Callable[..., Any]) -> dict[str, str]:
    """A pure wheel, a native one and an sdist; the native one's address on our server."""
    native = make_wheel(name="other", tags=LINUX, native=True)
    url = index.add("other", *native)
    index.add("other", *make_wheel(name="other", version="0.9"))
    index.add("other", "other-1.0.tar.gz", b"source")
    return {"filename": native[0], "sha256": sha256(native[1]), "url": url}


def listed(server: Any, path: str = "/simple/other/") -> list[str]:
    return sorted(server.names(path))


def judge(server: Any, wheel: dict[str, str], need: str | None) -> None:
    """Record a verdict as the inspection of another server on the same catalog would."""
    verdict = Verdict(need=None, undetermined=("who knows",))
    if need is not None:
        told = parse_need(need, X86)
        verdict = Verdict(need=dataclasses.replace(told, source="inspected"))
    server.home.catalog.upstream.record("other", wheel["filename"], wheel["sha256"], verdict=verdict)


PURE, SDIST = "other-0.9-py3-none-any.whl", "other-1.0.tar.gz"


def test_a_wheel_that_is_known_not_to_fit_is_not_listed(passing: Callable[..., Any], wheels: dict[str, str]) -> None:
    with passing() as server:
        judge(server, wheels, "x86_64_v3")
        assert listed(server) == [PURE, SDIST], "plain: it does not run everywhere"
        assert listed(server, "/cpu/x86_64_v2/simple/other/") == [PURE, SDIST]
        assert listed(server, "/cpu/x86_64_v3/simple/other/") == [PURE, wheels["filename"], SDIST]
        page = server.page("/cpu/x86_64_v3/simple/other/")
        assert [file.get("_cpufit_need") for file in page["files"]] == ["x86_64_v3", None, None]
        assert server.client.get(wheels["url"]).status_code == 200, "its address holds, as a hidden hosted one's does"


def test_one_that_runs_everywhere_or_is_unknown_is_listed_for_everybody(
    passing: Callable[..., Any], wheels: dict[str, str]
) -> None:
    with passing() as server:
        judge(server, wheels, "x86_64_v1")
        assert listed(server) == listed(server, "/cpu/x86_64_v1/simple/other/") == [PURE, wheels["filename"], SDIST]
    with passing() as server:
        judge(server, wheels, None)
        assert listed(server) == [PURE, wheels["filename"], SDIST], "undetermined is unknown"


def test_a_wheel_is_inspected_once_it_is_cached_and_its_verdict_kept(
    passing: Callable[..., Any], wheels: dict[str, str]
) -> None:
    with passing(upstream_inspect=True) as server:
        assert wheels["filename"] in listed(server)
        assert server.client.get(wheels["url"]).status_code == 200
        deadline = time.monotonic() + 60
        inspections = server.home.catalog.inspections
        while inspections.verdict(wheels["sha256"]) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert inspections.verdict(wheels["sha256"]) is not None
        (file,) = server.home.catalog.upstream.files("other")
        assert file.verdict == inspections.verdict(wheels["sha256"])


@pytest.mark.parametrize("named", ["more/{}/more-1.0-", "more/{}/other-1.0-"])
def test_a_name_that_no_page_has_is_no_reason_to_inspect_a_cached_file_anew(
    passing: Callable[..., Any], wheels: dict[str, str], named: str
) -> None:
    def verdict() -> Verdict | None:
        found: Verdict | None = server.home.catalog.inspections.verdict(wheels["sha256"])
        return found

    with passing(upstream_inspect=True) as server:
        assert server.client.get(wheels["url"]).status_code == 200
        deadline = time.monotonic() + 60
        while verdict() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        judge(server, wheels, "x86_64_v3")
        judged = verdict()
        assert server.client.get(f"/upstream/{named.format(wheels['sha256'])}{LINUX}.whl").status_code == 200
        deadline = time.monotonic() + 2
        while verdict() == judged and time.monotonic() < deadline:
            time.sleep(0.05)
        assert verdict() == judged, "the verdict on these bytes holds wherever they are listed"
        assert server.home.catalog.upstream.files("more") == ()
        assert [file.filename for file in server.home.catalog.upstream.files("other")] == [wheels["filename"]]


def test_what_is_held_is_fetched_inspected_and_listed_then(
    passing: Callable[..., Any], wheels: dict[str, str], index: UpstreamIndex
) -> None:
    with passing(upstream_inspect=True, upstream_unknown="hold") as server:
        assert listed(server) == [PURE, SDIST]
        deadline = time.monotonic() + 60
        inspections = server.home.catalog.inspections
        while inspections.verdict(wheels["sha256"]) is None and time.monotonic() < deadline:
            time.sleep(0.05)
            listed(server)
        assert inspections.verdict(wheels["sha256"]) is not None
        judge(server, wheels, "x86_64_v2")
    assert index.counts()[f"/files/{wheels['filename']}"] <= 3, "the wheel, and ranges of it"
    with passing(upstream_inspect=True, upstream_unknown="hold") as server:
        assert wheels["filename"] not in listed(server)
        assert wheels["filename"] in listed(server, "/cpu/x86_64_v2/simple/other/")


def test_an_operators_word_stands_above_the_verdict_on_an_upstream_wheel(
    passing: Callable[..., Any], wheels: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with passing() as server:
        judge(server, wheels, "x86_64_v3")
        home = ["--home", str(server.settings.home)]
        said = ["override", "set", wheels["sha256"], "--needs", "x86_64_v1", "--why", "it asks the CPU", *home]
        assert server_command(said) == 0
        assert "within a minute" in capsys.readouterr().out
    with passing() as server:
        assert wheels["filename"] in listed(server)


def test_cpu_check_tells_which_upstream_releases_fit(
    passing: Callable[..., Any], wheels: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with passing() as server:
        judge(server, wheels, "x86_64_v3")
        told = server.client.get("/api/v1/projects/other").json()
        assert UpstreamProject.model_validate(told, strict=False).name == "other"
        assert told["upstream"] is True
        asked = ["other", "--index", str(server.client.base_url), "--cpu", "x86_64_v2", "--json"]
        assert cpu_check(asked) == 0
        releases = {one["version"]: one for one in json.loads(capsys.readouterr().out)["releases"]}
    assert releases["0.9"]["fits"], "a pure wheel runs everywhere"
    assert not releases["1.0"]["fits"]


def test_a_project_that_nobody_has_is_404_as_json(passing: Callable[..., Any], wheels: dict[str, str]) -> None:
    with passing() as server:
        assert server.client.get("/api/v1/projects/nothing").status_code == 404
        assert server.client.get("/api/v1/projects/a%3Fb").status_code == 404
