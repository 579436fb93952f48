"""Demands: counted beside the pages and from reports, written in batches, ranked for whoever builds."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from cpufit_pip_plugin.selector.backend.release import Release, read_release
from cpufit_pip_plugin.selector.backend.reporting import report_of
from cpufit_resolver import CpuProfile
from cpufit_resolver.refusals import needs_features
from cpufit_server.cli import main
from cpufit_server.demands import CountingLimits, Demands
from cpufit_wheelhouse.catalog import Demand, DemandLimits
from cpufit_wheelhouse.home import open_home

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
PIP = 'pip/26.3 {"python":"3.11.7","system":{"name":"Linux"},"user_data":"cpufit=x86_64_v2+aes"}'
REPORT = {
    "project": "fast",
    "version": "2.0",
    "cpu": "x86_64_v2+aes",
    "missing": ["avx"],
    "python": "3.11",
    "platform": "manylinux_2_36_x86_64",
}


def fill(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel(tags=LINUX, native=True, version="1.0"), cpufit_needs="x86_64_v2")
    server.upload(make_wheel(tags=LINUX, native=True, version="2.0"), cpufit_needs="x86_64_v2+avx")


@pytest.fixture
def filled(server: Any, make_wheel: Callable[..., Any]) -> Any:
    fill(server, make_wheel)
    return server


def wanted(server: Any, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.client.get("/api/v1/wanted", params=params).json()["wanted"]
    return found


def test_a_profile_page_without_the_newest_release_is_a_demand_once_for_each_client(filled: Any) -> None:
    for _ in range(3):
        assert len(filled.names(user_agent=PIP)) == 1
    (one,) = wanted(filled)
    assert (one["project"], one["version"], one["demand"]) == ("fast", "2.0", 1)
    assert one["missing"] == {"avx": 1}
    assert (one["pythons"], one["platforms"]) == ({"3.11": 1}, {"linux_x86_64": 1})
    # aes is asked for by no level and no file
    assert one["build_for"] == {"x86_64": "x86_64_v2"}


def test_a_page_that_has_what_is_newest_is_no_demand(filled: Any) -> None:
    filled.names("/cpu/x86_64_v3/simple/fast/")
    filled.names()
    filled.names(user_agent="uv/0.13.6")
    assert wanted(filled) == []


def test_the_page_itself_tells_what_is_missing_and_what_fits(filled: Any) -> None:
    page = filled.page("/cpu/x86_64_v2/simple/fast/")
    assert page["_cpufit_unmet"] == {
        "version": "2.0",
        "code": "wheel-needs-cpu-features",
        "missing_features": ["avx"],
        "newest_fit": "1.0",
        "instead": None,
        "message": "2.0 is not listed: its least demanding wheel needs avx, which this CPU does not have; "
        "the newest release that fits is 1.0",
    }
    text = filled.client.get("/cpu/x86_64_v2/simple/fast/").text
    assert "<p>2.0 is not listed: " in text
    assert "_cpufit_unmet" not in filled.page("/cpu/x86_64_v3/simple/fast/")


def test_an_answer_has_the_most_wanted_and_tells_how_many_there_are(filled: Any) -> None:
    for version, cpu in (("1.0", "x86_64_v1"), ("2.0", "x86_64_v2")):
        report = {**REPORT, "version": version, "cpu": cpu, "missing": []}
        assert filled.client.post("/api/v1/wanted", json=report).status_code == 204
    body = filled.client.get("/api/v1/wanted", params={"limit": 1}).json()
    assert (body["releases"], [one["version"] for one in body["wanted"]]) == (2, ["1.0"])
    assert len(filled.client.get("/api/v1/wanted", params={"limit": -5, "days": -1}).json()["wanted"]) == 1
    assert filled.client.get("/api/v1/wanted", params={"days": "many"}).status_code == 400


def test_where_no_release_fits_the_page_names_the_project_that_the_operator_names(filled: Any) -> None:
    home = str(filled.settings.home)
    assert main(["project", "set", "fast", "--instead", "Fast_LTS", "--home", home]) == 0
    told = filled.page("/cpu/x86_64_v1/simple/fast/")["_cpufit_unmet"]
    assert (told["newest_fit"], told["instead"]) == (None, "fast-lts")
    assert told["message"].endswith("no release fits; the project fast-lts has builds for other CPUs")
    assert filled.client.get("/api/v1/projects/fast").json()["instead"] == "fast-lts"
    assert main(["project", "set", "fast", "--instead", "", "--home", home]) == 0
    assert filled.client.get("/api/v1/projects/fast").json()["instead"] is None


def test_no_page_writes_to_the_catalog_and_a_stop_writes_what_was_counted(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home") as server:
        fill(server, make_wheel)
        server.names("/cpu/x86_64_v2/simple/fast/")
        assert server.home.catalog.demands.counted() == ()
    with open_home(tmp_path / "home") as home:
        assert [one.count for one in home.catalog.demands.counted()] == [1]


def test_what_was_counted_is_written_after_a_while(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", wanted_flush_seconds=0.05) as server:
        fill(server, make_wheel)
        server.names("/cpu/x86_64_v2/simple/fast/")
        until = time.monotonic() + 10
        while not server.home.catalog.demands.counted() and time.monotonic() < until:
            time.sleep(0.02)
        assert [one.count for one in server.home.catalog.demands.counted()] == [1]
        assert [one["demand"] for one in wanted(server)] == [1]


def test_a_build_that_comes_satisfies_the_demand(filled: Any, make_wheel: Callable[..., Any]) -> None:
    filled.names("/cpu/x86_64_v2/simple/fast/")
    assert len(wanted(filled)) == 1
    filled.upload(make_wheel(tags=LINUX, native=True, version="2.1"), cpufit_needs="x86_64_v2")
    assert wanted(filled) == []


def test_a_report_of_a_selector_is_counted_as_far_as_the_catalog_bears_it_out(filled: Any) -> None:
    answer = filled.client.post("/api/v1/wanted", json=REPORT)
    assert (answer.status_code, answer.content) == (204, b"")
    filled.client.post("/api/v1/wanted", json=REPORT)
    (one,) = wanted(filled, project="Fast")
    assert (one["demand"], one["cpus"]) == (1, {"x86_64_v2": 1})
    assert one["platforms"] == {"manylinux_2_36_x86_64": 1}
    assert wanted(filled, project="other") == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"project": "slow"}, 404, "no-such-project"),
        ({"project": "-"}, 400, "invalid-report"),
        ({"version": "3.0"}, 400, "invalid-report"),
        ({"version": "?"}, 400, "invalid-report"),
        ({"cpu": "x86_64_v9"}, 400, "invalid-report"),
        ({"cpu": "aarch64_8a"}, 400, "invalid-report"),
        ({"missing": ["avx512f"]}, 400, "invalid-report"),
        ({"missing": ["sse4_2"]}, 400, "invalid-report"),
        ({"missing": "avx"}, 400, "invalid-report"),
        ({"missing": [1]}, 400, "invalid-report"),
        ({"python": "3.11.7 on my laptop"}, 400, "invalid-report"),
        ({"python": 3}, 400, "invalid-report"),
        ({"platform": "a host name"}, 400, "invalid-report"),
        ({"user": "mara"}, 400, "invalid-report"),
        ({"version": "2.0" + "0" * 9000}, 413, "report-too-large"),
    ],
)
def test_a_report_that_it_does_not_bear_out_is_refused(
    filled: Any, change: dict[str, Any], status: int, code: str
) -> None:
    answer = filled.client.post("/api/v1/wanted", json={**REPORT, **change})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert wanted(filled) == []


def test_a_report_that_is_no_json_object_is_refused(filled: Any) -> None:
    as_json = {"Content-Type": "application/json"}
    for body, headers in ((b"{", as_json), (b"[]", as_json), (b"[" * 8000, as_json), (b"{}", {})):
        answer = filled.client.post("/api/v1/wanted", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-report")


def test_a_selector_offers_to_report_where_the_server_counts_and_its_report_is_taken(
    filled: Any, tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    release = selectors_release(filled, tmp_path)
    assert release.wanted
    refused = [needs_features("a.whl", frozenset({"avx"}))]
    profile = CpuProfile.parse("x86_64_v2+aes")
    body = report_of(release, profile, refused, "cp311-cp311-manylinux_2_36_x86_64", "3.11.7")
    assert filled.client.post("/api/v1/wanted", json=body).status_code == 204
    assert [one["missing"] for one in wanted(filled)] == [{"avx": 1}]
    with run_server(tmp_path / "quiet", wanted=False) as server:
        fill(server, make_wheel)
        assert not selectors_release(server, tmp_path).wanted


def selectors_release(server: Any, folder: Path) -> Release:
    """Return release 2.0 as its selector reads it."""
    url = next(file["url"] for file in server.page()["files"] if file["filename"] == "fast-2.0.tar.gz")
    data = server.client.get(f"/simple/fast/{url}").content
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.extractfile("fast-2.0/candidates.json")
        assert member is not None
        place = folder / "candidates.json"
        place.write_bytes(member.read())
    return read_release(place)


def test_reports_are_read_at_a_rate(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", wanted_reports_per_minute=2) as server:
        fill(server, make_wheel)
        answers = [server.client.post("/api/v1/wanted", json=REPORT) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [204, 204, 429]
        assert answers[2].headers["Retry-After"] == "60"


def test_where_it_is_turned_off_nothing_is_counted(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", wanted=False) as server:
        fill(server, make_wheel)
        server.names("/cpu/x86_64_v2/simple/fast/")
        assert server.client.post("/api/v1/wanted", json=REPORT).json()["code"] == "demands-not-counted"
        assert wanted(server) == []


class Failing:
    """A table that cannot be written once."""

    def __init__(self) -> None:
        self.written: list[dict[Demand, int]] = []
        self.fails = True

    def add(self, counts: dict[Demand, int], day: date, limits: DemandLimits) -> None:
        del day, limits
        if self.fails:
            self.fails = False
            raise OperationalError("insert", {}, Exception("locked"))
        self.written.append(counts)


def demand(version: str = "2.0") -> Demand:
    return Demand(project="fast", version=version, reason="wheel-needs-cpu-features", cpu="x86_64_v2", missing=("avx",))


def counting(table: Any = None, **limits: int) -> tuple[Demands, list[date], list[float]]:
    days, seconds = [date(2026, 3, 1)], [0.0]
    made = Demands(table, DemandLimits(), CountingLimits(**limits), today=lambda: days[0], clock=lambda: seconds[0])
    return made, days, seconds


def test_what_cannot_be_written_waits_for_the_next_time() -> None:
    table = Failing()
    demands, _, _ = counting(table)
    demands.count(demand(), "192.0.2.1")
    demands.flush()
    demands.count(demand(), "192.0.2.2")
    demands.flush()
    assert table.written == [{demand(): 2}]
    assert demands.waiting() == ()


def test_a_client_counts_again_on_another_day_and_one_of_ipv6_is_its_network() -> None:
    demands, days, _ = counting()
    assert demands.count(demand(), "2001:db8::1")
    assert not demands.count(demand(), "2001:db8::2")
    assert demands.count(demand(), "2001:db8:0:1::1")
    assert demands.count(demand("1.0"), "2001:db8::1")
    days[0] += timedelta(days=1)
    assert demands.count(demand(), "2001:db8::1")
    assert [(one.day.day, one.count) for one in demands.waiting()] == [(1, 2), (1, 1), (2, 1)]


def test_a_page_and_a_report_of_one_client_are_one_demand() -> None:
    demands, _, _ = counting()
    assert demands.count(demand(), "192.0.2.1")
    assert not demands.count(replace(demand(), python="3.11", platform="linux_x86_64"), "192.0.2.1")


def test_no_address_is_kept_anywhere() -> None:
    demands, _, _ = counting()
    demands.count(demand(), "192.0.2.77")
    assert "192.0.2.77" not in repr(vars(demands))


def test_memory_is_bounded_whoever_asks() -> None:
    demands, _, _ = counting(demands=2)
    assert [demands.count(demand(f"{n}.0"), "192.0.2.1") for n in range(4)] == [True, True, False, False]
    demands, _, _ = counting(clients=2)
    assert [demands.count(demand(), f"192.0.2.{n}") for n in range(4)] == [True, True, False, False]


def test_the_allowance_of_reports_grows_with_time() -> None:
    demands, _, seconds = counting(reports_per_minute=2)
    assert [demands.admit_report() for _ in range(3)] == [True, True, False]
    seconds[0] = 31.0
    assert [demands.admit_report() for _ in range(2)] == [True, False]


class TestTheCommand:
    @pytest.fixture
    def home(self, tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]) -> str:
        with run_server(tmp_path / "home") as server:
            fill(server, make_wheel)
            server.names(user_agent=PIP)
            server.client.post("/api/v1/wanted", json={**REPORT, "version": "1.0", "missing": [], "cpu": "x86_64_v1"})
        return str(tmp_path / "home")

    def test_ranks_for_people(self, home: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["wanted", "--home", home]) == 0
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert capsys.readouterr().out.splitlines() == [
            f"  1  fast 1.0: asked for 1 times, last {today}",
            "     refused: wheel-for-another-platform (1)",
            "     a build that needs no more than x86_64_v1 would do for all of them",
            "     Python: 3.11 (1)",
            "     on: manylinux_2_36_x86_64 (1)",
            f"  2  fast 2.0: asked for 1 times, last {today}",
            "     missing: avx (1)",
            "     a build that needs no more than x86_64_v2 would do for all of them",
            "     Python: 3.11 (1)",
            "     on: linux_x86_64 (1)",
        ]

    def test_and_for_programs(self, home: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["wanted", "--json", "--project", "fast", "--days", "7", "--home", home]) == 0
        document = json.loads(capsys.readouterr().out)
        assert (document["days"], [one["version"] for one in document["wanted"]]) == (7, ["1.0", "2.0"])

    def test_forgets(self, home: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["wanted", "--clear", "--home", home]) == 0
        assert main(["wanted", "--home", home]) == 0
        assert capsys.readouterr().out == "forgot 2 rows\nnothing was asked for in vain in the last 90 days\n"

    def test_takes_no_nonsense(self, home: str) -> None:
        with pytest.raises(SystemExit):
            main(["wanted", "--days", "0", "--home", home])
