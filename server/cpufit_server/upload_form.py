"""The fields of an upload form: what the legacy upload API says that they are, and what they claim of the file.

The API is described by PyPI's documentation ("Upload API") and by what twine, uv, Poetry and PDM send. Fields that are
not named here are read past: what they would tell is in the file's own metadata.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from cpufit_wheelhouse.admission.rules import AdmissionRules, Submission
from cpufit_wheelhouse.attestations import parse_attestations
from cpufit_wheelhouse.errors import DigestMismatch, MetadataMismatch
from cpufit_wheelhouse.filename import SdistFilename, WheelFilename

from .errors import ActionGone, InvalidForm, UploadTooLarge

if TYPE_CHECKING:
    from cpufit_wheelhouse.blobs import StagedBlob

    from .multipart import Form
    from .settings import Settings

NEEDS_FIELD = "cpufit_needs"
"""The form field, or query parameter, that declares what a wheel needs."""

ATTESTATIONS_FIELD = "attestations"

FIELDS = frozenset(
    {":action", "protocol_version", "filetype", "pyversion", "name", "version", "requires_python"}
    | {"sha256_digest", "blake2_256_digest", "md5_digest", ATTESTATIONS_FIELD, NEEDS_FIELD}
)
"""Those that may stand once."""

REPEATED_FIELDS = frozenset({"requires_dist", "provides_extra"})
"""Those that may stand several times."""

GONE = ("submit", "submit_pkg_info", "doc_upload")
"""Actions that registered projects and their documentation, until PyPI gave them up in 2016 and 2017."""

_DIGESTS = {"sha256_digest": 64, "blake2_256_digest": 64, "md5_digest": 32}
_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_PYTHON_VERSION = re.compile(r"[0-9](?:\.[0-9]+)?")
"""How setuptools told the Python of a wheel, before the tag came into use."""


def check_form(form: Form, parsed: WheelFilename | SdistFilename, staged: StagedBlob, *, digest_required: bool) -> None:
    """Check what a form says of its file against the file's name and bytes.

    :raises ActionGone: it asks for what the API did in former times
    :raises InvalidForm: a field has a value that the API does not know, or that contradicts the file's name
    :raises DigestMismatch: the bytes are not those that were announced
    :raises MetadataMismatch: it is for another project or version than the file's name
    """
    check_action(form)
    _check_kind(form, parsed)
    _check_digests(form, staged, required=digest_required)
    _check_identity(form, parsed)


def check_action(form: Form) -> None:
    """Check that the form is an upload in the one version of the protocol.

    :raises ActionGone: it asks for what the API did in former times
    :raises InvalidForm: it asks for something else, or in another version
    """
    action = form.get(":action")
    if action in GONE:
        raise ActionGone(f"{action} is gone: a project is made by its first file", where=":action")
    if action not in (None, "file_upload"):
        raise InvalidForm("only file_upload is served", where=":action", code="unsupported-action")
    if form.get("protocol_version") not in (None, "1"):
        raise InvalidForm("only version 1 of the upload protocol is served", where="protocol_version")


def submission_of(form: Form, rules: AdmissionRules, settings: Settings) -> Submission:
    """Return what a form claims of its file.

    :raises InvalidAttestation: its attestations do not follow PEP 740
    :raises UploadTooLarge: they are longer than the settings allow
    """
    return Submission(
        project=form.get("name"),
        requires_python=form.get("requires_python"),
        requires_dist=form.all("requires_dist"),
        provides_extra=form.all("provides_extra"),
        attestations=() if (text := attestations_of(form, settings)) is None else parse_attestations(text),
        rules=rules,
    )


def attestations_of(form: Form, settings: Settings) -> str | None:
    """Return the attestations as they came; None where there are none.

    :raises UploadTooLarge: they are longer than the settings allow
    """
    text = form.get(ATTESTATIONS_FIELD)
    if text is not None and len(text.encode()) > settings.max_attestations_bytes:
        raise UploadTooLarge(
            f"the attestations have more than {settings.max_attestations_bytes} bytes",
            where=ATTESTATIONS_FIELD,
            hint="CPUFIT_MAX_ATTESTATIONS_BYTES sets the limit",
            code="attestations-too-large",
        )
    return text


def _check_kind(form: Form, parsed: WheelFilename | SdistFilename) -> None:
    kind = "bdist_wheel" if isinstance(parsed, WheelFilename) else "sdist"
    filetype, python = form.get("filetype"), form.get("pyversion")
    if filetype not in (None, kind):
        raise InvalidForm(f"a file of this name is of type {kind}", where="filetype")
    if python is None:
        return
    if isinstance(parsed, SdistFilename):
        if python != "source":
            raise InvalidForm("a source distribution's is 'source'", where="pyversion")
        return
    of_name = set(parsed.pythons)
    if not (set(python.lower().split(".")) <= of_name or _PYTHON_VERSION.fullmatch(python)):
        raise InvalidForm(
            f"{python[:60]!r} is not {'.'.join(parsed.pythons)}, as the file name has it", where="pyversion"
        )


def _check_digests(form: Form, staged: StagedBlob, *, required: bool) -> None:
    came = staged.digests
    found = {"sha256_digest": came.sha256, "blake2_256_digest": came.blake2b, "md5_digest": came.md5}
    announced = {name: text.lower() for name in _DIGESTS if (text := form.get(name)) is not None}
    if required and not announced:
        raise InvalidForm(
            "no digest was announced",
            where="sha256_digest",
            hint="send sha256_digest, as twine and uv do",
            code="digest-required",
        )
    for name, text in announced.items():
        if not re.fullmatch(f"[0-9a-f]{{{_DIGESTS[name]}}}", text):
            raise InvalidForm(f"not {_DIGESTS[name]} hexadecimal digits", where=name, code="invalid-digest")
        if not hmac.compare_digest(text.encode(), found[name].encode()):
            raise DigestMismatch(f"{found[name]} came, {text} was announced", where=name)


def _check_identity(form: Form, parsed: WheelFilename | SdistFilename) -> None:
    name, version = form.get("name"), form.get("version")
    if name is not None and not _NAME.fullmatch(name):
        raise InvalidForm(f"{name[:128]!a} is not a project name", where="name", code="invalid-project-name")
    if name is not None and canonicalize_name(name) != parsed.name:
        raise MetadataMismatch(f"the form says {name[:128]!r}, the file name {parsed.name!r}", where="name")
    if version is None:
        return
    try:
        same = Version(version) == parsed.version
    except ValueError:  # InvalidVersion is one; another is raised for a number of more digits than Python reads
        same = False
    if not same:
        raise MetadataMismatch(f"the form says {version[:128]!r}, the file name {parsed.version}", where="version")
