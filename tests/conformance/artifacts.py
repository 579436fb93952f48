"""Small distributions, made as the specifications have them, and the upload forms that carry them."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from packaging.version import Version

from .index import normalised

REQUIRES_PYTHON = ">=3.8, <4"
SUMMARY = "A distribution that a conformance test made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A distribution in memory."""

    project: str
    """The name as its metadata spell it."""
    version: str
    kind: Literal["bdist_wheel", "sdist"]
    filename: str
    data: bytes
    metadata: bytes
    """METADATA or PKG-INFO."""
    requires_python: str | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()


def metadata_of(project: str, version: str, requires_python: str | None = REQUIRES_PYTHON) -> bytes:
    """Return core metadata."""
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}", f"Summary: {SUMMARY}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    return "\n".join([*lines, "Requires-Dist: packaging>=20; extra == 'none'", "Provides-Extra: none", "", ""]).encode()


def make_wheel(
    project: str,
    version: str,
    *,
    build: str = "",
    requires_python: str | None = REQUIRES_PYTHON,
    metadata: bytes | None = None,
    members: Mapping[str, bytes] | None = None,
) -> Artifact:
    """Return a pure Python wheel whose bytes are like no other's."""
    stem = f"{normalised(project).replace('-', '_')}-{Version(version)}"
    info = f"{stem}.dist-info"
    told = metadata_of(project, version, requires_python) if metadata is None else metadata
    module = normalised(project).replace("-", "_")
    contents = {
        f"{module}/__init__.py": f"TOKEN = {secrets.token_hex(2048)!r}\n".encode(),
        **(members or {}),
        f"{info}/METADATA": told,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: conformance\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        + (f"Build: {build}\n".encode() if build else b""),
    }
    rows = [f"{name},sha256={_urlsafe(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return Artifact(
        project=project,
        version=version,
        kind="bdist_wheel",
        filename="-".join(part for part in (stem, build, "py3-none-any") if part) + ".whl",
        data=target.getvalue(),
        metadata=told,
        requires_python=requires_python,
    )


def make_sdist(project: str, version: str) -> Artifact:
    """Return a source distribution (PEP 625)."""
    stem = f"{normalised(project).replace('-', '_')}-{Version(version)}"
    told = metadata_of(project, version).replace(b"Metadata-Version: 2.1", b"Metadata-Version: 2.2")
    contents = {
        "PKG-INFO": told,
        "pyproject.toml": b'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
        "module.py": f"TOKEN = {secrets.token_hex(64)!r}\n".encode(),
    }
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return Artifact(
        project=project,
        version=version,
        kind="sdist",
        filename=f"{stem}.tar.gz",
        data=target.getvalue(),
        metadata=told,
        requires_python=REQUIRES_PYTHON,
    )


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a multipart form."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None


Fields = dict[str, "str | Sequence[str] | None"]


def form_of(
    artifact: Artifact,
    *,
    order: Literal["twine", "uv"] = "twine",
    filename: str | None = None,
    fields: Mapping[str, str | None] = MappingProxyType({}),
) -> list[Part]:
    """Return an upload form as a client sends it.

    :param order: twine sends the file last and with a content type; uv the digests first and the file without a type
    :param fields: other values of fields, None for none
    """
    values: Fields = {
        "metadata_version": "2.1" if artifact.kind == "bdist_wheel" else "2.2",
        "name": artifact.project,
        "version": artifact.version,
        "summary": SUMMARY,
        "requires_python": artifact.requires_python or "",
        "requires_dist": ["packaging>=20; extra == 'none'"],
        "provides_extra": ["none"],
        "pyversion": "py3" if artifact.kind == "bdist_wheel" else "source",
        "filetype": artifact.kind,
        "sha256_digest": artifact.sha256,
        "blake2_256_digest": hashlib.blake2b(artifact.data, digest_size=32).hexdigest(),
        ":action": "file_upload",
        "protocol_version": "1",
    }
    values.update(fields)
    first = (":action", "sha256_digest", "blake2_256_digest", "protocol_version") if order == "uv" else ()
    names = [*(name for name in first if name in values), *(name for name in values if name not in first)]
    parts = [Part(name=name, data=one.encode()) for name in names for one in _each(values[name])]
    content_type = None if order == "uv" else "application/octet-stream"
    return [
        *parts,
        Part(name="content", data=artifact.data, filename=filename or artifact.filename, content_type=content_type),
    ]


def _each(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def encode_form(parts: Sequence[Part]) -> tuple[bytes, str]:
    """Return a form's bytes and its content type (RFC 7578)."""
    boundary = secrets.token_hex(16)
    body = bytearray()
    for part in parts:
        header = f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name}"'
        if part.filename is not None:
            header += f'; filename="{part.filename}"'
        if part.content_type is not None:
            header += f"\r\nContent-Type: {part.content_type}"
        body += header.encode() + b"\r\n\r\n" + part.data + b"\r\n"
    return bytes(body) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
