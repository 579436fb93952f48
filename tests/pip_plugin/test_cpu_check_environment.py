"""``cpu-check --environment``: what is installed, read and tried; on small environments made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import sys_tags
from tests.loopback import listening
from tests.machine_code.made_images import ARM_CODE, elf
from tests.pip_plugin.cpu_check_support import SCHEMA, answer, forget_settings

from cpufit_pip_plugin.cpu_check import cli, decoder
from cpufit_pip_plugin.cpu_check.environment.blame import Ending, blamed
from cpufit_pip_plugin.cpu_check.environment.interpreter import NoEnvironment, find_environment
from cpufit_pip_plugin.cpu_check.environment.report import METHODS
from cpufit_pip_plugin.cpu_check.environment.trial import modules_of
from cpufit_resolver import CpuProfile
from cpufit_resolver.detection import detect
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.installed import Installed

Factory = Callable[..., Path]
LINUX = "py3-none-manylinux_2_17_x86_64"
PLAIN = b"\x90\xc3" * 20

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="the libraries of these tests are for Linux"
)


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


@pytest.fixture
def folder(wheel_factory: Factory, tmp_path: Path) -> Callable[..., Path]:
    """Install wheels into one site-packages folder."""

    def install(*wheels: Path) -> Path:
        site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        done = subprocess.run([*command, "--target", site, *wheels], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"pip cannot install here: {done.stderr[-300:]}")
        return site

    return install


def fast_and_plain(wheel_factory: Factory) -> tuple[Path, Path, Path]:
    asks = ["Metadata-Version: 2.1", "Name: front", "Version: 3.0", "Requires-Dist: fast"]
    return (
        wheel_factory(name="fast", tags=LINUX, members={"fast/_x.so": elf()}),
        wheel_factory(name="plain", tags=LINUX, members={"plain/_x.so": elf(PLAIN)}),
        wheel_factory(name="front", version="3.0", metadata=asks),
    )


def test_what_cannot_run_is_named_with_its_library_and_who_brought_it(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    code, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem")
    assert code == cli.NOTHING_FITS
    fast, plain = body["packages"]
    assert (fast["name"], fast["state"], fast["brought_by"]) == ("fast", "cannot-run", ["front"])
    assert fast["missing_features"] == ["avx", "avx2"]
    assert [one["library"] for one in fast["libraries"]] == ["fast/_x.so"]
    assert (plain["name"], plain["state"]) == ("plain", "runs")
    assert cli.main(["--environment", str(site), "--cpu", "Nehalem"]) == cli.NOTHING_FITS
    out = capsys.readouterr().out
    assert "cannot run  fast 1.0  needs avx, avx2\n" in out
    assert "fast 1.0, brought by front\n    fast/_x.so: vpaddd" in out
    assert "1 of 2 packages with native libraries cannot run here; 0 not told; 1 run." in out
    assert "\x1b" not in out, "no colours into a pipe"


def test_all_is_well_on_a_cpu_that_has_everything(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    assert cli.main(["--environment", str(site), "--cpu", "haswell"]) == cli.FITS
    assert "All is well: each of 2 packages with native libraries runs on this CPU." in capsys.readouterr().out


def test_quiet_says_nothing_but_the_exit_code(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    assert cli.main(["--environment", str(site), "--cpu", "Nehalem", "--quiet"]) == cli.NOTHING_FITS
    assert cli.main(["--environment", str(site), "--cpu", "haswell", "--quiet"]) == cli.FITS
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_what_cannot_be_read_is_not_told(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(wheel_factory(name="torn", tags=LINUX, members={"torn/_x.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)}))
    code, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem")
    assert (code, body["packages"][0]["state"]) == (cli.NOT_TOLD, "not-told")
    assert "torn/_x.so" in body["packages"][0]["reason"]


def test_code_for_another_architecture_cannot_run(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    members = {"arm/_x.so": elf(ARM_CODE, machine=183)}
    arm = wheel_factory(name="arm", tags="py3-none-manylinux_2_17_aarch64", members=members)
    site = folder(wheel_factory())
    with zipfile.ZipFile(arm) as archive:  # pip refuses it here, and somebody may have copied it
        archive.extractall(site)
    code, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem")
    assert (code, body["packages"][0]["state"]) == (cli.NOTHING_FITS, "cannot-run")
    assert "aarch64" in body["packages"][0]["reason"]


def test_an_environment_without_native_libraries_loads_no_decoder(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(decoder, "check_decoder", lambda: pytest.fail("nothing is to be read"))
    assert cli.main(["--environment", str(folder(wheel_factory())), "--cpu", "Nehalem"]) == cli.FITS
    assert "No native libraries are installed" in capsys.readouterr().out


def test_libraries_of_no_package_are_counted(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(wheel_factory())
    (site / "stray.so").write_bytes(elf())
    _, body = answer(capsys, "--environment", str(site))
    assert body["unowned"] == [str(site / "stray.so")]


def test_the_environment_of_another_python_is_found_with_its_cpu(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    for given in (venv, venv / "bin" / "python"):
        found = find_environment(str(given), {})
        assert found.python == venv / "bin" / "python"
        assert next(place.prefix for place in found.places) == venv
        assert found.cpu is not None
        assert found.cpu.profile == detect().profile
    assert find_environment("", {"VIRTUAL_ENV": str(venv)}).shown == str(venv / "bin" / "python")
    assert find_environment("", {}).own


@pytest.mark.parametrize("content", [None, "", "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho no json\n"])
def test_what_is_no_python_is_refused(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "python"
    if content is not None:
        path.write_text(content)
        path.chmod(0o755)
    with pytest.raises(NoEnvironment):
        find_environment(str(path), {})
    assert cli.main(["--environment", str(path)]) == cli.USAGE
    assert cli.main(["--environment", str(tmp_path)]) == cli.USAGE
    assert "no-environment" not in capsys.readouterr().out


def test_trying_wants_a_python_and_the_cpu_that_is_meant(
    folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str]
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    code, body = answer(capsys, "--environment", str(site), "--try")
    assert (code, body["error"]["code"]) == (cli.USAGE, "cannot-try")
    code, body = answer(capsys, "--environment", "--try", "--cpu", "k8")
    assert (code, body["error"]["code"]) == (cli.USAGE, "cannot-try")


@pytest.mark.parametrize("name", ["numpy", "numba", "iced_x86"])
def test_what_is_not_installed_is_said_with_the_command(
    name: str, folder: Callable[..., Path], wheel_factory: Factory, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    monkeypatch.setattr(decoder, "_not_installed", lambda: name)
    assert cli.main(["--environment", str(site)]) == cli.NOT_TOLD
    err = capsys.readouterr().err
    assert f"the module {name} is not installed" in err
    assert "pip install 'cpufit[inspect]'" in err


def test_packages_are_tried_in_the_environments_own_python(
    wheel_factory: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = next((venv / "lib").glob("python3*")) / "site-packages"
    dies = b"import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    flags = b'F = "+amx-tile,+xop"\n'
    members = {
        "dies": {"dies/__init__.py": dies, "dies/build_feature_flags.py": flags, "dies/_x.so": elf()},
        "asks": {"asks/__init__.py": b"import dies\n", "asks/_x.so": elf(PLAIN)},
        "refuses": {"refuses/__init__.py": b"raise RuntimeError('Refuses was built with baseline optimizations')\n",
                    "refuses/_x.so": elf(PLAIN)},
        "broken": {"broken/__init__.py": b"import no_such_thing\n", "broken/_x.so": elf(PLAIN)},
        "sound": {"sound/__init__.py": b"print('noise')\n", "sound/_x.so": elf(PLAIN)},
    }  # fmt: skip  # a table
    wheels = [wheel_factory(name=name, tags=LINUX, members=files) for name, files in members.items()]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
    subprocess.run([*command, *wheels], check=True, capture_output=True)
    code, body = answer(capsys, "--environment", str(venv), "--try")
    assert (code, body["method"]) == (cli.NOTHING_FITS, "trial")
    states = {one["name"]: one["state"] for one in body["packages"]}
    assert states == {
        "dies": "cannot-run", "refuses": "cannot-run", "asks": "not-told", "broken": "not-told", "sound": "runs",
    }  # fmt: skip
    reasons = {one["name"]: one["reason"] for one in body["packages"]}
    assert "an illegal instruction ends the process" in reasons["dies"]
    assert reasons["asks"].startswith("dies, which it imports, dies first")
    assert "baseline optimizations" in reasons["refuses"]
    assert "no_such_thing" in reasons["broken"]
    assert body["packages"][0]["missing_features"], "the package states them"


def installed(name: str) -> Installed:
    return Installed(
        name=name,
        version="1",
        wheel=parse_wheel_filename(f"{name}-1-py3-none-any.whl"),
        files={f"{name}/_x.so": Path(f"/s/{name}/_x.so"), f"{name}/__init__.py": Path(f"/s/{name}/__init__.py")},
        natives=(f"{name}/_x.so",),
        kinds=frozenset({"elf"}),
        requires=frozenset(),
    )


@pytest.mark.parametrize(
    ("status", "rows", "state", "reason"),
    [
        (-4, (("loading", "/s/a/_x.so"),), "cannot-run", "an illegal instruction"),
        (132, (("loading", "/s/a/_x.so"), ("loaded", "/s/a/_x.so")), "cannot-run", "an illegal instruction"),
        (-4, (("loading", "/s/b/_x.so"),), "not-told", "b, which it imports, dies first"),
        (-4, (("loading", "/usr/lib/x.so"),), "not-told", "/usr/lib/x.so, which belongs to no package here"),
        (-11, (("loading", "/s/a/_x.so"),), "not-told", "by SIGSEGV"),
        (3, (), "not-told", "status 3"),
        (None, (), "not-told", "too long"),
        (0, (("raised", "ImportError: x"), ("imported", "a")), "runs", "1 of its modules"),
        (0, (), "not-told", "nothing of it"),
    ],
)
def test_how_a_trial_ended_tells_who_is_to_blame(
    status: int | None, rows: tuple[tuple[str, str], ...], state: str, reason: str
) -> None:
    owners = {f"/s/{name}/{file}": name for name in "ab" for file in ("_x.so", "__init__.py")}
    found = blamed(installed("a"), Ending(status=status, rows=rows, stack="", output=""), owners, frozenset())
    assert (found.state, found.method) == (state, "trial")
    assert reason in found.reason


def test_the_stack_tells_where_it_died_when_nothing_was_being_loaded() -> None:
    stack = (
        'Current thread:\n  File "<frozen importlib._bootstrap>", line 2 in f\n  File "/s/b/__init__.py", line 1 in g\n'
    )
    ending = Ending(status=-4, rows=(), stack=stack, output="")
    assert ending.place() == "/s/b/__init__.py"


def test_modules_to_try_leave_out_tests() -> None:
    package = installed("a")
    assert modules_of(package) == ("a",)


class Handler(BaseHTTPRequestHandler):
    projects: Mapping[str, str] = {"/api/v1/projects/front": "x86_64_v2"}

    def do_GET(self) -> None:
        need = self.projects.get(self.path)
        file = {"filename": "f.whl", "kind": "wheel", "tags": [str(next(sys_tags()))], "verdict": "known"}
        file["need"] = {"x86_64": {"import": need, "use": need}}  # type: ignore[assignment]
        found = {"name": "x", "releases": [{"version": "2.5", "files": [file]}]}
        body = json.dumps(found if need else {"code": "no-such-project"}).encode()
        self.send_response(200 if need else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def index() -> Iterator[str]:
    with listening(Handler) as address:
        yield address


def test_the_command_that_mends_it_comes_from_the_index_or_there_is_none(
    index: str,
    folder: Callable[..., Path],
    wheel_factory: Factory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: Any,
) -> None:
    site = folder(*fast_and_plain(wheel_factory))
    code, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem", "--index", index)
    assert code == cli.NOTHING_FITS
    mend = {"project": "front", "version": "2.5"}
    command = f"pip install --force-reinstall --index-url {index}/simple/ front==2.5"
    assert body["packages"][0]["mend"] == {**mend, "command": command}
    code, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem", "--index", "http://127.0.0.1:9/")
    assert (code, body["error"]["code"]) == (cli.INDEX_CANNOT_ANSWER, "index-cannot-answer")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    _, body = answer(capsys, "--environment", str(site), "--cpu", "Nehalem")
    assert body["packages"][0]["mend"] is None, "pip's own index need not be one of ours"


def test_every_method_of_the_schema_has_a_sentence() -> None:
    form = next(form for form in SCHEMA["oneOf"] if "environment" in form["properties"])
    assert set(form["properties"]["method"]["enum"]) == set(METHODS)


def test_this_machine_can_run_what_reads_machine_code() -> None:
    decoder.check_decoder()
    assert decoder._child_survives()
    assert decoder._is_new(CpuProfile.parse("x86_64_v3"))
    assert not decoder._is_new(CpuProfile.parse("x86_64_v2"))
