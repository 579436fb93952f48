"""A backup is taken of a server while uploads come in; another server is started on it, and pip installs from that."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from tests.conftest import WheelFactory
from tests.flow.flow_machines import clean_environment
from tests.flow.flow_server import Server, running_server

pytestmark = pytest.mark.flow


def upload(client: httpx.Client, token: str, wheel: Path) -> bool:
    with wheel.open("rb") as stream:
        sent = client.post(
            "/legacy/",
            data={":action": "file_upload"},
            files={"content": (wheel.name, stream)},
            auth=("__token__", token),
        )
    return sent.status_code == 200


def backed_up_under_load(server: Server, target: Path, factory: WheelFactory) -> list[str]:
    """Back up while wheels are uploaded; returns the versions whose upload was answered before it began."""
    token, stop = server.token("small"), threading.Event()
    before: list[str] = []
    begun = threading.Event()

    def writer() -> None:
        number = 0
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while not stop.is_set():
                number += 1
                assert upload(client, token, factory(version=f"1.{number}"))
                if not begun.is_set():
                    before.append(f"1.{number}")

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        while len(before) < 5 and thread.is_alive():
            begun.wait(0.01)
        begun.set()
        for _ in range(2):  # the second brings the first up to date
            told = json.loads(server.command("backup", str(target), "--json"))
            assert told["ok"]
            assert told["added"] > 0
    finally:
        begun.set()
        stop.set()
        thread.join()
    return before


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_restored_server_serves_what_was_uploaded(tmp_path: Path, name: str) -> None:
    with running_server(tmp_path / "old") as server:
        before = backed_up_under_load(server, tmp_path / name, WheelFactory(tmp_path / "wheels"))
    home = tmp_path / "new" / "home"
    restore = [sys.executable, "-m", "cpufit_server", "restore", str(tmp_path / name), "--home", str(home)]
    subprocess.run(restore, check=True, capture_output=True)
    with running_server(tmp_path / "new") as server:
        assert json.loads(server.command("verify", "--json"))["ok"]
        for version in (before[0], before[-1]):
            site = tmp_path / "site" / version
            pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site)]
            subprocess.run(
                [*pip, "--index-url", f"{server.url}/simple/", f"small=={version}"],
                env=clean_environment(tmp_path),
                check=True,
                capture_output=True,
            )
            assert (site / "small" / "__init__.py").read_bytes() == b"answer = 42\n"
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            token = server.token("small")
            assert upload(client, token, WheelFactory(tmp_path / "more")(version="2.0"))
