"""The page on uploads names every refusal that an upload can meet, with its status, and no other."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from cpufit_resolver import errors as resolver_errors
from cpufit_resolver.errors import CpufitError
from cpufit_server import errors as server_errors
from cpufit_server.environment import PREFIX
from cpufit_server.problems import status_of
from cpufit_server.settings import Settings
from cpufit_wheelhouse import errors as wheelhouse_errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/uploads.md"
_WHEELHOUSE = ROOT / "wheelhouse/cpufit_wheelhouse"
_SERVER = ROOT / "server/cpufit_server"

ROOMS = (
    *sorted((_WHEELHOUSE / "admission").glob("*.py")),
    *sorted((_WHEELHOUSE / "ingest").glob("*.py")),
    *(_WHEELHOUSE / f"{name}.py" for name in ("archive", "attestations", "entry_points", "filename", "framing")),
    *(_WHEELHOUSE / f"{name}.py" for name in ("obfuscation", "signatures")),
    *(_WHEELHOUSE / f"{name}.py" for name in ("judgement", "metadata", "record", "sdist", "variant", "wheel_file")),
    _WHEELHOUSE / "catalog/identity.py",
    *(_SERVER / f"{name}.py" for name in ("auth", "multipart", "upload", "upload_form")),
)
"""Where an upload is looked at."""

HELPERS: dict[str, type[CpufitError]] = {
    "attestations": wheelhouse_errors.InvalidAttestation,
    "descriptive": wheelhouse_errors.InvalidMetadata,
    "filename": wheelhouse_errors.InvalidWheelName,
    "variant": wheelhouse_errors.InvalidVariantMetadata,
}
"""What the function ``_invalid`` of a module makes."""

NOT_OF_UPLOADS = {"sdist-of-another-project"}
"""Only an import takes a file in under another project's name."""

ERRORS: dict[str, type[CpufitError]] = {
    name: found
    for module in (resolver_errors, wheelhouse_errors, server_errors)
    for name, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, CpufitError)
}


def _raised(path: Path) -> Iterator[tuple[str, int]]:
    """Give code and status of each error that a module makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        kind = HELPERS.get(path.stem) if node.func.id == "_invalid" else ERRORS.get(node.func.id)
        if kind is None:
            continue
        given: list[ast.expr | None] = [word.value for word in node.keywords if word.arg == "code"]
        if node.func.id == "_invalid" and path.stem == "descriptive":
            given = [node.args[2]]
        for value in given or [None]:
            code = kind.code
            if isinstance(value, ast.Constant):
                code = str(value.value)
            elif isinstance(value, ast.Name) and value.id in constants:
                code = str(constants[value.id])
            elif value is not None:
                continue  # a helper that passes on what it was given
            if code not in NOT_OF_UPLOADS:
                yield code, status_of(kind("x"))


def _documented() -> set[tuple[str, int]]:
    row = re.compile(r"^\|.*\| `([a-z0-9-]+)` \| ([0-9]{3}) \|$", re.MULTILINE)
    return {(code, int(status)) for code, status in row.findall(PAGE.read_text(encoding="utf-8"))}


def test_the_page_names_every_refusal_with_its_status_and_no_other() -> None:
    found = {raised for room in ROOMS for raised in _raised(room)}
    needs = {
        (kind.code, status_of(kind("x"))) for kind in (resolver_errors.InvalidCpuToken, ERRORS["UnknownCpuFeature"])
    }
    # its code is put together from the status
    closed = {(f"project-{status}", status_of(ERRORS["ProjectClosed"]("x"))) for status in ("archived", "quarantined")}
    assert _documented() == found | needs | closed


def test_every_setting_that_the_page_names_is_one() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"CPUFIT_[A-Z_]+[A-Z]", PAGE.read_text(encoding="utf-8"))) - {"CPUFIT_ARCHIVE_MAX"}
    assert named <= known
