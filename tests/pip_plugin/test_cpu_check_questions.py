"""The other questions of ``cpu-check``: wheels, requirements files, and how two CPUs differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import sys_tags
from tests.loopback import listening
from tests.machine_code.made_images import elf
from tests.pip_plugin.cpu_check_support import answer, forget_settings

from cpufit_pip_plugin.cpu_check import cli, decoder
from cpufit_pip_plugin.cpu_check.requirements import UnreadableRequirements, requirement_lines
from cpufit_pip_plugin.cpu_check.surroundings import warnings_for
from cpufit_pip_plugin.cpu_check.table import GREEN, RED, table
from cpufit_resolver import CpuProfile
from cpufit_resolver.detection import DetectedCpu, HiddenFeatures

Factory = Callable[..., Path]
LINUX = "py3-none-manylinux_2_17_x86_64"
ARM = "py3-none-manylinux_2_17_aarch64"


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


def test_wheels_are_held_against_a_cpu(wheel_factory: Factory, capsys: pytest.CaptureFixture[str]) -> None:
    fast = str(wheel_factory(name="fast", tags=LINUX, members={"fast/_x.so": elf()}))
    pure = str(wheel_factory(name="pure"))
    code, body = answer(capsys, fast, pure, "--cpu", "Nehalem")
    assert code == cli.NOTHING_FITS
    assert [(one["state"], one["missing_features"]) for one in body["wheels"]] == [
        ("does-not-fit", ["avx", "avx2"]),
        ("fits", []),
    ]
    assert "vpaddd" in body["wheels"][0]["reasons"][0]
    assert cli.main([fast, "--cpu", "haswell"]) == cli.FITS
    assert "fits  fast-1.0-py3-none-manylinux_2_17_x86_64.whl\n" in capsys.readouterr().out
    assert cli.main([fast, "--cpu", "Nehalem"]) == cli.NOTHING_FITS
    assert "this CPU lacks avx, avx2\n" in capsys.readouterr().out


def test_wheels_for_another_architecture_undetermined_ones_and_none(
    wheel_factory: Factory, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arm = str(wheel_factory(name="arm", tags=ARM, members={"arm/x.txt": b""}))
    torn = str(wheel_factory(name="torn", tags=LINUX, members={"torn/_x.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)}))
    code, body = answer(capsys, arm, "--cpu", "Nehalem")
    assert (code, body["wheels"][0]["state"]) == (cli.NOTHING_FITS, "does-not-fit")
    code, body = answer(capsys, torn, "--cpu", "Nehalem")
    assert (code, body["wheels"][0]["state"], body["wheels"][0]["need"]) == (cli.NOT_TOLD, "not-told", None)
    code, body = answer(capsys, torn, str(tmp_path / "gone-1-py3-none-any.whl"), "--cpu", "Nehalem")
    assert (code, body["wheels"][1]["state"]) == (cli.USAGE, "no-wheel")


def test_where_machine_code_cannot_be_read_that_is_said(
    wheel_factory: Factory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_is_new", lambda _: False)
    monkeypatch.setattr(decoder, "_child_survives", lambda: False)
    code, body = answer(capsys, str(wheel_factory()))
    assert (code, body["error"]["code"]) == (cli.NOT_TOLD, "inspection-cannot-run")
    assert "--cpu" in body["error"]["hint"]


def test_two_cpus_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    code, body = answer(capsys, "--cpu", "x86_64_v2+aes", "--diff", "x86_64_v2+avx")
    assert (code, body["diff"]) == (cli.NOTHING_FITS, {"other": "x86_64_v2+avx", "lacking": ["avx"], "beyond": ["aes"]})
    assert cli.main(["--cpu", "haswell", "--diff", "Nehalem"]) == cli.FITS
    assert "Whatever runs on the other runs on this CPU." in capsys.readouterr().out
    assert cli.main(["--cpu", "haswell", "--diff", "cortex-a72"]) == cli.USAGE
    assert "no feature in common" in capsys.readouterr().err
    assert cli.main(["--diff", "x86_64_v9"]) == cli.USAGE


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hosted = self.path == "/api/v1/projects/demo"
        rows = [("2.0", "x86_64_v3"), ("1.0", "x86_64_v2")]
        releases = [{"version": version, "files": [self.file(version, need)]} for version, need in rows]
        body = json.dumps({"name": "demo", "releases": releases} if hosted else {"code": "no-such-project"}).encode()
        self.send_response(200 if hosted else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def file(version: str, need: str) -> dict[str, Any]:
        told = {"x86_64": {"import": need, "use": need}}
        tags = [str(next(sys_tags()))]
        return {"filename": f"demo-{version}.whl", "kind": "wheel", "tags": tags, "verdict": "known", "need": told}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def index() -> Iterator[str]:
    with listening(Handler) as address:
        yield address


@pytest.mark.parametrize(
    ("lines", "code", "states"),
    [
        ("Demo>=1\n", cli.FITS, ["fits"]),
        ("demo>=2  # newest\n", cli.NOTHING_FITS, ["does-not-fit"]),
        ("demo ; python_version < '3'\n", cli.FITS, []),
        ("demo>=1\nelsewhere\n./a/path\n", cli.NOT_TOLD, ["fits", "not-told", "not-told"]),
        ("demo>=2\nelsewhere\n", cli.NOTHING_FITS, ["does-not-fit", "not-told"]),
    ],
)
def test_each_requirement_is_judged(
    lines: str, code: int, states: list[str], index: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(lines)
    found, body = answer(capsys, "-r", str(file), "--index", index, "--cpu", "x86_64_v2")
    assert (found, [one["state"] for one in body["requirements"]]) == (code, states)
    assert cli.main(["-r", str(file), "--index", index, "--cpu", "x86_64_v2"]) == code
    out = capsys.readouterr().out
    if states[:1] == ["fits"]:
        assert "demo==1.0" in out
    if states[:1] == ["does-not-fit"]:
        assert "(another release fits: 1.0)" in out


def test_a_wish_for_one_package_counts_for_its_requirement(
    index: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "requirements.txt").write_text("demo\n")
    monkeypatch.setenv("CPUFIT_CPU", "x86_64_v2")
    monkeypatch.chdir(tmp_path)
    question = ("-r", "requirements.txt", "--index", index)
    assert answer(capsys, *question)[0] == cli.FITS
    (tmp_path / "cpufit.toml").write_text('[packages]\nDemo = "x86_64_v1"\n')
    code, body = answer(capsys, *question)
    assert (code, body["requirements"][0]["state"]) == (cli.NOTHING_FITS, "does-not-fit")
    assert answer(capsys, *question, "--cpu", "x86_64_v2")[0] == cli.FITS


def test_requirements_files_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("six\n")
    (tmp_path / "a.txt").write_text(
        "# a comment\n--index-url https://x/\n-r more.txt\ndemo==1.0 \\\n  --hash=sha256:00 # why\n-e ./here\n"
    )
    assert list(requirement_lines(tmp_path / "a.txt")) == ["six", "demo==1.0", "-e ./here"]
    (tmp_path / "loop.txt").write_text("-r loop.txt\n")
    for name in ("loop.txt", "gone.txt"):
        with pytest.raises(UnreadableRequirements):
            list(requirement_lines(tmp_path / name))


@pytest.mark.parametrize(
    "argv",
    [
        ["demo", "other", "--index", "http://h/"],
        ["demo", "a-1-py3-none-any.whl", "--index", "http://h/"],
        ["--environment", ".", "--diff", "x86_64_v2"],
        ["--diff", "x86_64_v2", "--index", "http://h/"],
        ["a-1-py3-none-any.whl", "--token"],
        ["--try"],
        ["--quiet", "--json"],
    ],
)
def test_questions_that_contradict_each_other_are_wrong_usage(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == cli.USAGE


def test_quiet_prints_nothing_of_any_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--quiet"]) == cli.FITS
    assert cli.main(["--cpu", "Nehalem", "--diff", "haswell", "--quiet"]) == cli.NOTHING_FITS
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_uv_is_warned_of_where_it_would_take_the_host_for_this_cpu() -> None:
    hidden = HiddenFeatures("emulator", frozenset({"avx", "avx2", "fma", "bmi1"}), "emulated")
    cpu = DetectedCpu(profile=CpuProfile.parse("x86_64_v2"), source="glibc", hidden=(hidden,))
    (warned,) = warnings_for(cpu, None)
    assert warned.code == "uv-detects-another-cpu"
    assert "avx, avx2, bmi1 and 1 more" in warned.message
    assert warnings_for(DetectedCpu(profile=CpuProfile.parse("x86_64_v2"), source="glibc"), None) == []


def test_tables_are_aligned_and_coloured_in_the_first_column_alone() -> None:
    rows = [("fits", "a", "x"), ("does not fit", "bcd", "")]
    assert table(rows, [GREEN, RED], colour=False) == ["fits          a    x", "does not fit  bcd"]
    assert table(rows, [GREEN, RED], colour=True)[0] == "\x1b[32mfits        \x1b[0m  a    x"
    assert table([], [], colour=True) == []
