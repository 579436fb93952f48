"""What tests of real probes share: whether this machine can probe, libraries to import, and what a probe finds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from tests.flow.native_wheels import Build, compile_build, compiler

from cpufit_wheelhouse.inspection.wheel import inspect_wheel
from cpufit_wheelhouse.probe import sandbox
from cpufit_wheelhouse.probe.combine import combine
from cpufit_wheelhouse.probe.options import ProbeOptions
from cpufit_wheelhouse.probe.probe import probe_wheel
from cpufit_wheelhouse.probe.report import ProbeReport

TAGS = "py3-none-manylinux_2_17_x86_64"
LOAD = """\
import ctypes, pathlib
native = ctypes.CDLL(str(pathlib.Path(__file__).with_name("_native.so")))
"""
"""A module that loads the library beside it."""
CALL = LOAD + "assert native.doubled_sum((ctypes.c_int * 8)(*range(8))) == 56\n"
"""One that calls into it too."""


def skip_where_nothing_probes() -> None:
    """Skip a test where no emulator, compiler or sandbox is at hand."""
    if sys.platform != "linux" or shutil.which("qemu-x86_64") is None:
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    if compiler() is None:
        pytest.skip("gcc is not installed")
    if (reason := sandbox.unavailable()) is not None:
        pytest.skip(reason)


def local_options(folder: Path, time_limit: float) -> ProbeOptions:
    """Return options without an index: what a wheel depends on lies in a folder.

    :param time_limit: of one import, in seconds
    """
    for name in ("simple", "links"):
        (folder / name).mkdir()
    return ProbeOptions(
        index_url=(folder / "simple").as_uri(), find_links=folder / "links", time_limit=time_limit, processes=64
    )


def native(folder: Path, built: Build) -> bytes:
    """Return a library that is compiled now."""
    return compile_build(built, folder).read_bytes()


def probed(wheel: Path, options: ProbeOptions) -> tuple[dict[str, str], ProbeReport]:
    """Return what a wheel is found to need on x86-64 by inspection and probe together, and the probe's report."""
    static = inspect_wheel(wheel, wheel.name)
    report = probe_wheel(wheel, wheel.name, static, options)
    together = combine(static, report)
    assert together.need is not None
    return together.need.as_dict()["x86_64"], report
