from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.attesting import CERTIFICATE, attestation, statement
from tests.wheelhouse.ingest_support import NAME, blob, put, sdist_bytes, wheel_bytes

from cpufit_wheelhouse.admission.rules import Submission
from cpufit_wheelhouse.attestations import parse_attestations, provenance_object
from cpufit_wheelhouse.errors import InvalidAttestation
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.variant import variant_json

DATA = b"bytes"
SHA256 = "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"
GOOD = attestation(NAME, DATA)


def parsed(*bodies: Any) -> Any:
    return parse_attestations(json.dumps(list(bodies)))


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    body = copy.deepcopy(GOOD)
    change(body)
    return body


def test_an_attestation_is_read_and_given_back_as_it_came() -> None:
    body = changed(lambda body: body.update(note={"more": [1]}))
    (found,) = parsed(body)
    assert (found.subject, found.sha256, found.body) == (NAME, SHA256, body)
    provenance = json.loads(provenance_object([found], NAME, SHA256))
    assert provenance["version"] == 1
    (bundle,) = provenance["attestation_bundles"]
    assert bundle == {"publisher": {"kind": "upload-token", "claims": None}, "attestations": [body]}
    assert provenance_object(parsed(body), NAME, SHA256) == provenance_object([found], NAME, SHA256)


@pytest.mark.parametrize(
    "subject",
    [NAME, "Demo-1.0-cp311-abi3-manylinux_2_17_x86_64.whl", "demo-1.0.0-cp311-abi3-manylinux_2_17_x86_64.whl"],
)
def test_a_signer_may_spell_the_name_in_another_way(subject: str) -> None:
    assert provenance_object(parsed(attestation(subject, DATA)), NAME, SHA256)


@pytest.mark.parametrize("text", ["", "{}", "null", "[]", "[1]", "[[]]", "not json", '[{"a": NaN}]', "[" * 100_000])
def test_what_is_no_array_of_attestations_is_refused(text: str) -> None:
    with pytest.raises(InvalidAttestation) as caught:
        parse_attestations(text)
    assert caught.value.hint


def test_more_attestations_than_a_file_may_have_are_refused() -> None:
    parsed(*[GOOD] * 16)
    with pytest.raises(InvalidAttestation, match="1 to 16"):
        parsed(*[GOOD] * 17)


def test_a_key_that_stands_twice_is_refused() -> None:
    text = json.dumps([GOOD]).replace('"version": 1', '"version": 2, "version": 1')
    with pytest.raises(InvalidAttestation, match="a key stands twice"):
        parse_attestations(text)


def broken(path: str, value: Any) -> dict[str, Any]:
    """Return the good attestation with one value replaced, by the keys that lead to it."""

    def change(body: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for key in way:
            body = body[key]
        body[last] = value

    return changed(change)


DER = base64.b64decode(CERTIFICATE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("version", "1"),
        ("version", True),
        ("version", None),
        ("envelope", None),
        ("verification_material", []),
        ("verification_material.transparency_entries", []),
        ("verification_material.transparency_entries", None),
        ("verification_material.transparency_entries", ["x"]),
        ("verification_material.certificate", ""),
        ("verification_material.certificate", None),
        ("verification_material.certificate", "!!!"),
        ("verification_material.certificate", base64.b64encode(b"no certificate").decode()),
        ("verification_material.certificate", base64.b64encode(DER[:-1]).decode()),
        ("verification_material.certificate", base64.b64encode(DER + b"x").decode()),
        ("verification_material.certificate", base64.b64encode(DER + DER).decode()),
        ("verification_material.certificate", base64.b64encode(DER[:4] + bytes(len(DER) - 4)).decode()),
        ("envelope.signature", ""),
        ("envelope.signature", 5),
        ("envelope.signature", "a"),
        ("envelope.statement", "AAAA"),
        ("envelope.statement", base64.b64encode(b"[]").decode()),
        ("envelope.statement", base64.b64encode(b"{}").decode() + "\n"),
    ],
)
def test_an_attestation_that_does_not_follow_the_specification_is_refused(path: str, value: Any) -> None:
    with pytest.raises(InvalidAttestation) as caught:
        parsed(GOOD, broken(path, value))
    assert str(caught.value.where).startswith("attestations[1]")


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://example.org/own/v1"},
        {"predicateType": None},
        {"subject": []},
        {"subject": statement(NAME, DATA)["subject"] * 2},
        {"subject": ["x"]},
        {"subject": [{"name": NAME, "digest": {"sha256": "0" * 63}}]},
        {"subject": [{"name": NAME, "digest": {"md5": "0" * 32}}]},
        {"subject": [{"name": NAME, "digest": None}]},
        {"subject": [{"digest": {"sha256": SHA256}}]},
    ],
)
def test_a_statement_that_does_not_follow_the_specification_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAttestation, match=r"asked for|predicateType is|about one file"):
        parsed(attestation(NAME, DATA, **changes))


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        (NAME, b"other"),
        ("demo-1.1-cp311-abi3-manylinux_2_17_x86_64.whl", DATA),
        ("demo-1.0-1-cp311-abi3-manylinux_2_17_x86_64.whl", DATA),
        ("demo-1.0.tar.gz", DATA),
        ("no file of ours", DATA),
        ("../" + NAME, DATA),
    ],
)
def test_an_attestation_of_another_file_is_refused(filename: str, data: bytes) -> None:
    with pytest.raises(InvalidAttestation):
        provenance_object(parsed(GOOD, attestation(filename, data)), NAME, SHA256)


