"""Libraries whose need is known because they are compiled here: the verdict, and what an emulated CPU says of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.conftest import WheelFactory
from tests.inspection.control_libraries import (
    AARCH64,
    ARM64_ROOT,
    X86_64,
    Control,
    build,
    build_runner,
    compiler,
    ended,
)

from cpufit_wheelhouse.inspection.wheel import inspect_wheel

CONTROLS = (*X86_64, *AARCH64)


class Built:
    """Compiles each library when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Path] = {}

    def library(self, control: Control) -> Path:
        self._need_compiler(control.arch)
        if control.name not in self._known:
            self._known[control.name] = build(control, self._folder)
        return self._known[control.name]

    def runner(self, arch: str) -> Path:
        self._need_compiler(arch)
        if arch not in self._known:
            self._known[arch] = build_runner(arch, self._folder)
        return self._known[arch]

    def _need_compiler(self, arch: str) -> None:
        if compiler(arch) is None:
            package = {"x86_64": "gcc", "aarch64": "gcc-aarch64-linux-gnu"}[arch]
            pytest.skip(f"no compiler for {arch} is installed (Debian: {package})")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("controls"))


@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: one.name)
def test_the_verdict_is_what_the_library_was_compiled_to_need(
    control: Control, built: Built, wheel_factory: WheelFactory
) -> None:
    library = built.library(control).read_bytes()
    wheel = wheel_factory(tags=f"py3-none-manylinux_2_17_{control.arch}", members={"control/_native.so": library})
    verdict = inspect_wheel(wheel, wheel.name)
    assert verdict.need is not None, verdict.undetermined
    assert verdict.need.as_dict()[control.arch] == {"import": control.need, "use": control.need}


@pytest.mark.emulated
@pytest.mark.parametrize("control", CONTROLS, ids=lambda one: one.name)
def test_emulated_cpus_agree(control: Control, built: Built) -> None:
    library = built.library(control)
    if shutil.which(f"qemu-{control.arch}") is None:
        pytest.skip(f"qemu-{control.arch} is not installed (Debian: qemu-user)")
    if control.arch == "aarch64" and not ARM64_ROOT.is_dir():
        pytest.skip("the arm64 C library is not installed (Debian: libc6-dev-arm64-cross)")
    runner = built.runner(control.arch)
    ends = {model: ended(runner, library, control.arch, model) for model in (*control.runs, *control.dies)}
    assert {model for model, status in ends.items() if status == 0} == control.runs, ends
    for model in control.dies:
        loaded = ended(runner, library, control.arch, model, call=False)
        assert (loaded == 0) is control.loads_everywhere
