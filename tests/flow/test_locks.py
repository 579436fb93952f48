"""What each client's lock does: made on one CPU, installed on others, before and after a variant is added."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from tests.flow.flow_clients import NEWEST_PIP, PDM, POETRY, UV, Client, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment, Outcome
from tests.flow.flow_server import Server, running_server
from tests.flow.flow_tools import install_with_pdm, install_with_poetry, run_in_application
from tests.flow.native_wheels import AVX, V2, V3, Build, make_native_wheel

pytestmark = pytest.mark.flow

PROJECT = "isademo"
SLOW = (
    pytest.mark.network,
    pytest.mark.skipif(os.environ.get("CPUFIT_TEST_GRID") != "1", reason="CPUFIT_TEST_GRID=1 runs it"),
)
_UV_PROJECT = '[project]\nname = "application"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = ["isademo"]\n'
_OLDER = {"POETRY_VIRTUALENVS_CREATE": "false", "POETRY_NO_INTERACTION": "1", "PDM_CHECK_UPDATE": "false"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server with one release of one project, built for v2 and v3."""

    server: Server
    directory: Path
    shared_objects: dict[str, Path]

    @property
    def index(self) -> str:
        return f"{self.server.url}/simple/"

    def add(self, build: Build) -> None:
        folder = self.directory / build.name
        wheel = make_native_wheel(folder, self.shared_objects[build.name], PROJECT, "1.0")
        self.server.command("import", str(wheel), "--needs", build.need)


@pytest.fixture
def site(tmp_path: Path, shared_objects: dict[str, Path]) -> Iterator[Site]:
    if HERE.best is not V3:
        pytest.skip("the builds of a lock are tried where all of them run")
    with running_server(tmp_path / "server") as server:
        made = Site(server=server, directory=tmp_path, shared_objects=shared_objects)
        made.add(V2)
        made.add(V3)
        yield made


@dataclass(frozen=True, kw_only=True)
class Locker:
    """One client that locks and installs what is locked, with a cache that all CPUs share."""

    kind: Literal["uv.lock", "requirements.txt", "pylock.toml", "poetry.lock", "pdm.lock"]
    client: Client
    pins: Literal["hash", "address and hash"]
    """What of the selector stands in the lock: who has its address goes on getting the same one."""

    def lock(self, environment: Environment, index: str, folder: Path) -> Outcome:
        """Write the lock into a folder, for Poetry and PDM into the environment's application."""
        if self.kind == "uv.lock":
            (folder / "pyproject.toml").write_text(_UV_PROJECT, encoding="utf-8")
            return environment.run(
                uv_program(), "lock", "--directory", folder, "--python", environment.python, "--default-index", index
            )
        if self.kind == "requirements.txt":
            (folder / "requirements.in").write_text(f"{PROJECT}\n", encoding="utf-8")
            words = ("pip", "compile", "--generate-hashes", "--quiet", "--python", str(environment.python))
            place: tuple[str | Path, ...] = (
                "--default-index",
                index,
                "--output-file",
                folder / self.kind,
                folder / "requirements.in",
            )
            return environment.run(uv_program(), *words, *place)
        if self.kind == "pylock.toml":
            pip = (environment.python, "-m", "pip", "lock", "--index-url", index)
            return environment.run(*pip, "--output", folder / self.kind, PROJECT)
        install = install_with_poetry if self.kind == "poetry.lock" else install_with_pdm
        return install(environment, index, PROJECT, variables={"CPUFIT_CPU": "x86_64_v3"}, timeout=240)

    def install(self, environment: Environment, index: str, folder: Path, cpu: str) -> Outcome:
        """Install what is locked, on a machine that says it has a CPU."""
        extra = {"CPUFIT_CPU": cpu}
        if self.kind == "uv.lock":
            extra["UV_PROJECT_ENVIRONMENT"] = str(environment.python.parent.parent)
            return environment.run(uv_program(), "sync", "--frozen", "--inexact", "--directory", folder, extra=extra)
        if self.kind in ("requirements.txt", "pylock.toml"):
            hashes = ["--require-hashes"] if self.kind == "requirements.txt" else []
            pip: tuple[str | Path, ...] = (environment.python, "-m", "pip", "install", "--index-url", index, *hashes)
            if self.kind == "pylock.toml":
                # it holds the selector's address, which is pip's key for what it built; the key has no CPU
                extra["PIP_NO_CACHE_DIR"] = "1"
            return environment.run(*pip, "-r", folder / self.kind, extra=extra)
        name = self.kind.partition(".")[0]
        extra |= _OLDER | {f"{name.upper()}_CACHE_DIR": str(environment.scratch / f"{name}-cache")}
        words = ("install", "--no-root") if name == "poetry" else ("sync", "-v")
        return run_in_application(environment, (words,), extra, 240)


LOCKERS = (
    pytest.param(Locker(kind="uv.lock", client=UV, pins="address and hash"), id="uv.lock"),
    pytest.param(Locker(kind="requirements.txt", client=NEWEST_PIP, pins="hash"), id="requirements.txt"),
    pytest.param(Locker(kind="pylock.toml", client=NEWEST_PIP, pins="address and hash"), id="pylock", marks=SLOW),
    pytest.param(Locker(kind="poetry.lock", client=POETRY, pins="hash"), id="poetry.lock", marks=SLOW),
    pytest.param(Locker(kind="pdm.lock", client=PDM, pins="hash"), id="pdm.lock", marks=SLOW),
)


@pytest.mark.parametrize("locker", LOCKERS)
def test_a_lock_serves_every_cpu_and_a_freeze_keeps_it(
    locker: Locker, site: Site, environments: Environments, tmp_path: Path
) -> None:
    def installed(cpu: str) -> str:
        environment = environments.get(locker.client, HERE)
        ended = locker.install(environment, site.index, folder, cpu)
        return environment.build_of(PROJECT).output if ended.status == 0 else ended.output

    folder = tmp_path / "application"
    folder.mkdir()
    locked = locker.lock(environments.get(locker.client, HERE), site.index, folder)
    assert locked.status == 0, locked.output
    here = ("--public-url", site.server.url)
    site.server.command("project", "freeze", PROJECT, "1.0", "--why", "locked", "--who", "a test", *here)
    assert [installed("x86_64_v2"), installed("x86_64_v3")] == ["1.0 v2", "1.0 v3"]

    site.add(AVX)
    assert [installed("x86_64_v3"), installed("x86_64_v2+avx")] == ["1.0 v3", "1.0 v2"]

    site.server.command("project", "unfreeze", PROJECT, "1.0", "--why", "done", "--who", "a test")
    said = installed("x86_64_v3")
    if locker.pins == "address and hash":
        assert said == "1.0 v3"
    else:
        # Poetry's word is "checksums"
        assert "hash" in said or "did not match any known checksums" in said, said
        assert "ModuleNotFoundError" in environments.get(locker.client, HERE).build_of(PROJECT).output
