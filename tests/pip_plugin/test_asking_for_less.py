"""``cpufit.toml`` where it is used: in cpu-check and in the selector."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cpufit_pip_plugin.cpu_check import cli
from cpufit_pip_plugin.selector.backend import work
from cpufit_pip_plugin.selector.backend.explain import Instead, explain
from cpufit_pip_plugin.selector.backend.failures import NothingFits
from cpufit_pip_plugin.selector.backend.release import Release
from cpufit_resolver import CpuProfile
from cpufit_resolver.detection import DetectedCpu, detect
from cpufit_resolver.refusals import needs_features

ARCH = detect().profile.arch
LEAST = CpuProfile.baseline(ARCH).token
MOST = {"x86_64": "x86_64_v4+amx_tile+avx512_fp16", "aarch64": "aarch64_9_0a+sme"}.get(ARCH, "")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "CPUFIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "work" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "below")
    return tmp_path / "work"


def test_cpu_check_treats_the_cpu_as_somebody_asks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cpufit.toml").write_text(f'cpu = "{LEAST}"\n')
    assert cli.main(["--token"]) == 0
    assert capsys.readouterr().out == f"{LEAST}\n"
    assert cli.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "cpufit.toml"
    assert cli.main([]) == 0
    assert "asked for in cpufit.toml" in capsys.readouterr().out


@pytest.mark.skipif(not MOST or CpuProfile.parse(MOST).features <= detect().profile.features, reason="it has all")
def test_cpu_check_refuses_more_than_the_cpu_has(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cpufit.toml").write_text(f'cpu = "{MOST}"\n')
    assert cli.main(["--json"]) == cli.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "more-than-the-cpu-has"
    assert error["where"] == f"{folder / 'cpufit.toml'}:1"
    assert cli.main(["--token"]) == cli.USAGE
    assert "and this CPU does not have" in capsys.readouterr().err


def test_a_file_that_cannot_be_understood_is_a_usage_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cpufit.toml").write_text("cpu = 3\n")
    assert cli.main([]) == cli.USAGE
    assert "cpufit.toml:1: not understood: 'cpu = 3'" in capsys.readouterr().err


def test_the_selector_looks_where_the_installer_was_started_and_not_among_temporary_folders(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert work._users_folder({"PWD": str(folder)}) == folder
    assert work._users_folder({"PWD": "relative"}) is None
    assert work._users_folder({}) is None


@pytest.mark.parametrize("told", [True, False])
def test_the_selector_takes_a_wish_for_its_package(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    asked: list[DetectedCpu] = []

    def explained(_: Release, cpu: DetectedCpu, *more: object) -> str:
        asked.append(cpu)
        return "no"

    (folder / "cpufit.toml").write_text(f'[packages]\nDemo_Kit = "{LEAST}"\n')
    release = Release(
        project="demo-kit",
        version="1.0",
        api_url="http://127.0.0.1:9",
        cpufit="0",
        allow_unknown=False,
        wheels=(),
        source=None,
    )
    monkeypatch.setattr(work, "read_release", lambda: release)
    monkeypatch.setattr(work, "explain", explained)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(folder / "below") if told else "")
    with pytest.raises(NothingFits):
        work.make_plan({})
    assert (asked[0].source == "cpufit.toml") is told


def test_a_refusal_names_the_wish_that_led_to_it() -> None:
    cpu = DetectedCpu(CpuProfile.parse("x86_64_v2"), "cpufit.toml")
    release = Release(
        project="demo", version="2.0", api_url="", cpufit="0", allow_unknown=False, wheels=(), source=None
    )
    text = explain(release, cpu, [needs_features("a.whl", frozenset({"avx"}))], "py3-none-any", Instead())
    assert "(as cpufit.toml says)" in text
    assert "* cpufit.toml asks for less than the CPU may have; without its line for this, more may fit" in text
