"""The indexes: how each is given its files and started, and where its pages are."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cpufit_server.demo.processes import free_port
from cpufit_wheelhouse.home import open_home

from . import limits
from .data import Shelf
from .processes import Process, running, wait_for
from .tools import Tools, system_program

USER, PASSWORD = "bench", "bench-password"
_DEVPI_USER = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A running index. ``page`` gives the address of a project's page in a format ("json", "html")."""

    name: str
    version: str
    process: Process
    log: Path
    page: Callable[[str, str], str]
    index_url: str = ""
    upload_url: str | None = None
    metrics_url: str = ""
    username: str = USER
    password: str = PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How to start an index with a shelf of files; ``scratch`` is an empty folder of its own.

    Where ``fills`` is not set, the files have to be uploaded to it first.
    """

    name: str
    start: Callable[[Tools, Shelf, Path], AbstractContextManager[Index]]
    fills: bool = True
    uploads: bool = False
    limit: bool = False
    """No index, but the most that could be: ready bytes."""
    compared: bool = True
    """Whether it stands beside the others, or is measured by a phase of its own."""
    formats: tuple[str, ...] = field(default=("json", "html"))


class Missing(Exception):
    """A rival or a tool that this machine does not have."""


def _pages(base: str) -> Callable[[str, str], str]:
    return lambda project, _: f"{base}{project}/"


def _program(tools: Tools, rival: str, name: str) -> Path:
    found = tools.program(rival, name)
    if found is None:
        raise Missing(f"{rival} is not installed")
    return found


@contextmanager
def cpufit(tools: Tools, shelf: Shelf, scratch: Path, *, metrics: bool = False) -> Iterator[Index]:
    """Start this repository's server, with its home filled beforehand."""
    from .seeding import seed_home  # noqa: PLC0415 - the rivals need no database

    del tools
    home, port, log = scratch / "home", free_port(), scratch / "cpufit.log"
    if shelf.projects and not home.exists():
        seed_home(home, shelf)
    with open_home(home) as opened:
        secret = opened.catalog.create_token(None, "benchmark")
    command = [sys.executable, "-m", "cpufit_server", "serve", "--port", str(port)]
    environment = {"CPUFIT_HOME": str(home), "CPUFIT_ACCESS_LOG": "false"}  # the others write none either
    metrics_port = free_port()
    if metrics:
        environment["CPUFIT_METRICS_PORT"] = str(metrics_port)
    with running(command, environment=environment, log=log) as process:
        base = f"http://127.0.0.1:{port}"
        yield Index(
            name="cpufit",
            version="this",
            process=process,
            log=log,
            page=_pages(f"{base}/simple/"),
            index_url=f"{base}/simple/",
            upload_url=f"{base}/legacy/",
            metrics_url=f"http://127.0.0.1:{metrics_port}/metrics" if metrics else "",
            username="__token__",
            password=secret,
        )


