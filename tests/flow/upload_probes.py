"""Uploads that tell an index that checks what comes in from one that does not, for any server of the legacy upload API.

Each probe has a project of its own, so that none stands in another's way; those that try a taken name send a good
file first. What is wanted of a bad file is that it is refused: 400, 409 where the name is taken, 413 where it is too
large. (Legacy upload API; binary distribution format; source distribution format.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx
from tests.flow.native_wheels import record_of

Members = dict[str, bytes]
Form = Mapping[str, str | list[str]]

TAKEN, REFUSED, CLASHES, TOO_LARGE = (200,), (400,), (409,), (413, 400)
LARGE = 100 << 20
"""What the bomb unpacks to, in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One request: a file under a name, and what the form says beside it."""

    filename: str
    content: bytes
    form: Form = field(default_factory=dict)
    """Fields that differ from what twine would send for this file; empty text takes one away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something to upload and what is wanted of it."""

    name: str
    wanted: tuple[int, ...]
    make: Callable[[str], Upload]
    """Makes the upload, for the project that it is given."""
    first: Callable[[str], Upload] | None = None
    """What is uploaded before, and has to be taken."""


def wheel_members(project: str, version: str = "1.0", *, metadata: Sequence[str] = ()) -> Members:
    """Return the files of a small wheel, without RECORD."""
    info = f"{project}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}", *metadata, ""]
    return {
        f"{project}/__init__.py": b"answer = 42\n",
        f"{info}/METADATA": "\n".join(lines).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: probe\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def zipped(
    members: Members, record: str, *, listed: Members | None = None, more: Sequence[zipfile.ZipInfo] = ()
) -> bytes:
    """Return a zip with a RECORD; the same members make the same bytes.

    :param record: RECORD's name
    :param listed: what RECORD says is in it, where that differs from what is
    :param more: further members, each with ``answer = 43`` in it, that RECORD need not list
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        for info in more:
            archive.writestr(info, b"answer = 43\n")
        archive.writestr(zipfile.ZipInfo(record), record_of(members if listed is None else listed, record))
    return target.getvalue()


def wheel(
    project: str,
    *,
    version: str = "1.0",
    add: Mapping[str, bytes] = MappingProxyType({}),
    metadata: Sequence[str] = (),
    inside: Members | None = None,
    listed: Members | None = None,
    more: Sequence[zipfile.ZipInfo] = (),
    tag: str = "py3-none-any",
    form: Form = MappingProxyType({}),
) -> Upload:
    """Return a wheel's upload: a good one, but for what is given.

    :param add: files to add or to replace
    :param inside: other files altogether
    :param tag: of the file name; WHEEL says ``py3-none-any``
    """
    members = {**(wheel_members(project, version, metadata=metadata) if inside is None else inside), **add}
    content = zipped(members, f"{project}-{version}.dist-info/RECORD", listed=listed, more=more)
    return Upload(filename=f"{project}-{version}-{tag}.whl", content=content, form=form)


