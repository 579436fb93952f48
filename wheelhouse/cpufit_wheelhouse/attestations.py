"""Attestations: signed statements about one file, taken in with it and handed out beside it.

Specification: "Index hosted attestations" (PEP 740), sections "Attestation objects" and "Provenance objects".

Their form is checked, and that they speak of this file: name and SHA-256. Their signatures are left to
:mod:`.signatures`, where the settings ask for it; whoever relies on an attestation has to verify it anyway, since an
index could be lying.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InvalidAttestation, InvalidWheelName
from .filename import parse_sdist_filename, parse_wheel_filename
from .signatures import NoSignatureVerifier, SignatureVerifier

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPES = ("https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1")
"""What PEP 740 lets an attestation state: who published the file, or how it was built."""

MOST = 16
"""How many attestations one file may have; PEP 740 knows two kinds."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Attestation:
    """One attestation whose form was checked."""

    body: Mapping[str, Any]
    """As it came."""
    subject: str
    """The file name that it speaks of."""
    sha256: str
    """Lower-case hexadecimal."""


def parse_attestations(text: str) -> tuple[Attestation, ...]:
    """Return the attestations of a form's field: a JSON array of one or more objects.

    :raises InvalidAttestation: it is none, or one of them does not follow the specification; ``where`` tells the place
    """
    body = _json(text, "attestations")
    if not isinstance(body, list) or not 1 <= len(body) <= MOST:
        raise _invalid(f"a JSON array of 1 to {MOST} attestations is asked for", "attestations")
    return tuple(_attestation(item, f"attestations[{index}]") for index, item in enumerate(body))


def provenance_object(
    attestations: Iterable[Attestation], filename: str, sha256: str, signatures: SignatureVerifier | None = None
) -> bytes:
    """Return the provenance object of a file, as canonical JSON: the same attestations give the same bytes.

    There is one bundle for each publisher, in the order in which they come.

    :param filename: the name under which it was uploaded
    :param signatures: tells who signed; without it nobody looks
    :raises InvalidAttestation: one of them speaks of another file, or is not to be relied on
    """
    signatures = NoSignatureVerifier() if signatures is None else signatures
    bundles: list[dict[str, Any]] = []
    for number, attestation in enumerate(attestations):
        where = f"attestations[{number}].envelope.statement"
        if attestation.sha256 != sha256:
            raise _invalid(f"it is of a file with the SHA-256 {attestation.sha256}, this one has {sha256}", where)
        if _comparable(attestation.subject) != _comparable(filename):
            raise _invalid(f"it is of {attestation.subject[:255]!a}, this file is {filename}", where)
        publisher = signatures.publisher(attestation, f"attestations[{number}]")
        bundle = next((known for known in bundles if known["publisher"] == publisher), None)
        if bundle is None:
            bundles.append(bundle := {"publisher": publisher, "attestations": []})
        bundle["attestations"].append(attestation.body)
    provenance = {"version": 1, "attestation_bundles": bundles}
    try:
        return json.dumps(
            provenance, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        ).encode()
    except (ValueError, RecursionError) as error:
        # half a character, 1e999, or nested to the last level that could be read
        raise _invalid("it holds what cannot be written as JSON again", "attestations") from error


def _comparable(filename: str) -> tuple[object, ...]:
    """Return what two spellings of one file's name share; signers may normalise it."""
    try:
        if filename.endswith(".whl"):
            wheel = parse_wheel_filename(filename)
            return ("wheel", wheel.name, wheel.version, wheel.build, wheel.tags, wheel.label)
        sdist = parse_sdist_filename(filename)
    except InvalidWheelName as error:
        raise _invalid(f"{filename[:255]!a} is no file name of a wheel or source distribution", "statement") from error
    return ("sdist", sdist.name, sdist.version)


def _attestation(body: Any, where: str) -> Attestation:
    material, envelope = _object(body, where, "verification_material"), _object(body, where, "envelope")
    # True is 1 for Python, and not for JSON
    if body.get("version") != 1 or isinstance(body.get("version"), bool):
        raise _invalid("version 1 is asked for", f"{where}.version")
    entries = material.get("transparency_entries")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise _invalid("a list of log entries is asked for", f"{where}.verification_material.transparency_entries")
    _check_certificate(
        _bytes(material, "certificate", f"{where}.verification_material"), f"{where}.verification_material.certificate"
    )
    _bytes(envelope, "signature", f"{where}.envelope")
    statement = _bytes(envelope, "statement", f"{where}.envelope")
    subject, sha256 = _subject(statement, f"{where}.envelope.statement")
    return Attestation(body=body, subject=subject, sha256=sha256)


def _subject(statement: bytes, where: str) -> tuple[str, str]:
    body = _json(statement, where)
    if not isinstance(body, dict) or body.get("_type") != STATEMENT_TYPE:
        raise _invalid(f"an in-toto statement of the type {STATEMENT_TYPE} is asked for", where)
    if body.get("predicateType") not in PREDICATE_TYPES:
        raise _invalid(f"predicateType is one of {', '.join(PREDICATE_TYPES)}", f"{where}.predicateType")
    subjects = body.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise _invalid("a statement is about one file", f"{where}.subject")
    name = subjects[0].get("name") if isinstance(subjects[0], dict) else None
    sha256 = _object(subjects[0], f"{where}.subject[0]", "digest").get("sha256")
    if not isinstance(name, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise _invalid("a name and a SHA-256 in hexadecimal are asked for", f"{where}.subject[0]")
    return name, sha256.lower()


def _check_certificate(der: bytes, where: str) -> None:
    """Check that these bytes are one X.509 certificate, as the library that TLS uses reads it."""
    # of what stands behind the first certificate the library says nothing
    if _length(der) != len(der):
        raise _invalid("no X.509 certificate in DER", where)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except (ssl.SSLError, ValueError) as error:
        raise _invalid("no X.509 certificate in DER", where) from error


def _length(der: bytes) -> int:
    """Return how long an ASN.1 sequence says that it is, in bytes with its own header; -1 where it is none."""
    if len(der) < 2 or der[0] != 0x30:
        return -1
    if der[1] < 0x80:
        return 2 + der[1]
    count = der[1] & 0x7F
    return 2 + count + int.from_bytes(der[2 : 2 + count], "big")


def _object(body: Any, where: str, key: str) -> Mapping[str, Any]:
    found = body.get(key) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise _invalid("a JSON object is asked for", f"{where}.{key}")
    return found


def _bytes(body: Mapping[str, Any], key: str, where: str) -> bytes:
    text = body.get(key)
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise _invalid("not base64", f"{where}.{key}") from error
    if not found:
        raise _invalid("some bytes in base64 are asked for", f"{where}.{key}")
    return found


def _json(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unambiguous, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _invalid("it is not JSON, or a key stands twice", where) from error


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number in JSON")


def _invalid(message: str, where: str) -> InvalidAttestation:
    return InvalidAttestation(message, where=where)
