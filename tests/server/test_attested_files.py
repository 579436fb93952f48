from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.attesting import attestation

from cpufit_wheelhouse.simple_page_reading import parse_html, parse_json

JSON = "application/vnd.pypi.simple.v1+json"


def attested(server: Any, file: tuple[str, bytes], **fields: str) -> Any:
    return server.upload(file, attestations=json.dumps([attestation(*file)]), **fields)


def test_pages_lead_to_the_provenance_of_a_file_that_came_with_attestations(
    server: Any, make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]
) -> None:
    wheel = make_wheel()
    assert attested(server, wheel).status_code == 200
    assert server.upload(make_sdist()).status_code == 200
    sdist, entry = sorted(server.page()["files"], key=lambda file: str(file["filename"]).endswith(".whl"))
    assert "provenance" not in sdist
    assert entry["provenance"].startswith(f"http://127.0.0.1:{server.settings.port}/files/")
    answer = server.client.get(entry["provenance"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
    assert "immutable" in answer.headers["cache-control"]
    digest = hashlib.sha256(answer.content).hexdigest()
    assert (answer.headers["etag"], digest in entry["provenance"]) == (f'"{digest}"', True)
    assert answer.json()["attestation_bundles"][0]["attestations"] == [attestation(*wheel)]
    page = server.client.get("/simple/fast/", headers={"Accept": "text/html"}).text
    assert re.findall(r'data-provenance="([^"]*)"', page) == [entry["provenance"]]


def test_both_forms_of_a_page_are_read_back_alike(server: Any, make_wheel: Callable[..., Any]) -> None:
    attested(server, make_wheel())
    url = f"http://127.0.0.1:{server.settings.port}/simple/fast/"
    (from_json,) = parse_json(server.client.get(url, headers={"Accept": JSON}).content, url).files
    (from_html,) = parse_html(server.client.get(url, headers={"Accept": "text/html"}).text, url).files
    assert from_json.provenance == from_html.provenance is not None


def test_a_provenance_has_one_address(server: Any, make_wheel: Callable[..., Any]) -> None:
    attested(server, make_wheel())
    (entry,) = server.page()["files"]
    path = entry["provenance"].partition("/files/")[2]
    sha256, digest, name = path.split("/")
    for wrong in (
        f"{sha256}/{'0' * 64}/{name}",
        f"{digest}/{digest}/{name}",
        f"{sha256}/{digest}/other-1.0-py3-none-any.whl.provenance",
        f"{sha256}/{digest}/{name.removesuffix('.provenance')}",
        f"{digest}/{name}",
        f"{sha256}/None/{name}",
    ):
        assert server.client.get(f"/files/{wrong}").status_code == 404, wrong


def test_the_second_upload_of_a_file_changes_nothing_of_its_provenance(
    server: Any, make_wheel: Callable[..., Any]
) -> None:
    wheel = make_wheel()
    attested(server, wheel)
    (before,) = server.page()["files"]
    slsa = attestation(*wheel, predicateType="https://slsa.dev/provenance/v1")
    again = server.upload(wheel, attestations=json.dumps([slsa]))
    assert (again.status_code, again.json()["status"]) == (200, "same")
    assert server.page()["files"] == [before]


def test_attestations_have_a_limit_of_their_own(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", max_attestations_bytes=100) as server:
        answer = attested(server, make_wheel())
        assert (answer.status_code, answer.json()["code"]) == (413, "attestations-too-large")
        assert "CPUFIT_MAX_ATTESTATIONS_BYTES" in answer.json()["hint"]
        assert server.home.catalog.projects() == ()


@pytest.mark.parametrize("text", ["[]", "[{}]", "x"])
def test_attestations_that_are_none_keep_the_file_out(server: Any, make_wheel: Callable[..., Any], text: str) -> None:
    answer = server.upload(make_wheel(), attestations=text)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-attestation")
    assert server.home.catalog.projects() == ()


def test_an_empty_field_is_no_attestation(server: Any, make_wheel: Callable[..., Any]) -> None:
    assert server.upload(make_wheel(), attestations="").status_code == 200
