"""What the tests of the selector share: wheels made here, a small index on loopback, machines with a declared CPU."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import MappingProxyType

from tests.loopback import listening

from cpufit_pip_plugin.selector import (
    SelectorCandidate,
    SelectorContents,
    SourceCandidate,
    pack,
    selector_filename,
)
from cpufit_resolver import BASELINE_NEED, Need, parse_need

UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


@dataclass(frozen=True)
class MadeWheel:
    """A wheel of one module, ``fitdemo``, whose ``BUILD`` tells which build was installed."""

    filename: str
    data: bytes
    metadata: bytes
    need: Need | None


def make_wheel(version: str, build: str, needs: str | None, tag: str = "py3-none-any", extra: str = "") -> MadeWheel:
    metadata = (
        f"Metadata-Version: 2.1\nName: fitdemo\nVersion: {version}\nSummary: a demo\n{extra}\nlong text\n".encode()
    )
    info = f"fitdemo-{version}.dist-info"
    members = {
        "fitdemo.py": f"BUILD = {build!r}\n".encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    members[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*members, f"{info}/RECORD"]).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    need = parse_need(needs, frozenset({"x86_64"})) if needs else BASELINE_NEED
    return MadeWheel(f"fitdemo-{version}-{tag}.whl", stream.getvalue(), metadata, need)


def make_source(version: str) -> bytes:
    """Return a source distribution whose backend, without any requirement, writes a wheel that says ``source``."""
    wheel = make_wheel(version, "source", None)
    backend = (
        "import os\n"
        f"WHEEL = {wheel.data!r}\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    with open(os.path.join(folder, {wheel.filename!r}), 'wb') as stream:\n"
        "        stream.write(WHEEL)\n"
        f"    return {wheel.filename!r}\n"
    )
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: fitdemo\nVersion: {version}\n",
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "made"\nbackend-path = ["."]\n',
            "made.py": backend,
        }.items():
            member = tarfile.TarInfo(f"fitdemo-{version}/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


@dataclass
class Index:
    """An index of one project, as far as selectors need it."""

    url: str = ""
    wheels: dict[str, list[MadeWheel]] = field(default_factory=dict)
    sources: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    broken_bytes: bool = False
    credentials: tuple[str, str] | None = None
    """What it asks for, where it is private."""

    def selector(self, version: str) -> bytes:
        wheels = self.wheels[version]
        source = self.sources.get(version)
        return pack(
            SelectorContents(
                project="fitdemo",
                version=version,
                metadata=wheels[0].metadata,
                api_url=self.url,
                candidates=tuple(
                    SelectorCandidate(
                        filename=wheel.filename,
                        url=f"{self.url}/files/{sha(wheel.data)}/{wheel.filename}",
                        sha256=sha(wheel.data),
                        size=len(wheel.data),
                        need=wheel.need,
                        metadata_sha256=sha(wheel.metadata),
                    )
                    for wheel in wheels
                ),
                source=None
                if source is None
                else SourceCandidate(
                    filename=f"fitdemo-{version}.tar.gz",
                    url=f"{self.url}/files/{sha(source)}/fitdemo-{version}.tar.gz",
                    sha256=sha(source),
                    size=len(source),
                ),
            )
        )

    def page(self) -> bytes:
        links = []
        for version in self.wheels:
            digest = sha(self.selector(version))
            name = selector_filename("fitdemo", version)
            links.append(f'<a href="/selectors/{digest}/{secrets.token_hex(8)}/{name}#sha256={digest}">{name}</a>')
        return ("<!DOCTYPE html><title>fitdemo</title>" + "\n".join(links)).encode()

    def api(self) -> bytes:
        releases = [
            {
                "version": version,
                "files": [
                    {
                        "filename": wheel.filename,
                        "kind": "wheel",
                        "requires_python": None,
                        "need": None if wheel.need is None else wheel.need.as_dict(),
                    }
                    for wheel in wheels
                ],
            }
            for version, wheels in self.wheels.items()
        ]
        return json.dumps({"name": "fitdemo", "policy": {"unknown": "refuse"}, "releases": releases}).encode()

    def answer(self, path: str) -> bytes | None:
        self.requests.append(path)
        if path == "/simple/fitdemo/":
            return self.page()
        if path == "/api/v1/projects/fitdemo":
            return self.api()
        for version in self.wheels:
            if path.startswith("/selectors/") and path.endswith(f"/{selector_filename('fitdemo', version)}"):
                return self.selector(version)
        for wheel in (wheel for wheels in self.wheels.values() for wheel in wheels):
            place = f"/files/{sha(wheel.data)}/{wheel.filename}"
            if path == place:
                return wheel.data[:-1] + b"?" if self.broken_bytes else wheel.data
            if path == f"{place}.metadata":
                return wheel.metadata
        return next((data for data in self.sources.values() if path.startswith(f"/files/{sha(data)}/")), None)


@contextmanager
def serving(index: Index) -> Iterator[None]:
    """Answer as an index does, at the address that it is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if index.credentials is not None and self.headers["Authorization"] != basic(*index.credentials):
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            # asked as a proxy is, the path has the other host's address before it
            body = index.answer(
                "/" + self.path.partition("://")[2].partition("/")[2] if "://" in self.path else self.path
            )
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            immutable = self.path.startswith("/files/")
            self.send_header("Cache-Control", "max-age=31536000, immutable" if immutable else "no-store")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            pass

    with listening(Handler) as index.url:
        yield