@contextmanager
def devpi(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start devpi-server with an empty index of its administrator; what is on the shelf has to be uploaded."""
    del shelf
    folder, port, log = scratch / "devpi", free_port(), scratch / "devpi.log"
    made = [_program(tools, "devpi-server", "devpi-init"), "--serverdir", folder, "--root-passwd", PASSWORD]
    if not folder.exists():
        subprocess.run(list(map(str, made)), capture_output=True, check=True)
    command: list[str | Path] = [
        _program(tools, "devpi-server", "devpi-server"),
        "--serverdir",
        folder,
        "--host",
        "127.0.0.1",
    ]
    base = f"http://127.0.0.1:{port}"
    with running([*command, "--port", str(port)], environment={}, log=log) as process:
        wait_for(f"{base}/+api", process, log, accept="application/json")
        own = _make_devpi_index(base)
        yield Index(
            name="devpi",
            version=tools.version("devpi-server"),
            process=process,
            log=log,
            page=_pages(f"{own}+simple/"),
            index_url=f"{own}+simple/",
            upload_url=own,
            username=_DEVPI_USER,
        )


def _make_devpi_index(base: str) -> str:
    """Make the index, if it is not there, and return its address."""
    login = _json_request(f"{base}/+login", "POST", {"user": _DEVPI_USER, "password": PASSWORD})
    who = base64.b64encode(f"{_DEVPI_USER}:{login['result']['password']}".encode()).decode()
    with_auth = {"X-Devpi-Auth": who}
    user = f"{base}/{_DEVPI_USER}"
    if USER not in _json_request(user, "GET", None, with_auth)["result"]["indexes"]:
        _json_request(f"{user}/{USER}", "PUT", {"bases": [], "volatile": False}, with_auth)
    return f"{user}/{USER}/"


def _json_request(url: str, method: str, body: object, headers: dict[str, str] | None = None) -> dict[str, dict]:  # type: ignore[type-arg]
    data = None if body is None else json.dumps(body).encode()
    wanted = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    with urllib.request.urlopen(urllib.request.Request(url, data, wanted, method=method), timeout=60) as answer:
        found: dict[str, dict] = json.load(answer)  # type: ignore[type-arg]
        return found


@contextmanager
def pypiserver(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start pypiserver on the shelf's folder, with gunicorn, its fastest server."""
    port, log, passwords = free_port(), scratch / "pypiserver.log", scratch / "htpasswd"
    program = _program(tools, "pypiserver", "pypi-server")
    code = (
        "import sys; from passlib.apache import HtpasswdFile; f = HtpasswdFile(sys.argv[1], new=True);"
        f"f.set_password({USER!r}, {PASSWORD!r}); f.save()"
    )
    subprocess.run([program.with_name("python"), "-c", code, passwords], capture_output=True, check=True)
    folder = scratch / "empty"
    folder.mkdir(exist_ok=True)
    command: list[str | Path] = [program, "run", "-p", str(port), "-i", "127.0.0.1", "-P", passwords, "-a", "update"]
    command += ["--disable-fallback", "--server", "gunicorn", shelf.path if shelf.projects else folder]
    base = f"http://127.0.0.1:{port}"
    with running(command, environment={}, log=log) as process:
        yield Index(
            name="pypiserver",
            version=tools.version("pypiserver"),
            process=process,
            log=log,
            page=_pages(f"{base}/simple/"),
            index_url=f"{base}/simple/",
            upload_url=f"{base}/",
        )


@contextmanager
def simple_repository(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start simple-repository-server on the shelf's folder."""
    port, log = free_port(), scratch / "simple-repository-server.log"
    program = _program(tools, "simple-repository-server", "simple-repository-server")
    with running([program, "--port", str(port), shelf.path], environment={}, log=log) as process:
        url = f"http://127.0.0.1:{port}/simple/"
        yield Index(
            name="simple-repository-server",
            version=tools.version("simple-repository-server"),
            process=process,
            log=log,
            page=_pages(url),
            index_url=url,
        )


@contextmanager
def simpleindex(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start simpleindex with one route into the shelf's folder."""
    port, log, settings = free_port(), scratch / "simpleindex.log", scratch / "simpleindex.toml"
    settings.write_text(
        f'[routes."{{project}}"]\nsource = "path"\nto = "{shelf.path}/{{project}}"\n'
        f'[server]\nhost = "127.0.0.1"\nport = {port}\n'
    )
    program = _program(tools, "simpleindex", "simpleindex")
    with running([program, settings], environment={}, log=log) as process:
        url = f"http://127.0.0.1:{port}/"
        yield Index(
            name="simpleindex",
            version=tools.version("simpleindex"),
            process=process,
            log=log,
            page=_pages(url),
            index_url=url,
        )


@contextmanager
def proxpi(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start proxpi in front of a ready index of the shelf's files, which the other core serves."""
    port, log = free_port(), scratch / "proxpi.log"
    flask = _program(tools, "proxpi", "flask")
    with limits.upstream(_site(tools, shelf, scratch)) as upstream:
        environment = {"FLASK_APP": "proxpi.server", "PROXPI_INDEX_URL": upstream, "PROXPI_CACHE_DIR": str(scratch)}
        with running([flask, "run", "--port", str(port)], environment=environment, log=log) as process:
            url = f"http://127.0.0.1:{port}/index/"
            yield Index(
                name="proxpi",
                version=tools.version("proxpi"),
                process=process,
                log=log,
                page=_pages(url),
                index_url=url,
            )


def _site(tools: Tools, shelf: Shelf, scratch: Path) -> Path:
    """Write this server's pages of a shelf beside the shelf, once, and return where they are."""
    site = shelf.path.with_name(f"{shelf.path.name}-site")
    if not site.exists():
        filling, source = scratch / "site", scratch / "source"
        source.mkdir()
        with cpufit(tools, shelf, source) as index:
            wait_for(index.page(shelf.projects[0], "json"), index.process, index.log)
            limits.write_site(shelf, filling, index.index_url)
        filling.rename(site)
    return site


@contextmanager
def nginx(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start nginx with one worker on pages that are files, compressed beforehand."""
    program = system_program("nginx", "nginx-light")
    if program is None:
        raise Missing("nginx is not installed")
    port, log = free_port(), scratch / "nginx.log"
    site = _site(tools, shelf, scratch)
    settings = scratch / "nginx.conf"
    settings.write_text(limits.nginx_settings(scratch, site, port))
    with running([program, "-c", settings, "-e", scratch / "nginx.error"], environment={}, log=log) as process:
        base = f"http://127.0.0.1:{port}"
        yield Index(name="nginx", version="", process=process, log=log, page=limits.page_of(base))


@contextmanager
def raw(tools: Tools, shelf: Shelf, scratch: Path) -> Iterator[Index]:
    """Start a bare ASGI application with httptools and uvloop that has every page ready in memory."""
    port, log = free_port(), scratch / "raw.log"
    site = _site(tools, shelf, scratch)
    program = _program(tools, "raw", "uvicorn")
    command: list[str | Path] = [program, "ready:app", "--app-dir", Path(__file__).parent, "--port", str(port)]
    command += ["--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "warning"]
    with running(command, environment={"READY_SITE": str(site)}, log=log) as process:
        base = f"http://127.0.0.1:{port}"
        version = tools.version("raw")
        yield Index(name="raw ASGI", version=version, process=process, log=log, page=limits.page_of(base))


KINDS = (
    Kind(name="cpufit", start=cpufit, uploads=True),
    Kind(name="cpufit with metrics", start=partial(cpufit, metrics=True), compared=False),
    Kind(name="devpi", start=devpi, fills=False, uploads=True),
    Kind(name="pypiserver", start=pypiserver, uploads=True),
    Kind(name="simple-repository-server", start=simple_repository),
    Kind(name="proxpi", start=proxpi),
    Kind(name="simpleindex", start=simpleindex),
    Kind(name="nginx", start=nginx, limit=True),
    Kind(name="raw ASGI", start=raw, limit=True),
)
