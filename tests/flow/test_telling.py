"""``cpufit env`` and ``cpufit run`` with stock installers: the server is told the CPU, so no selector has to be built.

Every installation forbids source distributions, and with them the selector: what arrives came from the profile view.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from tests.flow.flow_cells import SPECIFIC
from tests.flow.flow_clients import NEWEST_PIP, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment, Outcome
from tests.flow.flow_server import Server

import cpufit_pip_plugin
import cpufit_resolver
import cpufit_wheelhouse
from cpufit_server.demo.processes import free_port

pytestmark = pytest.mark.flow

_ROOTS = [str(Path(room.__file__ or "").parents[1]) for room in (cpufit_resolver, cpufit_wheelhouse, cpufit_pip_plugin)]
# by a program of its own and not by PYTHONPATH, which the command would inherit
CPUFIT = (
    sys.executable,
    "-c",
    f"import sys; sys.path[:0] = {_ROOTS!r}\nfrom cpufit_pip_plugin.cli import main\nsys.exit(main())",
)
WHEELS_ONLY = ("--only-binary", ":all:")
BEST = f"2.0 {HERE.best.name}"


@pytest.fixture
def machine(environments: Environments) -> Environment:
    return environments.get(NEWEST_PIP, HERE)


def cpufit(machine: Environment, *words: str | Path, extra: Mapping[str, str] = MappingProxyType({})) -> Outcome:
    """Run ``cpufit`` as a user of the machine, from this process's own code."""
    return machine.run(*CPUFIT, *words, extra=extra)


def pip_install(machine: Environment, *words: str) -> list[str | Path]:
    return [machine.python, "-I", "-m", "pip", "install", *WHEELS_ONLY, *words, SPECIFIC.project]


def uv_install(machine: Environment, *words: str) -> list[str | Path]:
    return [uv_program(), "pip", "install", "--python", machine.python, *WHEELS_ONLY, *words, SPECIFIC.project]


def assert_best_came(machine: Environment, installed: Outcome) -> None:
    assert installed.status == 0, installed.output
    assert machine.build_of(SPECIFIC.project).output == BEST


def test_without_being_told_the_index_offers_no_such_wheel(index: Server, machine: Environment) -> None:
    """The tests below would say nothing otherwise."""
    installed = machine.run(*pip_install(machine, "--index-url", f"{index.url}/simple/"))
    assert installed.status == 0, installed.output
    assert machine.build_of(SPECIFIC.project).output == "1.0 v1"