@contextmanager
def serving_three_releases() -> Iterator[Index]:
    """Release 2.0 needs v3 for one build and v2 for the other; 3.0 runs on v3 alone; 1.0 runs everywhere."""
    made = Index(
        wheels={
            "1.0": [make_wheel("1.0", "v1", None)],
            "2.0": [
                make_wheel("2.0", "v2", "x86_64_v2"),
                make_wheel("2.0", "v3", "x86_64_v3"),
                make_wheel("2.0", "foreign", "x86_64_v3", "cp39-abi3-win32"),
            ],
            "3.0": [make_wheel("3.0", "v3", "x86_64_v2+avx+f16c")],
        }
    )
    with serving(made):
        yield made


def isolated(home: Path, cpu: str) -> dict[str, str]:
    """Return an environment in which an installer knows no index, cache or setting but those given to it."""
    foreign = re.compile(r"(PIP|UV|CPUFIT|COV)_|PYTHONPATH$|VIRTUAL_ENV$|NETRC$|(https?|all|no)_proxy$", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not foreign.match(name)}
    home.mkdir(parents=True, exist_ok=True)
    return clean | {
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "CPUFIT_CPU": cpu,
    }


@dataclass(frozen=True)
class Machine:
    """One virtual environment on one (declared) CPU."""

    place: Path
    cpu: str

    @property
    def python(self) -> str:
        return str(self.place / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    def run(
        self, *command: str, cwd: Path | None = None, more: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**isolated(self.place / "home", self.cpu), **more},
            cwd=cwd or self.place,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def pip(
        self, index: Index, *arguments: str, cache: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of pip.

        :param more: environment variables
        """
        store = ["--cache-dir", str(cache)] if cache else ["--no-cache-dir"]
        command, *rest = arguments
        source = ["--index-url", f"{index.url}/simple/"]
        return self.run(
            sys.executable, "-m", "pip", "--python", self.python, command, *store, *source, *rest, more=more
        )

    def uv(self, index: Index, *arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
        assert UV is not None
        source = ["--cache-dir", str(cache), "--default-index", f"{index.url}/simple/"]
        return self.run(UV, "pip", arguments[0], "--python", self.python, *source, *arguments[1:])

    def installed(self) -> str:
        """Return version and build of what is installed, or nothing."""
        text = "import fitdemo, importlib.metadata as m; print(m.version('fitdemo'), fitdemo.BUILD)"
        return self.run(self.python, "-c", text).stdout.strip()


def new_machine(tmp_path: Path, cpu: str, name: str = "") -> Machine:
    place = tmp_path / f"machine-{name or cpu}"
    venv.create(place, with_pip=False)
    return Machine(place, cpu)
