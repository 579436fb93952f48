"""Every probe is answered as it should be; the reference compares other indexes by the same ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.flow.flow_server import Server, running_server
from tests.flow.upload_probes import HELD, Probe, project_of, status_of

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    with running_server(tmp_path_factory.mktemp("door")) as server:
        yield server, server.token(*(project_of(number) for number in range(len(HELD))))


@pytest.mark.parametrize(("number", "probe"), list(enumerate(HELD)), ids=[probe.name for probe in HELD])
def test_a_probe_is_answered_as_it_should_be(number: int, probe: Probe, door: tuple[Server, str]) -> None:
    server, token = door
    assert status_of(probe, project_of(number), server.upload_url(), ("__token__", token)) in probe.wanted
