"""A server whose operator turned probes on, and one that meets hostile libraries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.flow.native_wheels import V3, compile_build, compiler
from tests.machine_code.made_images import elf

from cpufit_wheelhouse.probe import sandbox

TAGS = "py3-none-manylinux_2_17_x86_64"
LOAD = b"""\
import ctypes, pathlib
native = ctypes.CDLL(str(pathlib.Path(__file__).with_name("_native.so")))
"""


@pytest.mark.emulated
@pytest.mark.parametrize("allowed", [True, False])
def test_an_import_that_runs_on_less_is_found_and_offered_where_that_is_allowed(
    allowed: bool, tmp_path: Path, wheel_factory: Callable[..., Path], run_server: Callable[..., Any]
) -> None:
    if shutil.which("qemu-x86_64") is None or compiler() is None:
        pytest.skip("qemu-x86_64 (Debian: qemu-user) and gcc are needed")
    if (reason := sandbox.unavailable()) is not None:
        pytest.skip(reason)
    native = compile_build(V3, tmp_path).read_bytes()
    wheel = wheel_factory(tags=TAGS, members={"small/__init__.py": LOAD, "small/_native.so": native})
    (tmp_path / "simple").mkdir()
    settings = {"probe": True, "probe_index": (tmp_path / "simple").as_uri(), "allow_import_only": allowed}
    with run_server(tmp_path / "home", inspection_patience=120, **settings) as server:
        answer = server.upload((wheel.name, wheel.read_bytes()))
        assert answer.status_code == 200, answer.text
        need = answer.json()["need"]["x86_64"]
        # three CPUs are asked: v3, what lacks AVX2, what lacks AVX; the import ends well on each
        assert need == {"import": "x86_64_v2", "use": "x86_64_v2+avx+avx2"}
        assert answer.json()["inspection"]["source"] == "probed"
        files = server.page("/cpu/x86_64_v2/simple/small/")["files"]
        assert [file["_cpufit_import_only"] for file in files] == ([True] if allowed else [])
        (file,) = server.page("/cpu/x86_64_v3/simple/small/")["files"]
        assert "_cpufit_import_only" not in file


@pytest.mark.parametrize("library", [elf()[:300], b"\x7fELF\x02\x01\x01" + b"\xff" * 500])
def test_a_library_that_cannot_be_read_costs_its_wheel_the_verdict_and_no_worker(
    library: bytes, tmp_path: Path, wheel_factory: Callable[..., Path], run_server: Callable[..., Any]
) -> None:
    bad = wheel_factory(tags=TAGS, members={"small/_x.so": library})
    good = wheel_factory(tags=TAGS, members={"small/_x.so": elf()}, version="2.0")
    with run_server(tmp_path / "home", inspection_patience=120) as server:
        answer = server.upload((bad.name, bad.read_bytes())).json()
        assert (answer["verdict"], answer["inspection"]["verdict"]) == ("unknown", "undetermined")
        assert answer["inspection"]["undetermined"][0].startswith("small/_x.so: ")
        assert server.names("/cpu/x86_64_v4/simple/small/") == []
        after = server.upload((good.name, good.read_bytes())).json()
        assert after["need"]["x86_64"]["use"] == "x86_64_v2+avx+avx2"
