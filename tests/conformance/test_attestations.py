"""PEP 740: provenance of files, where the index has it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from .artifacts import Artifact, form_of, make_wheel
from .index import Answer, Index
from .pages import HtmlPage, Listed, json_object
from .scores import must, should
from .seeding import Seeds, Uploads

Json = dict[str, Any]
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""A secure origin is one of https, or of this machine."""


@pytest.fixture(scope="module")
def attested(some_json_files: list[Listed]) -> list[Listed]:
    """The files with provenance."""
    found = [file for file in some_json_files if file.entry.get("provenance") is not None]
    if not found:
        pytest.skip("no file has provenance, which is optional")
    return found


@pytest.fixture(scope="module")
def provenance(index: Index, attested: list[Listed]) -> tuple[Listed, Answer]:
    """A file's provenance as it is served."""
    return attested[-1], index.ask(str(attested[-1].entry["provenance"]), accept="application/json")


@pytest.fixture(scope="module")
def speaks_of_attestations(some_json_page: Json) -> None:
    """Skip for an index that claims no API version with attestations."""
    major, _, minor = str(some_json_page["meta"]["api-version"]).partition(".")
    if (int(major), int(minor)) < (1, 3):
        pytest.skip("the index is of an API version before 1.3: it has no attestations, which are optional")


def bundles_of(found: tuple[Listed, Answer]) -> list[Json]:
    bundles = json_object(found[1])["attestation_bundles"]
    assert isinstance(bundles, list)
    return bundles


@must("PEP 740", "JSON-based Simple API", "provenance is a JSON string or null")
def test_provenance_is_an_address_or_null(some_json_files: list[Listed]) -> None:
    told = [file.entry["provenance"] for file in some_json_files if "provenance" in file.entry]
    if not told:
        pytest.skip("no file tells of provenance, which is optional")
    assert all(value is None or isinstance(value, str) for value in told)


@must("PEP 740", "JSON-based Simple API", "api-version is 1.3 or later")
def test_provenance_comes_with_version_1_3(attested: list[Listed], some_json_page: Json) -> None:
    del attested
    major, minor = some_json_page["meta"]["api-version"].split(".")
    assert (int(major), int(minor)) >= (1, 3)


@must("PEP 740", "Simple Index", "a fully qualified URL of a secure origin")
def test_provenance_is_at_a_secure_origin(attested: list[Listed]) -> None:
    for file in attested:
        parts = urlsplit(str(file.entry["provenance"]))
        assert parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK), file.filename


@must("PEP 740", "Simple Index", "data-provenance is the URL of the provenance")
def test_html_tells_the_same(attested: list[Listed], html_page: HtmlPage) -> None:
    told = {one.filename: one.attributes.get("data-provenance") for one in html_page.anchors}
    if not any(told.values()):
        pytest.skip("HTML tells no provenance, which is optional")
    assert {file.filename: file.entry["provenance"] for file in attested} == {
        name: url for name, url in told.items() if url is not None
    }


@must("PEP 740", "Provenance objects", "a JSON object of version 1 with one or more bundles")
def test_provenance_is_an_object_of_version_1(provenance: tuple[Listed, Answer]) -> None:
    assert provenance[1].status == 200
    assert json_object(provenance[1])["version"] == 1
    assert bundles_of(provenance)


@must("PEP 740", "Provenance objects", "publisher has kind, a string, and claims, an object or null")
def test_a_bundle_tells_its_publisher(provenance: tuple[Listed, Answer]) -> None:
    for bundle in bundles_of(provenance):
        assert isinstance(bundle["publisher"]["kind"], str)
        assert bundle["publisher"].get("claims") is None or isinstance(bundle["publisher"]["claims"], dict)


@must("PEP 740", "Attestation objects", "version 1, verification_material and envelope")
def test_an_attestation_has_its_keys(provenance: tuple[Listed, Answer]) -> None:
    for bundle in bundles_of(provenance):
        assert bundle["attestations"]
        for attestation in bundle["attestations"]:
            assert attestation["version"] == 1
            assert isinstance(attestation["verification_material"]["certificate"], str)
            assert isinstance(attestation["verification_material"]["transparency_entries"], list)
            assert base64.b64decode(attestation["envelope"]["statement"])
            assert base64.b64decode(attestation["envelope"]["signature"])


@should("PEP 740", "Attestation objects", "one or more transparency log entries")
def test_an_attestation_is_in_a_log(provenance: tuple[Listed, Answer]) -> None:
    for bundle in bundles_of(provenance):
        for attestation in bundle["attestations"]:
            assert attestation["verification_material"]["transparency_entries"]


@must("PEP 740", "Attestation statement", "a single subject: the file's name and SHA-256")
def test_a_statement_is_about_the_file(index: Index, provenance: tuple[Listed, Answer]) -> None:
    file = provenance[0]
    digest = file.hashes.get("sha256") or hashlib.sha256(index.ask(file.url).body).hexdigest()
    for bundle in bundles_of(provenance):
        for attestation in bundle["attestations"]:
            (subject,) = json.loads(base64.b64decode(attestation["envelope"]["statement"]))["subject"]
            assert subject["digest"]["sha256"] == digest
            # an equivalent name may be spelt in another way
            assert subject["name"].rpartition(".")[2] == file.filename.rpartition(".")[2]


def unverifiable(artifact: Artifact) -> Json:
    """Return an attestation of the right shape that nobody signed."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": artifact.filename, "digest": {"sha256": artifact.sha256}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }
    return {
        "version": 1,
        "verification_material": {
            "certificate": base64.b64encode(b"no certificate").decode(),
            "transparency_entries": [{"logIndex": "0"}],
        },
        "envelope": {
            "statement": base64.b64encode(json.dumps(statement).encode()).decode(),
            "signature": base64.b64encode(b"no signature").decode(),
        },
    }


def refused(uploads: Uploads, artifact: Artifact, attestations: object) -> bool:
    told = json.dumps(attestations)
    return 400 <= uploads.send(form_of(artifact, fields={"attestations": told})).status_code < 500


@must("PEP 740", "Upload endpoint", "an attestation that cannot be verified: the upload is rejected")
def test_an_attestation_that_nobody_signed_is_refused(
    speaks_of_attestations: None, uploads: Uploads, seeds: Seeds, base: int
) -> None:
    artifact = make_wheel(f"{seeds.project}-uploads", f"{base}.740.1")
    assert refused(uploads, artifact, [unverifiable(artifact)])


@must("PEP 740", "Upload endpoint", "attestations has one or more items")
def test_an_empty_list_of_attestations_is_refused(
    speaks_of_attestations: None, uploads: Uploads, seeds: Seeds, base: int
) -> None:
    assert refused(uploads, make_wheel(f"{seeds.project}-uploads", f"{base}.740.2"), [])


@must("PEP 740", "Upload endpoint", "attestations is a JSON array")
def test_attestations_that_are_no_list_are_refused(
    speaks_of_attestations: None, uploads: Uploads, seeds: Seeds, base: int
) -> None:
    artifact = make_wheel(f"{seeds.project}-uploads", f"{base}.740.3")
    assert refused(uploads, artifact, unverifiable(artifact))


@must("PEP 740", "Attestation verification", "any version other than 1 is rejected")
def test_an_attestation_of_another_version_is_refused(
    speaks_of_attestations: None, uploads: Uploads, seeds: Seeds, base: int
) -> None:
    artifact = make_wheel(f"{seeds.project}-uploads", f"{base}.740.4")
    assert refused(uploads, artifact, [{**unverifiable(artifact), "version": 2}])
