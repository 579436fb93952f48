"""Code that nothing tells of: cut into pieces that decode to their end; data makes none."""

from __future__ import annotations

import numpy as np
import pytest
from tests.machine_code.aarch64_words import WORDS

from cpufit_wheelhouse.machine_code import aarch64, x86_64
from cpufit_wheelhouse.machine_code.bits import names_of
from cpufit_wheelhouse.machine_code.gaps import SMALLEST, uncovered
from cpufit_wheelhouse.machine_code.image import CodeRange, Functions, Image

ADDRESS = 0x4000
ADD = bytes.fromhex("c5fdfec2")  # vpaddd ymm0, ymm0, ymm2
RET, PAD, JUMP = b"\xc3", b"\xcc", b"\xff\xe0"
ARM = {text: word for text, word, _ in WORDS}
ARM_RET, ARM_NOP, ARM_CRC = ARM["ret"], ARM["nop"], ARM["crc32b w0,w1,w2"]


def image_of(code: bytes, bounds: list[tuple[int, int]] | None = None, arch: str = "x86_64") -> Image:
    data = np.frombuffer(bytes(64) + code, np.uint8)
    known = np.array(bounds or [], np.int64).reshape(-1, 2)
    return Image(
        kind="elf",
        arch=arch,
        data=data,
        code=(CodeRange(name=".text", offset=64, size=len(code), address=ADDRESS),),
        functions=Functions(
            starts=ADDRESS + known[:, 0], ends=ADDRESS + known[:, 1], weak=np.zeros(len(known), np.bool_)
        ),
        imports=frozenset(),
        exports=frozenset(),
        needed=(),
        entries=(),
    )


def recovered(image: Image) -> list[tuple[int, int]]:
    architecture = x86_64 if image.arch == "x86_64" else aarch64
    found = architecture.recover(image, architecture.scan(image))
    return [(int(a) - ADDRESS, int(b) - ADDRESS) for a, b in zip(found.starts, found.ends, strict=True)]


@pytest.mark.parametrize(
    ("code", "pieces"),
    [
        pytest.param(ADD * 4 + RET, [(0, 17)], id="one function"),
        pytest.param((ADD * 4 + RET).ljust(32, PAD) + ADD * 4 + JUMP, [(0, 17), (32, 50)], id="padding between two"),
        pytest.param(ADD * 3 + b"\x90\x90\x90" + RET + ADD * 4 + RET, [(0, 16), (16, 33)], id="no room for padding"),
        pytest.param(ADD * 4 + RET + ADD * 4 + RET, [(0, 34)], id="a return in the midst of a function"),
        pytest.param((ADD * 4 + RET).ljust(24, b"\x90") + ADD * 4 + RET, [(0, 17), (24, 41)], id="aligned to eight"),
        pytest.param(ADD * 5, [], id="what runs over the end"),
        pytest.param(ADD * 4 + b"\x06" + ADD + RET, [], id="what is no instruction in the midst"),
        pytest.param(ADD * 4 + RET + b"\x06\x06\x06" * 9, [(0, 17)], id="constants behind a function"),
        pytest.param(bytes(200), [], id="zeros"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_pieces_of_x86_64_end_where_control_never_passes(code: bytes, pieces: list[tuple[int, int]]) -> None:
    assert recovered(image_of(code)) == pieces


def test_code_of_known_functions_is_left_but_not_of_those_that_do_not_decode() -> None:
    piece = (ADD * 4 + RET).ljust(32, PAD)
    assert recovered(image_of(piece * 3, [(32, 49)])) == [(0, 17), (64, 81)]
    assert recovered(image_of(piece * 3 + b"\x06", [(0, 97)])) == [(0, 17), (32, 49), (64, 81)]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_random_data_is_hardly_ever_taken_for_code(arch: str) -> None:
    image = image_of(np.random.default_rng(3).bytes(1 << 20), arch=arch)
    assert sum(end - begin for begin, end in recovered(image)) < (1 << 20) / 500


def test_text_and_tables_of_numbers_are_no_code_that_needs_anything() -> None:
    text = b"the quick brown fox jumps over the lazy dog, again and again. " * 500
    numbers = np.linspace(-3, 3, 5000).tobytes() + np.arange(9000, dtype=np.int32).tobytes()
    for data in (text, numbers):
        for arch in ("x86_64", "aarch64"):
            image = image_of(data, [(begin, end) for begin, end in recovered(image_of(data, arch=arch))], arch)
            assert len(image.functions) < len(data) / 10_000
            assert not (x86_64 if arch == "x86_64" else aarch64).scan(image).masks.any()


def words(*parts: list[int]) -> bytes:
    return np.array([word for part in parts for word in part], "<u4").tobytes()


def test_pieces_of_arm64_stand_in_a_run_of_instructions() -> None:
    function = [ARM_CRC] * 199 + [ARM_RET]
    assert recovered(image_of(words(function, function), arch="aarch64")) == [(0, 800), (800, 1600)]
    short = words(function, [0], function)
    assert recovered(image_of(short, arch="aarch64")) == []
    known = image_of(words(function, function, [0]), [(0, 800)], arch="aarch64")
    assert recovered(known) == []
    assert recovered(image_of(words(function, [ARM_NOP] * 30), [(0, 800)], arch="aarch64")) == []
    assert recovered(image_of(b"", arch="aarch64")) == []


def test_what_is_found_says_what_it_needs() -> None:
    image = image_of(ADD * 4 + RET)
    pieces = x86_64.recover(image, x86_64.scan(image))
    (mask,) = x86_64.scan(image_of(ADD * 4 + RET, [(0, 17)])).masks
    assert len(pieces) == 1
    assert "avx2" in set(names_of("x86_64", int(mask)))


def test_what_is_left_between_functions_is_told_by_range() -> None:
    ranges = (
        CodeRange(name="a", offset=0, size=100, address=1000),
        CodeRange(name="b", offset=100, size=100, address=2000),
    )
    starts, ends = np.array([1000, 1060, 2050], np.int64), np.array([1020, 1100, 2050 + SMALLEST], np.int64)
    begins, stops = uncovered(ranges, starts, ends)
    assert list(zip(begins.tolist(), stops.tolist(), strict=True)) == [(1020, 1060), (2000, 2050), (2066, 2100)]
