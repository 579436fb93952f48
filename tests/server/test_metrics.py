"""What Prometheus reads, on a port of its own, and that clients cannot make it grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.server.conftest import Running

from cpufit_server import metrics
from cpufit_server.demo.processes import free_port
from cpufit_server.errors import InvalidSetting
from cpufit_server.metrics import Metrics

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def measured(tmp_path: Path, run_server: Callable[..., Any]) -> Iterator[Running]:
    with run_server(tmp_path / "home", metrics_port=free_port()) as server:
        yield server


def told(server: Running) -> dict[Sample, float]:
    answer = httpx.get(f"http://127.0.0.1:{server.settings.metrics_port}/metrics", trust_env=False)
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: dict[Sample, float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_requests_are_counted_by_route_status_and_kind_of_client(measured: Running) -> None:
    for name in ("one", "two"):
        assert measured.client.get(f"/simple/{name}/", headers={"User-Agent": "pip/26.3"}).status_code == 404
    found = told(measured)
    labels = {"route": "/simple/{name}/", "method": "GET", "status": "404", "client": "pip"}
    assert value(found, "cpufit_requests_total", **labels) == 2
    assert value(found, "cpufit_request_seconds_count", route="/simple/{name}/") == 2
    assert value(found, "cpufit_response_bytes_total", route="/simple/{name}/") > 0


def test_uploads_files_and_pages_are_counted(
    measured: Running, make_wheel: Callable[..., tuple[str, bytes]], make_sdist: Callable[..., tuple[str, bytes]]
) -> None:
    wheel = make_wheel(tags="py3-none-manylinux_2_17_x86_64", native=True)
    for file in (wheel, wheel, make_sdist()):
        assert measured.upload(file).status_code == 200
    assert measured.upload(("fast-1.0.exe", b"")).status_code == 400
    assert measured.upload(wheel, token="nobody's").status_code == 403
    for _ in range(3):
        measured.page()
    found = told(measured)
    assert value(found, "cpufit_uploads_total", outcome="taken") == 3
    assert value(found, "cpufit_uploads_total", outcome="invalid-wheel-name") == 1
    assert value(found, "cpufit_uploads_total", outcome="token-not-valid") == 1
    assert value(found, "cpufit_page_cache_total", outcome="miss") == 1
    known = ("hit", "ready")  # whether an answer is ready before the next request is a matter of microseconds
    assert sum(value(found, "cpufit_page_cache_total", outcome=outcome) for outcome in known) == 2
    assert value(found, "cpufit_upload_commits_total") == 3, "one after the other, they share none"
    assert value(found, "cpufit_projects") == 1
    assert value(found, "cpufit_files", kind="wheel") == value(found, "cpufit_files", kind="sdist") == 1
    assert value(found, "cpufit_file_bytes") == measured.home.catalog.figures().size > len(wheel[1])
    assert value(found, "cpufit_held_files") == 0
    # what has no code in it that can be read is tried again each time
    assert value(found, "cpufit_inspections_total", outcome="undetermined") == 2
    assert value(found, "cpufit_inspection_seconds_total") > 0
    assert value(found, "cpufit_inspections_queued") == value(found, "cpufit_inspections_running") == 0


def test_clients_cannot_make_more_series(measured: Running) -> None:
    measured.client.get("/simple/a/")
    measured.client.get("/nowhere/a")
    measured.client.request("MKCOL", "/simple/a/")
    before = set(told(measured))
    for number in range(20):
        agent = {"User-Agent": f"client{number}/1", "X-Request-Id": f"id{number}"}
        measured.client.get(f"/nowhere/{number}", headers=agent)
        measured.client.get(f"/simple/project{number}/", headers=agent)
        # of the methods that HTTP's registry has besides
        measured.client.request(("LOCK", "COPY", "MOVE", "PROPFIND")[number % 4], "/simple/a/", headers=agent)
    further = {name for name, _ in set(told(measured)) - before}
    # the kind of client "other" came: once for each route, method and status
    assert further == {"cpufit_requests_total", "cpufit_requests_created"}
    assert len(set(told(measured)) - before) == 6


def test_the_index_itself_tells_no_metrics(measured: Running) -> None:
    assert measured.client.get("/metrics").status_code == 404


def test_without_a_port_nobody_listens(server: Running) -> None:
    assert server.settings.metrics_port is None
    assert server.client.get("/simple/").status_code == 200


def test_without_the_library_a_port_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "prometheus_client", None)
    with pytest.raises(InvalidSetting) as caught:
        Metrics()
    assert caught.value.where == "CPUFIT_METRICS_PORT"
    assert caught.value.hint == "pip install 'cpufit[metrics]'"
