from __future__ import annotations

import base64
import hashlib
import io
import socket
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from cpufit_server.app import create_app, in_front_of
from cpufit_server.front.protocol import FrontProtocol
from cpufit_server.settings import Settings
from cpufit_wheelhouse.home import Home

ELF = b"\x7fELF\x02\x01\x01" + b"\0" * 57
"""Enough of a shared library to count as native code."""


def wheel_bytes(
    name: str = "fast",
    version: str = "1.0",
    tags: str = "py3-none-any",
    *,
    native: bool = False,
    library: bytes = ELF,
    requires: tuple[str, ...] = (),
    requires_python: str = ">=3.8",
    extra: bytes = b"",
    metadata_name: str | None = None,
) -> tuple[str, bytes]:
    """Return the file name and the bytes of a small, whole wheel."""
    dist_info = f"{name}-{version}.dist-info"
    pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
    lines = [f"Tag: {p}-{a}-{o}\n" for p in pythons for a in abis for o in platforms]
    metadata = f"Metadata-Version: 2.1\nName: {metadata_name or name}\nVersion: {version}\n"
    metadata += f"Requires-Python: {requires_python}\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    members = {f"{name}/__init__.py": b"answer = 42\n" + extra}
    if native:
        members[f"{name}/_native.so"] = library + extra
    members[f"{dist_info}/METADATA"] = (metadata + "\n").encode()
    purelib = "false" if native else "true"
    members[f"{dist_info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {purelib}\n{''.join(lines)}"
    ).encode()
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in members.items()
    )
    members[f"{dist_info}/RECORD"] = f"{record}{dist_info}/RECORD,,\n".encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), data)
    return f"{name}-{version}-{tags}.whl", target.getvalue()


def sdist_bytes(name: str = "fast", version: str = "1.0") -> tuple[str, bytes]:
    """Return the file name and the bytes of a small source distribution."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        data = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n\n".encode()
        for path, content in (("PKG-INFO", data), ("pyproject.toml", b"")):
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return f"{name}-{version}.tar.gz", target.getvalue()


@dataclass
class Running:
    """A server on loopback, and what a test needs to talk to it."""

    settings: Settings
    client: httpx.Client
    home: Home
    token: str
    app: FastAPI
    """The application behind the front, which answers each request anew."""

    def upload(
        self, file: tuple[str, bytes], *, token: str | None = None, params: dict[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """Upload a file as a tool does."""
        return self.client.post(
            "/legacy/",
            params=params,
            data={":action": "file_upload", "protocol_version": "1", **fields},
            files={"content": file},
            auth=("__token__", token or self.token),
        )

    def page(self, path: str = "/simple/fast/", user_agent: str = "pip/26.3") -> dict[str, Any]:
        """Return a JSON page."""
        headers = {"Accept": "application/vnd.pypi.simple.v1+json", "User-Agent": user_agent}
        response = self.client.get(path, headers=headers)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def names(self, path: str = "/simple/fast/", user_agent: str = "pip/26.3") -> list[str]:
        """Return the file names on a page."""
        return [file["filename"] for file in self.page(path, user_agent)["files"]]


@contextmanager
def running(home: Path, **values: Any) -> Iterator[Running]:
    """Run a server on a free port of loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        settings = Settings(home=home, port=listener.getsockname()[1], **values)
        app = create_app(settings)
        server = uvicorn.Server(
            uvicorn.Config(
                in_front_of(app, settings),
                http=FrontProtocol,
                log_level="error",
                lifespan="on",
                server_header=False,
                proxy_headers=False,  # as `cpufit-server serve`
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            opened: Home = app.state.services.home
            with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", timeout=30) as client:
                yield Running(settings, client, opened, opened.catalog.create_token(None, "test"), app)
        finally:
            server.should_exit = True
            thread.join()


def stored_nothing(server: Running) -> bool:
    """Tell whether a server's home holds no file, in no place."""
    blobs = [path for path in (server.settings.home / "blobs").rglob("*") if path.is_file()]
    staged = list((server.settings.home / "staging").iterdir())
    return not blobs and not staged and server.home.catalog.projects() == ()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "home") as found:
        yield found


@pytest.fixture(scope="session")
def run_server() -> Callable[..., Any]:
    return running


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., tuple[str, bytes]]:
    return wheel_bytes


@pytest.fixture(scope="session")
def make_sdist() -> Callable[..., tuple[str, bytes]]:
    return sdist_bytes
