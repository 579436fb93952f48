"""A catalog that another process keeps locked, folders that cannot be written: what clients and operators meet."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpufit_server.app import create_app
from cpufit_server.cli import main
from cpufit_server.settings import Settings
from cpufit_wheelhouse.catalog import engine


@contextmanager
def locked(home: Path) -> Iterator[None]:
    with closing(sqlite3.connect(home / "catalog.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder; for root, whom modes do not keep out, by its attribute."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
        return
    if subprocess.run(["chattr", "+i", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("root, and a file system without attributes")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(folder)], check=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_server: Callable[..., Any]) -> Iterator[Any]:
    """A server that waits for a locked catalog for a moment only."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)
    with run_server(tmp_path / "home") as found:
        yield found


def test_an_upload_to_a_locked_catalog_is_told_so_and_loses_nothing(
    impatient: Any, make_wheel: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    small, large = make_wheel(), make_wheel("large", extra=os.urandom(100_000).hex().encode())
    with locked(impatient.home.path):
        for file in (small, large):
            refused = impatient.upload(file)
            assert (refused.status_code, refused.json()["code"]) == (503, "catalog-busy")
            assert refused.headers["retry-after"] == "5"
            reason = refused.extensions["reason_phrase"].decode()
            assert reason == "catalog: another process keeps the catalog locked (catalog-busy)"
            assert impatient.client.get(f"/simple/{file[0].partition('-')[0]}/").status_code == 404
        assert list((impatient.home.path / "staging").iterdir()) == []
    assert "POST /legacy/: another process keeps the catalog locked [catalog-busy]: database is locked" in caplog.text
    assert "Traceback" not in caplog.text
    assert [impatient.upload(file).json()["status"] for file in (small, large)] == ["new", "new"]


def test_twine_and_uv_read_one_line(impatient: Any, make_wheel: Callable[..., Any]) -> None:
    filename, data = make_wheel()
    with locked(impatient.home.path):
        answer = impatient.client.post(
            "/legacy/",
            data={":action": "file_upload"},
            files={"content": (filename, data)},
            auth=("__token__", impatient.token),
            headers={"User-Agent": "twine/7.0.0"},
        )
    hint = "nothing was changed; try again in a moment"
    assert answer.text == f"catalog: another process keeps the catalog locked ({hint}) [catalog-busy]\n"


def test_a_locked_catalog_is_read_and_changes_no_project(impatient: Any, make_wheel: Callable[..., Any]) -> None:
    impatient.upload(make_wheel())
    admin = {"Authorization": f"Bearer {impatient.home.catalog.create_token(None, '', scopes=frozenset({'admin'}))}"}
    client = impatient.client
    with locked(impatient.home.path):
        body = {"version": "1.0", "why": "wrong"}
        refused = [
            client.post("/api/v1/projects/fast/yank", json=body, headers=admin),
            client.post("/api/v1/projects/fast/settings", json={"variants": True, "why": "x"}, headers=admin),
            client.delete("/api/v1/projects/fast/releases/1.0", params={"why": "wrong"}, headers=admin),
        ]
        assert [(each.status_code, each.json()["code"]) for each in refused] == [(503, "catalog-busy")] * 3
        assert impatient.names() == ["fast-1.0-py3-none-any.whl"]
        assert client.get("/api/v1/projects/fast").json()["releases"][0]["files"][0]["yanked"] is None
    assert client.post("/api/v1/projects/fast/yank", json=body, headers=admin).status_code == 200


def test_many_who_wait_for_a_locked_catalog_are_all_answered(impatient: Any, make_wheel: Callable[..., Any]) -> None:
    impatient.upload(make_wheel())
    admin = {"Authorization": f"Bearer {impatient.home.catalog.create_token(None, '', scopes=frozenset({'admin'}))}"}
    url = str(impatient.client.base_url.join("/api/v1/projects/fast/yank"))

    def yank(_: int) -> int:
        return httpx.post(url, json={"version": "1.0", "why": "x"}, headers=admin, timeout=30).status_code

    with ThreadPoolExecutor(20) as many:
        with locked(impatient.home.path):
            assert set(many.map(yank, range(20))) == {503}
        assert set(many.map(yank, range(2))) == {200}


@pytest.mark.parametrize("folder", ["staging", "blobs"])
def test_a_folder_that_cannot_be_written_is_told(
    server: Any, make_wheel: Callable[..., Any], caplog: pytest.LogCaptureFixture, folder: str
) -> None:
    server.upload(make_wheel())
    with unwritable(server.home.path / folder):
        refused = server.upload(make_wheel(version="1.1"))
        assert (refused.status_code, refused.json()["code"]) == (503, "storage-failed")
        assert "retry-after" not in refused.headers
        assert str(server.home.path) not in refused.text
        assert server.names() == ["fast-1.0-py3-none-any.whl"]
    assert f"{server.home.path / folder}" in caplog.text
    assert list((server.home.path / "staging").iterdir()) == []
    assert server.upload(make_wheel(version="1.1")).json()["status"] == "new"


def test_a_server_starts_on_a_locked_catalog(impatient: Any) -> None:
    app = create_app(Settings(home=impatient.home.path))

    async def lived() -> None:
        async with app.router.lifespan_context(app):
            pass

    with locked(impatient.home.path):
        asyncio.run(lived())


@pytest.mark.parametrize(
    "words", [("token", "create", "--project", "fast"), ("project", "set", "fast", "--variants", "on")]
)
def test_a_command_tells_a_locked_catalog_and_ends(
    impatient: Any, make_wheel: Callable[..., Any], capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    impatient.upload(make_wheel())
    with locked(impatient.home.path):
        assert main([*words, "--home", str(impatient.home.path)]) == 1
    assert capsys.readouterr().err == (
        "error: catalog: another process keeps the catalog locked [catalog-busy]\n"
        "  the system says: database is locked\n"
        "  hint: nothing was changed; try again in a moment\n"
    )


def test_commands_that_read_do_so(impatient: Any, make_wheel: Callable[..., Any], tmp_path: Path) -> None:
    impatient.upload(make_wheel())
    home = ("--home", str(impatient.home.path))
    with locked(impatient.home.path):
        assert main(["verify", *home]) == 0
        assert main(["backup", str(tmp_path / "backup"), *home]) == 0


def test_an_import_tells_each_file_that_could_not_be_stored(
    impatient: Any, make_wheel: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in ("one", "two"):
        filename, data = make_wheel(name)
        (wheels / filename).write_bytes(data)
    words = ["import", str(wheels), "--json", "--home", str(impatient.home.path)]
    with locked(impatient.home.path):
        assert main(words) == 1
    told = json.loads(capsys.readouterr().out)["files"]
    assert [(file["status"], file["error"]["code"]) for file in told] == [("refused", "catalog-busy")] * 2
    assert main(words) == 0
    assert [file["status"] for file in json.loads(capsys.readouterr().out)["files"]] == ["new", "new"]


def test_a_reinspection_tells_each_file_that_could_not_be_changed(
    impatient: Any, make_wheel: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    impatient.upload(make_wheel("native", tags="cp311-cp311-manylinux_2_17_x86_64", native=True))
    words = ["reinspect", "--all", "--json", "--home", str(impatient.home.path)]
    with locked(impatient.home.path):
        assert main(words) == 1
    told = json.loads(capsys.readouterr().out)["files"]
    assert [file["outcome"] for file in told] == ["failed"]
    assert told[0]["message"] == "another process keeps the catalog locked [catalog-busy]: database is locked"