# in the store


@pytest.fixture
def home(tmp_path: Path) -> Any:
    with open_home(tmp_path / "home") as opened:
        yield opened


def attested(filename: str, data: bytes, **changes: Any) -> Submission:
    return Submission(attestations=parsed(attestation(filename, data, **changes)))


@pytest.mark.parametrize(("data", "filename"), [(wheel_bytes(), NAME), (sdist_bytes(), "demo-1.0.tar.gz")])
def test_attestations_are_kept_with_their_file(home: Home, data: bytes, filename: str) -> None:
    done = put(home, data, filename, submission=attested(filename, data))
    assert done.file.attestations_sha256 is not None
    provenance = json.loads(blob(home, done.file.attestations_sha256))
    assert provenance["attestation_bundles"][0]["attestations"] == [attestation(filename, data)]


def test_a_file_keeps_the_attestations_of_its_first_upload(home: Home) -> None:
    data = wheel_bytes()
    first = put(home, data, submission=attested(NAME, data)).file
    other = attested(NAME, data, predicateType="https://slsa.dev/provenance/v1")
    assert put(home, data, submission=other).file == first
    assert put(home, data, declared="x86_64_v3").file.attestations_sha256 == first.attestations_sha256
    plain = sdist_bytes()
    put(home, plain, "demo-1.0.tar.gz")
    again = put(home, plain, "demo-1.0.tar.gz", submission=attested("demo-1.0.tar.gz", plain))
    assert (again.status, again.file.attestations_sha256) == ("same", None)


def test_attestations_of_other_bytes_keep_the_file_out(home: Home) -> None:
    with pytest.raises(InvalidAttestation):
        put(home, wheel_bytes(), submission=attested(NAME, b"other"))
    assert home.catalog.projects() == ()


def test_a_renamed_wheel_has_no_attestations(home: Home) -> None:
    data = wheel_bytes()
    done = put(home, data, as_project="other", submission=attested(NAME, data))
    assert (done.file.project, done.file.attestations_sha256) == ("other", None)


def test_a_labelled_wheel_is_stored_without_its_label_and_without_attestations(home: Home) -> None:
    properties = {"x86_64": {"level": ["v3"]}}
    data = wheel_bytes(extra={"variant.json": variant_json("x86_64_v3", properties)})
    filename = NAME.replace(".whl", "-x86_64_v3.whl")
    done = put(home, data, filename, submission=attested(filename, data))
    assert (done.file.filename, done.file.attestations_sha256) == (NAME, None)


@pytest.mark.parametrize("note", ['"\\ud800"', "1e999", "[-1e999]"])
def test_what_cannot_be_written_again_is_refused(note: str) -> None:
    """Python reads it; no reader of the provenance object could."""
    found = parse_attestations(json.dumps([{**GOOD, "note": "@@"}]).replace('"@@"', note))
    with pytest.raises(InvalidAttestation):
        provenance_object(found, NAME, SHA256)


def test_however_deep_an_attestation_is_nested_it_is_taken_or_refused() -> None:
    for depth in range(700, 1010):
        with suppress(InvalidAttestation):
            found = parse_attestations(json.dumps([{**GOOD, "note": "@@"}]).replace('"@@"', "[" * depth + "]" * depth))
            assert provenance_object(found, NAME, SHA256)
