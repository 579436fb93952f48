"""What twine and uv publish send and show: attestations beside a file, old source distributions, what was refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.attesting import attestation
from tests.flow.flow_server import Server, running_server, twine_upload, uv_publish
from tests.wheelhouse.made_archives import GOOD

pytestmark = pytest.mark.flow

WHEEL = "fed-1.0-py3-none-any.whl"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_server(tmp_path / "server") as running:
        yield running


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / WHEEL
    path.write_bytes(GOOD["deflated"])
    return path


def listed(server: Server, project: str) -> list[dict[str, Any]]:
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    files: list[dict[str, Any]] = httpx.get(f"{server.url}/simple/{project}/", headers=accept).json()["files"]
    return files


def test_uv_publish_brings_the_attestations_beside_a_file(server: Server, wheel: Path) -> None:
    token = server.token("fed")
    sidecar = wheel.with_name(f"{WHEEL}.publish.attestation")
    sidecar.write_text(json.dumps(attestation(WHEEL, GOOD["deflated"])))
    for _ in range(2):
        sent = uv_publish(server, token, wheel, sidecar)
        assert sent.status == 0, sent.output
    (entry,) = listed(server, "fed")
    provenance = httpx.get(entry["provenance"])
    assert provenance.headers["content-type"] == "application/vnd.pypi.integrity.v1+json"
    (bundle,) = provenance.json()["attestation_bundles"]
    assert bundle["attestations"] == [attestation(WHEEL, GOOD["deflated"])]


def test_attestations_of_other_bytes_are_refused_and_uv_says_why(server: Server, wheel: Path) -> None:
    sidecar = wheel.with_name(f"{WHEEL}.publish.attestation")
    sidecar.write_text(json.dumps(attestation(WHEEL, b"other")))
    sent = uv_publish(server, server.token("fed"), wheel, sidecar)
    assert sent.status != 0
    assert "invalid-attestation" in sent.output
    assert httpx.get(f"{server.url}/simple/fed/").status_code == 404


def test_a_person_reads_why_a_file_was_refused(server: Server, wheel: Path) -> None:
    token = server.token("fed")
    assert twine_upload(server, token, wheel).status == 0
    wheel.write_bytes(GOOD["stored"])
    # twine shows the reason phrase alone unless it is asked, and no server of ours can set one
    shown = {
        "uv": uv_publish(server, token, wheel),
        "twine --verbose": twine_upload(server, token, wheel, Path("--verbose")),
    }
    for client, sent in shown.items():
        assert sent.status != 0, client
        assert "File already exists: fed-1.0-py3-none-any.whl" in sent.output, client
    sent = twine_upload(server, token, wheel)
    assert "409 Conflict" in sent.output
    assert "--verbose" in sent.output


@pytest.mark.parametrize("address", ["simple/", "simple/fed/"])
def test_whoever_uploads_to_the_pages_is_told_where_to(server: Server, wheel: Path, address: str) -> None:
    with wheel.open("rb") as file:
        answer = httpx.post(f"{server.url}/{address}", files={"content": (WHEEL, file)})
    assert answer.status_code == 405
    assert "/legacy/" in answer.text


@pytest.mark.parametrize(
    ("filename", "version", "taken"),
    [
        ("twine-1.5.0.tar.gz", "1.1", True),
        ("Old.Thing-1.0.tar.gz", "1.2", True),
        ("New.Thing-1.0.tar.gz", "2.2", False),
    ],
)
def test_a_source_distribution_of_former_times_is_taken_under_its_old_name(
    server: Server, tmp_path: Path, filename: str, version: str, *, taken: bool
) -> None:
    stem = filename.removesuffix(".tar.gz")
    name, _, release = stem.rpartition("-")
    path = tmp_path / filename
    with tarfile.open(path, "w:gz") as archive:
        data = f"Metadata-Version: {version}\nName: {name}\nVersion: {release}\nSummary: s\nLicense: UNKNOWN\n".encode()
        for member_name, content in (("PKG-INFO", data), ("setup.py", b"")):
            member = tarfile.TarInfo(f"{stem}/{member_name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    sent = twine_upload(server, server.token(name), path, Path("--verbose"))
    assert (sent.status == 0) is taken, sent.output
    assert taken or "sdist-name-not-exact" in sent.output
