"""Whole wheels: what becomes of the libraries in them, of those that cannot be read, and of those made to hurt."""

from __future__ import annotations

import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.machine_code.made_images import ARM_CODE, elf, macho, pe, universal

from cpufit_wheelhouse.archive_limits import DEFAULT_LIMITS
from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.inspection.budget import Budget
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.inspection.wheel import DEFAULT_INSPECTION_LIMITS, InspectionLimits, inspect_wheel

Factory = Callable[..., Path]
LINUX = "cp39-abi3-manylinux_2_17_x86_64"
BOTH = universal((0x0100_0007, macho()), (0x0100_000C, macho(ARM_CODE, cpu=0x0100_000C)))
PLAIN = b"\x90\xc3" * 20


def inspected(wheel: Path, limits: InspectionLimits = DEFAULT_INSPECTION_LIMITS) -> Verdict:
    return inspect_wheel(wheel, wheel.name, limits=limits, threads=2)


def token(verdict: Verdict, arch: str = "x86_64") -> str:
    assert verdict.need is not None, verdict.undetermined
    return verdict.need.as_dict()[arch]["use"]


def test_a_wheel_without_machine_code_needs_nothing(wheel_factory: Factory) -> None:
    verdict = inspected(wheel_factory())
    assert verdict.known
    assert verdict.confidence == "high"
    assert not verdict.evidence


@pytest.mark.parametrize(
    ("tags", "data"),
    [
        (LINUX, elf()),
        ("cp39-abi3-win_amd64", pe()),
        ("cp39-abi3-macosx_11_0_x86_64", macho()),
        ("cp39-abi3-macosx_11_0_universal2", BOTH),
    ],
)
def test_the_same_code_needs_the_same_in_every_container(tags: str, data: bytes, wheel_factory: Factory) -> None:
    verdict = inspected(wheel_factory(tags=tags, members={"small/_x.so": data}))
    assert token(verdict) == "x86_64_v2+avx+avx2"
    assert any("vpaddd" in one.text and "small/_x.so" in one.text for one in verdict.evidence)


def test_the_other_half_of_a_universal_binary_needs_what_it_needs(wheel_factory: Factory) -> None:
    verdict = inspected(wheel_factory(tags="cp39-abi3-macosx_11_0_universal2", members={"small/_x.so": BOTH}))
    assert token(verdict, "aarch64") == "aarch64_8a"


def test_a_wheel_needs_what_the_most_demanding_of_its_libraries_needs(wheel_factory: Factory) -> None:
    verdict = inspected(wheel_factory(tags=LINUX, members={"small/_a.so": elf(PLAIN), "small/_b.so": elf()}))
    assert token(verdict) == "x86_64_v2+avx+avx2"
    assert {one.library for one in verdict.evidence if one.weight == "requires"} == {"small/_b.so"}


def test_a_library_for_another_architecture_is_noted(wheel_factory: Factory) -> None:
    members = {"small/_a.so": elf(PLAIN), "small/_b.so": elf(ARM_CODE, machine=183)}
    verdict = inspected(wheel_factory(tags=LINUX, members=members))
    assert token(verdict) == "x86_64_v1"
    assert any("small/_b.so" in note for note in verdict.notes)


@pytest.mark.parametrize("data", [elf()[:200], b"\x7fELF" + bytes(20), pe()[:0x90], macho()[:64]])
def test_one_library_that_cannot_be_read_leaves_the_wheel_undetermined(data: bytes, wheel_factory: Factory) -> None:
    verdict = inspected(wheel_factory(tags=LINUX, members={"small/_a.so": elf(), "small/_b.so": data}))
    assert not verdict.known
    assert [reason.partition(":")[0] for reason in verdict.undetermined] == ["small/_b.so"]


def test_a_library_larger_than_the_limit_is_not_read(wheel_factory: Factory) -> None:
    limits = replace(DEFAULT_INSPECTION_LIMITS, max_library_bytes=1000)
    verdict = inspected(wheel_factory(tags=LINUX, members={"small/_a.so": elf()}), limits)
    assert "at most 1000 are read" in verdict.undetermined[0]


def test_too_many_libraries_are_not_read(wheel_factory: Factory) -> None:
    members = {f"small/_{k}.so": elf() for k in range(6)}
    verdict = inspected(wheel_factory(tags=LINUX, members=members), replace(DEFAULT_INSPECTION_LIMITS, max_libraries=5))
    assert verdict.undetermined == ("6 native libraries, and at most 5 are read",)


def test_a_bomb_of_libraries_is_refused_before_it_is_unpacked(wheel_factory: Factory) -> None:
    """Forty libraries of 4 MB of zeros each, 160 MB in a file of a few kilobytes."""
    members = {f"small/_{k}.so": elf(PLAIN) + bytes(4_000_000) for k in range(40)}
    wheel = wheel_factory(tags=LINUX, members=members)
    assert wheel.stat().st_size < 1_000_000
    limits = replace(DEFAULT_INSPECTION_LIMITS, archive=replace(DEFAULT_LIMITS, max_unpacked_bytes=50_000_000))
    begun = time.monotonic()
    with pytest.raises(WheelError):
        inspected(wheel, limits)
    assert time.monotonic() - begun < 5


def test_a_library_that_is_longer_than_the_zip_says_is_refused(wheel_factory: Factory, tmp_path: Path) -> None:
    wheel = wheel_factory(tags=LINUX, members={"small/_a.so": elf() * 50})
    data = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        info = archive.getinfo("small/_a.so")
    size = info.file_size.to_bytes(4, "little")
    lie = (info.file_size - 4096).to_bytes(4, "little")
    lying = tmp_path / wheel.name
    lying.write_bytes(bytes(data).replace(size, lie))
    with pytest.raises(WheelError):
        inspected(lying)


def test_a_budget_is_never_overdrawn_and_serves_what_is_larger_than_it() -> None:
    budget, held, most = Budget(100), [0], [0]
    lock = threading.Lock()

    def take(size: int) -> None:
        with budget.taken(size):
            with lock:
                held[0] += min(size, 100)
                most[0] = max(most[0], held[0])
            time.sleep(0.005)
            with lock:
                held[0] -= min(size, 100)

    threads = [threading.Thread(target=take, args=(size,)) for size in (30, 60, 90, 500, 10, 45, 100, 70)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert 0 < most[0] <= 100


class _BlocksOfNothing:
    """A compressor that begins with empty blocks, which a reader of the first bytes alone takes for an empty file."""

    def __init__(self) -> None:
        self._real = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        self._before = b"\0\0\0\xff\xff" * 1000

    def compress(self, data: bytes) -> bytes:
        before, self._before = self._before, b""
        return before + self._real.compress(data)

    def flush(self) -> bytes:
        return self._real.flush()


def test_a_library_behind_empty_blocks_is_found(wheel_factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "_get_compressor", lambda *_: _BlocksOfNothing())
    wheel = wheel_factory(tags=LINUX, members={"small/_x.so": elf()})
    assert token(inspected(wheel)) == "x86_64_v2+avx+avx2"