def sdist(
    project: str,
    *,
    top: str | None = None,
    name: str | None = None,
    add: Mapping[str, bytes] = MappingProxyType({}),
    more: Sequence[tarfile.TarInfo] = (),
) -> Upload:
    """Return a source distribution's upload: a good one, but for what is given.

    :param top: the folder with its files; empty text for none
    :param name: what PKG-INFO says the project is
    """
    folder = f"{project}-1.0" if top is None else top
    members = {
        f"{folder}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name or project}\nVersion: 1.0\n".encode(),
        f"{folder}/pyproject.toml": b"[build-system]\nrequires = []\n",
        **add,
    }
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data in members.items():
            info = tarfile.TarInfo(path.lstrip("/") if not folder else path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more:
            archive.addfile(info)
    return Upload(filename=f"{project}-1.0.tar.gz", content=target.getvalue())


def renamed(upload: Upload, filename: str) -> Upload:
    """Return an upload under another file name."""
    return Upload(filename=filename, content=upload.content, form=upload.form)


def _wrong(project: str, digest: str, length: int) -> Upload:
    return wheel(project, form={digest: "0" * length})


def _case_fold(project: str) -> Upload:
    return wheel(project, add={f"{project}/Data.py": b"a = 1\n", f"{project}/data.py": b"a = 2\n"})


def _with_link(project: str) -> Upload:
    link = zipfile.ZipInfo(f"{project}/link.py")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    listed = {**wheel_members(project), link.filename: b"answer = 43\n"}
    return wheel(project, listed=listed, more=[link])


def _around(project: str, *, before: bytes = b"", behind: bytes = b"") -> Upload:
    good = wheel(project)
    return Upload(filename=good.filename, content=before + good.content + behind)


def _tar_link(project: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{project}-1.0/link")
    info.type, info.linkname = tarfile.SYMTYPE, "../../../etc/passwd"
    return info


def _tar_device(project: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{project}-1.0/device")
    info.type = tarfile.CHRTYPE
    return info


def _other_bytes(project: str) -> Upload:
    return wheel(project, add={f"{project}/__init__.py": b"answer = 43\n"})


PROBES = (
    Probe(name="a good wheel", wanted=TAKEN, make=wheel),
    Probe(name="the same file again", wanted=TAKEN, make=wheel, first=wheel),
    Probe(name="other bytes under its name", wanted=CLASHES, make=_other_bytes, first=wheel),
    Probe(name="another SHA-256 announced", wanted=REFUSED, make=lambda p: _wrong(p, "sha256_digest", 64)),
    Probe(
        name="no zip at all",
        wanted=REFUSED,
        make=lambda p: Upload(filename=f"{p}-1.0-py3-none-any.whl", content=b"this is no zip file"),
    ),
    Probe(
        name="METADATA of another project",
        wanted=REFUSED,
        make=lambda p: wheel(p, add={f"{p}-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\n"}),
    ),
    Probe(name="another name in the form", wanted=REFUSED, make=lambda p: wheel(p, form={"name": "somebodyelse"})),
    Probe(name="another version in the form", wanted=REFUSED, make=lambda p: wheel(p, form={"version": "2.0"})),
    Probe(
        name="a file name that climbs (`../../`)",
        wanted=REFUSED,
        make=lambda p: renamed(wheel(p), f"../../{p}-1.0-py3-none-any.whl"),
    ),
    Probe(
        name="a variant label without variant.json",
        wanted=REFUSED,
        make=lambda p: renamed(wheel(p), f"{p}-1.0-py3-none-any-x86_64_v3.whl"),
    ),
    Probe(name="a local version (`1.0+cpu`)", wanted=TAKEN, make=lambda p: wheel(p, version="1.0+cpu")),
    Probe(
        name="a member that climbs (zip slip)",
        wanted=REFUSED,
        make=lambda p: wheel(p, add={"../../evil.py": b"x = 1\n"}),
    ),
)
"""The twelve by which the indexes were first compared."""

FURTHER = (
    Probe(name="another BLAKE2b announced", wanted=REFUSED, make=lambda p: _wrong(p, "blake2_256_digest", 64)),
    Probe(name="another MD5 announced", wanted=REFUSED, make=lambda p: _wrong(p, "md5_digest", 32)),
    Probe(
        name="METADATA of another version",
        wanted=REFUSED,
        make=lambda p: wheel(
            p, add={f"{p}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {p}\nVersion: 2.0\n".encode()}
        ),
    ),
    Probe(
        name="no METADATA",
        wanted=REFUSED,
        make=lambda p: wheel(p, inside={n: d for n, d in wheel_members(p).items() if not n.endswith("METADATA")}),
    ),
    Probe(
        name="RECORD with another hash of a file",
        wanted=REFUSED,
        make=lambda p: wheel(p, listed={**wheel_members(p), f"{p}/__init__.py": b"answer = 41\n"}),
    ),
    Probe(
        name="a file that RECORD does not list",
        wanted=REFUSED,
        make=lambda p: wheel(p, add={f"{p}/hidden.py": b""}, listed=wheel_members(p)),
    ),
    Probe(
        name="the same name twice in the zip",
        wanted=REFUSED,
        make=lambda p: wheel(p, more=[zipfile.ZipInfo(f"{p}/__init__.py")]),
    ),
    Probe(name="`Data.py` beside `data.py`", wanted=REFUSED, make=_case_fold),
    Probe(name="a symbolic link in the wheel", wanted=REFUSED, make=_with_link),
    Probe(
        name="a member with an absolute path", wanted=REFUSED, make=lambda p: wheel(p, add={"/etc/evil.py": b"x = 1\n"})
    ),
    Probe(name="bytes before the zip", wanted=REFUSED, make=lambda p: _around(p, before=b"#!/bin/sh\nexit\n")),
    Probe(name="bytes behind the zip", wanted=REFUSED, make=lambda p: _around(p, behind=b"something else")),
    Probe(name="tags in WHEEL that the name lacks", wanted=REFUSED, make=lambda p: wheel(p, tag="py2-none-any")),
    Probe(
        name="a bomb: 100 MiB out of 100 KiB",
        wanted=TOO_LARGE,
        make=lambda p: wheel(p, add={f"{p}/zeros.bin": bytes(LARGE)}),
    ),
    Probe(name="protocol version 2", wanted=REFUSED, make=lambda p: wheel(p, form={"protocol_version": "2"})),
    Probe(name="an .exe", wanted=REFUSED, make=lambda p: renamed(wheel(p), f"{p}-1.0.exe")),
    Probe(name="a good source distribution", wanted=TAKEN, make=sdist),
    Probe(
        name="a source distribution that is no tar.gz",
        wanted=REFUSED,
        make=lambda p: Upload(filename=f"{p}-1.0.tar.gz", content=b"this is no archive"),
    ),
    Probe(name="… with PKG-INFO of another project", wanted=REFUSED, make=lambda p: sdist(p, name="somebodyelse")),
    Probe(name="… with two folders at the top", wanted=REFUSED, make=lambda p: sdist(p, add={"other/setup.py": b""})),
    Probe(name="… with a link that leads out", wanted=REFUSED, make=lambda p: sdist(p, more=[_tar_link(p)])),
    Probe(
        name="… with a member that climbs", wanted=REFUSED, make=lambda p: sdist(p, add={f"{p}-1.0/../../evil": b""})
    ),
    Probe(name="… with a device", wanted=REFUSED, make=lambda p: sdist(p, more=[_tar_device(p)])),
    Probe(
        name="another Requires-Dist in the form", wanted=REFUSED, make=lambda p: wheel(p, form={"requires_dist": ["x"]})
    ),
    Probe(
        name="another Requires-Python in the form",
        wanted=REFUSED,
        make=lambda p: wheel(p, form={"requires_python": ">3.99"}),
    ),
    Probe(
        name="an entry point whose name is a path",
        wanted=REFUSED,
        make=lambda p: wheel(
            p, add={f"{p}-1.0.dist-info/entry_points.txt": f"[console_scripts]\n../../evil = {p}:main\n".encode()}
        ),
    ),
    Probe(
        name="a License-File that is not there",
        wanted=REFUSED,
        make=lambda p: wheel(
            p,
            add={
                f"{p}-1.0.dist-info/METADATA": (
                    f"Metadata-Version: 2.4\nName: {p}\nVersion: 1.0\nLicense-File: LICENSE\n"
                ).encode()
            },
        ),
    ),
)
"""Further ones, each wrong in one point."""

HELD = (*PROBES, *FURTHER)
"""Those that this server has to answer as is wanted."""


def project_of(number: int) -> str:
    """Return the project of the probe with this number."""
    return f"probe{number:02}"


def send(upload: Upload, project: str, url: str, auth: tuple[str, str] | None) -> httpx.Response:
    """Upload as twine does, but with whatever the probe says."""
    is_wheel = not upload.filename.endswith(".tar.gz")
    form: dict[str, str | list[str]] = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": project,
        "version": upload.filename.removesuffix(".tar.gz").removesuffix(".exe").split("-")[1],
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "pyversion": "py3" if is_wheel else "source",
        "sha256_digest": hashlib.sha256(upload.content).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(upload.content, digest_size=32).hexdigest(),
        **upload.form,
    }
    return httpx.post(
        url,
        data=form,
        files={"content": (upload.filename, upload.content, "application/octet-stream")},
        auth=auth,
        timeout=60,
        trust_env=False,
    )


def status_of(probe: Probe, project: str, url: str, auth: tuple[str, str] | None) -> int | None:
    """Send a probe, after what has to stand before it, and return the status; None where no answer came."""
    try:
        if probe.first is not None:
            send(probe.first(project), project, url, auth).raise_for_status()
        return send(probe.make(project), project, url, auth).status_code
    except httpx.TransportError:
        return None
