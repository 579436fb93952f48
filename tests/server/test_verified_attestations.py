"""Attestations whose signatures are verified: made up ones stay out, real ones name who signed."""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.attesting import attestation

from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import load_settings
from cpufit_server.upload_settings import signature_verifier

LIBRARY = "pypi-attestations==0.0.30"
"""Its source distribution brings files that were really signed, with their attestations."""

REAL = {
    "pypi_attestations-0.0.19.tar.gz": ("GitHub", "trailofbits/pypi-attestations", "release.yml"),
    "gitlab_oidc_project-0.0.3.tar.gz": ("GitLab", "facutuesca/gitlab-oidc-project", ".gitlab-ci.yml"),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the library keeps Sigstore's keys there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that were signed by others, from an archive that is fetched and never kept."""
    folder = tmp_path_factory.mktemp("signed")
    fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "pypi-attestations"]
    done = subprocess.run(
        [*fetch, "-d", str(folder), LIBRARY], capture_output=True, text=True, timeout=120, check=False, env=os.environ
    )
    found = list(folder.glob("*.tar.gz"))
    if not found:
        pytest.skip(f"the index that pip uses does not give {LIBRARY}: {done.stderr[-200:]}")
    with tarfile.open(found[0]) as archive:
        for member in archive:
            if "/test/assets/" in member.name and member.isfile():
                data = archive.extractfile(member)
                assert data is not None
                (folder / Path(member.name).name).write_bytes(data.read())
    return folder


@pytest.fixture
def verifying(tmp_path: Path, run_server: Callable[..., Any]) -> Iterator[Any]:
    with run_server(tmp_path / "home", verify_attestations=True, exact_sdist_names=False) as server:
        yield server


def real(signed: Path, filename: str) -> tuple[tuple[str, bytes], dict[str, Any]]:
    body = json.loads((signed / f"{filename}.publish.attestation").read_text(encoding="utf-8"))
    return (filename, (signed / filename).read_bytes()), body


def test_what_nobody_signed_is_refused_and_leaves_nothing(verifying: Any, make_wheel: Callable[..., Any]) -> None:
    wheel = make_wheel()
    answer = verifying.upload(wheel, attestations=json.dumps([attestation(*wheel)]))
    assert (answer.status_code, answer.json()["code"]) == (400, "attestation-not-verified")
    assert answer.json()["where"] == "attestations[0]"
    assert "could not be verified" in answer.json()["message"]
    assert verifying.home.catalog.projects() == ()
    assert verifying.upload(wheel).status_code == 200


def test_another_file_s_attestation_is_told_as_such(verifying: Any, make_wheel: Callable[..., Any]) -> None:
    wheel = make_wheel()
    answer = verifying.upload(wheel, attestations=json.dumps([attestation(wheel[0], b"other")]))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-attestation")


@pytest.mark.network
@pytest.mark.parametrize("filename", sorted(REAL))
def test_a_real_one_names_its_publisher(verifying: Any, signed: Path, filename: str) -> None:
    file, body = real(signed, filename)
    answer = verifying.upload(file, attestations=json.dumps([body]))
    assert answer.status_code == 200, answer.text
    (entry,) = verifying.page(f"/simple/{answer.json()['project']}/")["files"]
    (bundle,) = verifying.client.get(entry["provenance"]).json()["attestation_bundles"]
    publisher = bundle["publisher"]
    workflow = publisher.get("workflow") or publisher.get("workflow_filepath")
    assert (publisher["kind"], publisher["repository"], workflow) == REAL[filename]
    assert bundle["attestations"] == [body]


def _other(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.network
@pytest.mark.parametrize("part", ["signature", "certificate", "log entry", "second log entry", "other kind of file"])
def test_a_real_one_that_was_touched_is_refused(verifying: Any, signed: Path, part: str) -> None:
    file, body = real(signed, "pypi_attestations-0.0.19.tar.gz")
    changed = copy.deepcopy(body)
    material = changed["verification_material"]
    entries = material["transparency_entries"]
    if part == "signature":
        changed["envelope"]["signature"] = _other(changed["envelope"]["signature"])
    elif part == "certificate":
        material["certificate"] = _other(material["certificate"])
    elif part == "log entry":
        entries[0]["logIndex"] = str(int(entries[0]["logIndex"]) + 1)
    elif part == "second log entry":
        entries.append({"logIndex": "1"})
    else:
        (statement,) = [json.loads(base64.b64decode(changed["envelope"]["statement"]))]
        statement["predicateType"] = "https://slsa.dev/provenance/v1"
        changed["envelope"]["statement"] = base64.b64encode(json.dumps(statement).encode()).decode()
    answer = verifying.upload(file, attestations=json.dumps([changed]))
    assert (answer.status_code, answer.json()["code"]) == (400, "attestation-not-verified")
    assert verifying.home.catalog.projects() == ()


@pytest.mark.network
def test_signers_that_are_not_named_are_kept_out(tmp_path: Path, run_server: Callable[..., Any], signed: Path) -> None:
    file, body = real(signed, "pypi_attestations-0.0.19.tar.gz")
    for names, status in (("GitHub:acme/*, GitLab:*", 400), ("GitLab:*,GitHub:trailofbits/*", 200)):
        with run_server(tmp_path / str(status), verify_attestations=True, attestation_identities=names) as server:
            answer = server.upload(file, attestations=json.dumps([body]))
            assert answer.status_code == status
            if status == 400:
                assert answer.json()["code"] == "signer-not-allowed"
                assert "GitHub:trailofbits/pypi-attestations:release.yml" in answer.json()["message"]


def test_what_cannot_verify_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signature_verifier(load_settings()) is None
    with pytest.raises(InvalidSetting, match="no signature is verified"):
        signature_verifier(load_settings(attestation_identities="GitHub:acme/*"))
    broken = tmp_path / "root.json"
    for text in (None, "{}", "no json"):
        if text is not None:
            broken.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidSetting) as caught:
            signature_verifier(load_settings(verify_attestations=True, attestation_trusted_root=broken))
        assert caught.value.where == "CPUFIT_ATTESTATION_TRUSTED_ROOT"
    monkeypatch.setattr("cpufit_server.upload_settings.find_spec", lambda _: None)
    with pytest.raises(InvalidSetting, match=r"cpufit\[attestations\]") as caught:
        load_settings(verify_attestations=True)
    assert caught.value.where == "CPUFIT_VERIFY_ATTESTATIONS"


def test_the_library_is_left_alone_where_nobody_asks() -> None:
    code = (
        "import sys, cpufit_server.app as app, cpufit_server.settings as settings; app.create_app(settings.Settings());"
        "print([name for name in sys.modules if name.partition('.')[0] in ('sigstore', 'pypi_attestations')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
