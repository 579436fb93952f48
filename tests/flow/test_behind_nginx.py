"""The nginx of the page on production, as it stands there but for addresses and certificate: twine and pip use it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.conftest import WheelFactory
from tests.flow.flow_machines import clean_environment
from tests.flow.flow_server import running_server, twine_upload

from cpufit_server.demo.processes import free_port

pytestmark = pytest.mark.flow

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-in-production.md"
MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def configuration(folder: Path, port: int, behind: str) -> str:
    """Return the page's configuration for a port of loopback and a server behind it."""
    found = re.search(r"^```nginx\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    server = "\n".join(line for line in found[1].splitlines() if "ssl_certificate" not in line)
    for told, here in (("443 ssl", f"127.0.0.1:{port}"), ("http://127.0.0.1:8000", behind)):
        assert told in server
        server = server.replace(told, here)
    return MAIN.format(folder=folder, server=server)


@contextmanager
def nginx(folder: Path, port: int, behind: str) -> Iterator[None]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    folder.mkdir()
    (folder / "nginx.conf").write_text(configuration(folder, port, behind), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=log)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            time.sleep(0.1)
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_the_index_below_a_path_takes_uploads_and_is_installed_from(tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}/python"
    with (
        running_server(tmp_path / "server", CPUFIT_PUBLIC_URL=address) as server,
        nginx(tmp_path / "nginx", port, server.url),
    ):
        wheel = WheelFactory(tmp_path / "wheels")()
        sent = twine_upload(replace(server, url=address), server.token("small"), wheel)
        assert sent.status == 0, sent.output
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(tmp_path / "site")]
        installed = subprocess.run(
            [*pip, "--index-url", f"{address}/simple/", "small"],
            env=clean_environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert installed.returncode == 0, installed.stdout + installed.stderr
        answer = httpx.get(f"{address}/simple/Small/", follow_redirects=True, trust_env=False)
        assert str(answer.url) == f"{address}/simple/small/"
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