class TestRun:
    def test_python_m_pip(self, index: Server, machine: Environment) -> None:
        command = pip_install(machine)
        assert_best_came(machine, cpufit(machine, "run", "--index-url", index.url, "--", *command))

    def test_pip_with_its_own_index_option_and_user_data(self, index: Server, machine: Environment) -> None:
        command = pip_install(machine, "--index-url", f"{index.url}/simple/")
        told = {"PIP_USER_AGENT_USER_DATA": '{"team": "red"}'}
        assert_best_came(machine, cpufit(machine, "run", "--", *command, extra=told))

    @pytest.mark.parametrize("variable", ["", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
    def test_uv_pip(self, variable: str, index: Server, machine: Environment) -> None:
        if variable:
            run = cpufit(machine, "run", "--", *uv_install(machine), extra={variable: f"{index.url}/simple/"})
        else:
            run = cpufit(machine, "run", "--index-url", index.url, "--", *uv_install(machine))
        assert_best_came(machine, run)

    def test_uv_lock_gets_the_plain_address(self, index: Server, machine: Environment, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["isademo"]\n'
        )
        command: list[str | Path] = [uv_program(), "lock", "--directory", tmp_path, "--python", machine.python]
        run = cpufit(machine, "run", "--index-url", index.url, "--", *command)
        assert run.status == 0, run.output
        lock = (tmp_path / "uv.lock").read_text()
        assert f'registry = "{index.url}/simple' in lock
        assert "/cpu/" not in lock

    def test_pip_download_brings_the_wheel_and_without_it_the_selector(
        self, index: Server, machine: Environment, tmp_path: Path
    ) -> None:
        command: list[str | Path] = [machine.python, "-I", "-m", "pip", "download", "--no-deps", "--dest"]
        plain = machine.run(*command, tmp_path / "plain", "--index-url", f"{index.url}/simple/", SPECIFIC.project)
        told = cpufit(machine, "run", "--index-url", index.url, "--", *command, tmp_path / "told", SPECIFIC.project)
        assert (plain.status, told.status) == (0, 0), plain.output + told.output
        assert [path.suffix for path in (tmp_path / "plain").iterdir()] == [".gz"]
        (wheel,) = (tmp_path / "told").iterdir()
        assert wheel.name.startswith("isademo-2.0-")
        assert wheel.suffix == ".whl"

    def test_a_cpu_that_somebody_names(self, index: Server, machine: Environment) -> None:
        command = pip_install(machine)
        run = cpufit(machine, "run", "--cpu", "x86_64_v2", "--index-url", index.url, "--", *command)
        assert run.status == 0, run.output
        assert machine.build_of(SPECIFIC.project).output == "2.0 v2"

    def test_the_commands_own_end_is_the_end(self, index: Server, machine: Environment) -> None:
        run = cpufit(machine, "run", "--index-url", index.url, "--", sys.executable, "-c", "raise SystemExit(7)")
        assert (run.status, run.output) == (7, "")
        missing = cpufit(machine, "run", "--index-url", index.url, "--", "no-such-program-here")
        assert (missing.status, "[command-not-started]" in missing.output) == (127, True)
        assert cpufit(machine, "run", "--index-url", index.url).status == 2


class TestEnv:
    def test_a_shell_that_takes_it_in(self, index: Server, machine: Environment) -> None:
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("bash is not installed")
        printed = cpufit(machine, "env", "--shell", "bash", "--index-url", index.url)
        assert printed.status == 0, printed.output
        script = f'eval "$PRINTED"; "{machine.python}" -m pip install --only-binary :all: isademo'
        assert_best_came(machine, machine.run(bash, "-ec", script, extra={"PRINTED": printed.output}))
        machine.run(uv_program(), "pip", "uninstall", "--python", machine.python, SPECIFIC.project)
        path = f"{uv_program().parent}{os.pathsep}{os.environ['PATH']}"
        script = f'eval "$PRINTED"; uv pip install --python "{machine.python}" --only-binary :all: isademo'
        assert_best_came(machine, machine.run(bash, "-ec", script, extra={"PRINTED": printed.output, "PATH": path}))

    def test_credentials_come_through_and_are_not_told(self, index: Server, machine: Environment) -> None:
        url = index.url.replace("://", "://me:secret@") + "/cpu/x86_64_v1/simple/"
        told = json.loads(cpufit(machine, "env", "--json", "--index-url", url).output)
        assert told["checked"] is True
        assert told["index"] == index.url
        token = told["cpu"]
        base = index.url.replace("://", "://me:secret@")
        assert told["variables"]["PIP_INDEX_URL"] == f"{base}/simple/"
        assert told["installing"] == {"UV_INDEX_URL": f"{base}/cpu/{token}/simple/"}

    def test_no_network_is_said_and_does_not_stop_who_names_the_index(self, machine: Environment) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        printed = cpufit(machine, "env", "--shell", "bash", "--index-url", nobody)
        assert printed.status == 0, printed.output
        assert f"cpufit: {nobody} was not checked: no answer" in printed.output
        assert f"export UV_INDEX_URL={nobody}/simple/" in printed.output
        found = cpufit(machine, "env", "--shell", "bash", extra={"UV_INDEX_URL": f"{nobody}/simple/"})
        assert found.status == 0
        assert "left alone" in found.output
        assert "UV_INDEX_URL=" not in found.output


class TestConfig:
    def test_pip_and_uv_read_what_is_set_until_it_is_undone(
        self, index: Server, machine: Environment, tmp_path: Path
    ) -> None:
        pip, uv = tmp_path / "pip.conf", tmp_path / "uv.toml"
        pip.write_bytes(b"# mine\r\n[global]\r\ntimeout = 9")
        before = pip.read_bytes()
        files = {"PIP_CONFIG_FILE": str(pip), "UV_CONFIG_FILE": str(uv)}
        # uv takes no file that is named together with this
        with_files = ("env", "-u", "UV_NO_CONFIG")

        done = machine.run(*with_files, *CPUFIT, "config", "set", "--index-url", index.url, extra=files)
        assert done.status == 0, done.output
        assert_best_came(machine, machine.run(*with_files, *pip_install(machine), extra=files))
        machine.run(uv_program(), "pip", "uninstall", "--python", machine.python, SPECIFIC.project)
        assert_best_came(machine, machine.run(*with_files, *uv_install(machine), extra=files))
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["isademo"]\n'
        )
        lock: list[str | Path] = [uv_program(), "lock", "--directory", tmp_path, "--python", machine.python]
        assert machine.run(*with_files, *lock, extra=files).status == 0
        assert f'registry = "{index.url}/simple' in (tmp_path / "uv.lock").read_text()

        undone = machine.run(*with_files, *CPUFIT, "config", "undo", extra=files)
        assert undone.status == 0, undone.output
        assert pip.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["pip.conf", "pyproject.toml", "uv.lock"]


class TestAnotherKindOfServer:
    @pytest.fixture
    def other(self, tmp_path: Path) -> Iterator[str]:
        """A plain file server, which any folder of wheels may stand on."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _await_port(port)
            yield f"http://127.0.0.1:{port}/simple/"
        finally:
            process.terminate()
            process.communicate()

    def test_is_refused_where_it_is_named_to_cpufit(self, other: str, machine: Environment) -> None:
        printed = cpufit(machine, "env", "--index-url", other)
        assert printed.status == 3
        assert "this is not a cpufit server (HTTP 404)" in printed.output
        assert "[not-a-cpufit-index]" in printed.output

    def test_is_left_alone_where_an_installer_has_it(self, other: str, machine: Environment) -> None:
        both = {"UV_DEFAULT_INDEX": other, "PIP_INDEX_URL": other}
        told = json.loads(cpufit(machine, "env", "--json", extra=both).output)
        assert list(told["variables"]) == ["PIP_USER_AGENT_USER_DATA"]
        assert told["installing"] == {}
        assert told["notes"] == [
            f"{other.removesuffix('/simple/')} (UV_DEFAULT_INDEX) is not a cpufit server: left alone"
        ]


@pytest.mark.parametrize("forged", ["cpufit=x86_64_v99", "cpufit=" + "x" * 9000, "cpufit=%00", '{"cpufit": "\\u0000"}'])
def test_a_forged_profile_gets_the_baseline(forged: str, index: Server, machine: Environment) -> None:
    command = pip_install(machine, "--index-url", f"{index.url}/simple/")
    installed = machine.run(*command, extra={"PIP_USER_AGENT_USER_DATA": forged})
    assert installed.status == 0, installed.output
    assert machine.build_of(SPECIFIC.project).output == "1.0 v1"


def _await_port(port: int) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the other server did not start")
