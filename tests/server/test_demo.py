"""The parts of the demonstration; ``tests/flow`` plays the whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cpufit_server.cli import main
from cpufit_server.demo import steps
from cpufit_server.demo.environment import pip_environment, server_environment
from cpufit_server.demo.processes import DemoFailed, run
from cpufit_server.sources.pip_settings import PipSettings

TEMPORARY = Path("/t")
SETTINGS = PipSettings(index_url="https://index.example/simple")


class TestTheEnvironmentOfPip:
    def test_has_no_second_source(self) -> None:
        names = ["PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONSTRAINT", "PIP_INDEX_URL", "PIP_NO_INDEX"]
        given = dict.fromkeys([*names, "PIP_USER_AGENT_USER_DATA", "CPUFIT_CPU", "PYTHONPATH"], "x")
        made = pip_environment(given | {"PATH": "/bin"}, SETTINGS, TEMPORARY)
        assert made.keys() & given.keys() == set()
        assert made["PATH"] == "/bin"
        assert made["PIP_CONFIG_FILE"] == os.devnull

    def test_keeps_how_pip_reaches_the_network(self) -> None:
        given = {
            "PIP_CERT": "/old.pem",
            "PIP_DEFAULT_TIMEOUT": "180",
            "HTTPS_PROXY": "http://p:1",
            "SSL_CERT_FILE": "/a",
        }
        assert given.items() <= pip_environment(given, SETTINGS, TEMPORARY).items()

    def test_takes_certificate_and_proxy_of_a_configuration_file_along(self) -> None:
        settings = PipSettings(index_url="x", certificate="/ca.pem", proxy="http://p.example:3128")
        made = pip_environment({"NO_PROXY": "intra.example"}, settings, TEMPORARY)
        assert made["PIP_CERT"] == "/ca.pem"
        assert made["HTTPS_PROXY"] == "http://p.example:3128"
        assert made["NO_PROXY"] == "intra.example,127.0.0.1,localhost"

    def test_is_what_pip_goes_by(self, tmp_path: Path) -> None:
        config = tmp_path / "pip" / "pip.conf"
        config.parent.mkdir()
        config.write_text("[global]\nextra-index-url = https://second.example/\n")
        given = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PIP_FIND_LINKS": "/second"}
        command = [sys.executable, "-m", "pip", "config", "list"]
        assert "second.example" in subprocess.check_output(command, text=True, env=given)
        made = pip_environment(given, SETTINGS, tmp_path)
        assert "second" not in subprocess.check_output(command, text=True, env=made)


class TestTheEnvironmentOfTheServer:
    def test_has_nothing_of_another_server_and_all_of_pip(self) -> None:
        given = {"CPUFIT_HOME": "/h", "CPUFIT_CPU": "x86_64_v4", "PIP_INDEX_URL": "https://i/", "no_proxy": "a"}
        made = server_environment(given, TEMPORARY)
        assert [name for name in made if name.startswith("CPUFIT_")] == []
        assert made["PIP_INDEX_URL"] == "https://i/"
        assert made["no_proxy"] == made["NO_PROXY"] == "a,127.0.0.1,localhost"


class TestRunningACommand:
    def test_each_line_is_handed_on(self) -> None:
        told: list[str] = []
        command = [sys.executable, "-c", "print('one'); print('two')"]
        assert run(command, environ=os.environ, tell=told.append, what="it") == told == ["one", "two"]

    def test_a_failure_names_what_failed_and_how(self) -> None:
        with pytest.raises(DemoFailed, match="pip install ended with status 3"):
            run([sys.executable, "-c", "raise SystemExit(3)"], environ={}, tell=print, what="pip install")

    @pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
    def test_a_death_by_signal_names_the_signal(self) -> None:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
        with pytest.raises(DemoFailed, match="the import ended with signal SIGILL"):
            run([sys.executable, "-c", code], environ={}, tell=print, what="the import")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    # an index that never answers holds it at the import, with the server running
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:1/"}
    slow = "import time, cpufit_server.demo.steps as s; s._import_wheels = lambda stage: time.sleep(60)"
    # a shell that starts these tests in the background has SIGINT ignored, and children inherit that
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [
        sys.executable,
        "-c",
        f"{hear}; {slow}; from cpufit_server.cli import main; raise SystemExit(main(['demo']))",
    ]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = [process.stderr.readline(), process.stderr.readline()]
            assert "/simple/" in lines[1]
            time.sleep(0.2)
            process.send_signal(number)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors.endswith("interrupted\n")
    assert list(tmp_path.iterdir()) == []
    assert running_with(str(tmp_path)) == []


def running_with(text: str) -> list[str]:
    """Return the commands of the processes that have a text among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if text in command and str(os.getpid()) != path.parent.name:
            found.append(command)
    return found


class TestAFailure:
    @pytest.fixture(autouse=True)
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def test_is_status_1_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
        assert main(["demo"]) == 1
        assert "[page-unreadable]" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_keeps_the_folder_where_that_was_asked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
        assert main(["demo", "--keep"]) == 1
        (folder,) = tmp_path.iterdir()
        assert f"Kept: {folder}" in capsys.readouterr().err
        assert (folder / "home" / "catalog.sqlite3").is_file()
        shutil.rmtree(folder)

    def test_on_another_architecture_is_told_at_once(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("platform.machine", lambda: "aarch64")
        assert main(["demo"]) == 1
        assert "for x86-64 processors" in capsys.readouterr().err


def test_the_two_wheels_are_those_of_the_readme() -> None:
    assert [(request.specs, request.as_project, request.needs) for request in steps.WHEELS] == [
        (("polars==1.33.1",), None, None),
        (("polars-lts-cpu==1.33.1",), "polars", None),
    ]
