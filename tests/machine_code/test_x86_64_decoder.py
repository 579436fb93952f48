"""The x86-64 decoder against iced-x86: no wrong length, no wrong class, on anything that is an instruction."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import iced_x86
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine_code.x86_64_reference import all_decoded, code_of, decoded

from cpufit_wheelhouse.machine_code.bits import names_of
from cpufit_wheelhouse.machine_code.x86_64 import following, histogram, instruction_mask, kernels
from cpufit_wheelhouse.machine_code.x86_64.generate import build
from cpufit_wheelhouse.machine_code.x86_64.layout import TABLES

HEADS = (
    "", "48", "66", "67", "f2", "f3", "0f", "660f", "f30f", "f20f", "0f38", "660f38", "0f3a", "660f3a", "c5", "c4",
    "62", "8f", "490f", "f0", "6648",
)  # fmt: skip


def features(text: str) -> tuple[int, set[str]]:
    """Return length and names of an instruction written as hexadecimal digits."""
    data = bytes.fromhex(text.replace(" ", ""))
    length, mask = instruction_mask(data + bytes(16))
    return length, set(names_of("x86_64", mask))


@pytest.mark.parametrize(
    ("code", "length", "names"),
    [
        pytest.param("f3 0f bc c1", 4, {":tzcnt"}, id="tzcnt is rep bsf elsewhere: never bmi1"),
        pytest.param("f3 48 0f bc c1", 5, {":tzcnt"}, id="tzcnt of 64 bits too"),
        pytest.param("f3 0f bd c1", 4, {"abm"}, id="lzcnt does count"),
        pytest.param("f3 0f 1e fa", 4, set(), id="endbr64 is a nop elsewhere"),
        pytest.param("f3 48 0f 1e c8", 5, set(), id="rdssp is a nop elsewhere"),
        pytest.param("f3 90", 2, set(), id="pause"),
        pytest.param("0f 0d 08", 3, set(), id="prefetchw"),
        pytest.param("66 0f 1f 84 00 00 00 00 00", 9, set(), id="a long nop"),
        pytest.param("9f", 1, set(), id="lahf is in every cpu of note"),
        pytest.param("48 0f c7 0f", 4, {"cx16"}, id="cmpxchg16b"),
        pytest.param("0f c7 0f", 3, set(), id="cmpxchg8b is in every x86-64"),
        pytest.param("c5 f9 ef c0", 4, {":vex-vector", "avx"}, id="vpxor xmm is avx"),
        pytest.param("c5 fd ef c0", 4, {":vex-vector", "avx", "avx2"}, id="vpxor ymm is avx2"),
        pytest.param("c5 f9 6f 07", 4, {":vex-vector", "avx"}, id="vmovdqa xmm"),
        pytest.param("c5 fd 6f 07", 4, {":vex-vector", "avx"}, id="vmovdqa ymm is avx too"),
        pytest.param("c5 fc 58 c0", 4, {":vex-vector", "avx"}, id="vaddps ymm is avx"),
        pytest.param("c4 e2 7d 18 07", 5, {":vex-vector", "avx"}, id="vbroadcastss from memory is avx"),
        pytest.param("c4 e2 7d 18 c0", 5, {":vex-vector", "avx", "avx2"}, id="from a register it is avx2"),
        pytest.param("62 f1 7c 48 58 c0", 6, {":evex-vector", "avx512f"}, id="evex of full length needs no vl"),
        pytest.param("62 f1 7c 28 58 c0", 6, {":evex-vector", "avx512f", "avx512vl"}, id="evex ymm needs vl"),
        pytest.param("62 f1 7d 48 db c0", 6, {":evex-vector", "avx512f"}, id="vpandd is f"),
        pytest.param("62 f1 fd 48 54 c0", 6, {":evex-vector", "avx512f", "avx512dq"}, id="vandpd is dq: by w"),
        pytest.param("62 f1 7d 48 fc c0", 6, {":evex-vector", "avx512f", "avx512bw"}, id="vpaddb is bw"),
        pytest.param("62 f1 7c 78 58 c0", 6, {":evex-vector", "avx512f"}, id="rounding control stands for the length"),
        pytest.param("c4 e2 f9 98 c0", 5, {":vex-vector", "avx", "fma"}, id="fma"),
        pytest.param("c4 e2 79 13 c0", 5, {":vex-vector", "avx", "f16c"}, id="f16c"),
        pytest.param("c4 e2 78 f2 c1", 5, {"bmi1"}, id="andn is no vector instruction"),
        pytest.param("c4 e2 7b f6 c1", 5, {"bmi2"}, id="mulx"),
        pytest.param("f3 0f b8 c1", 4, {"popcnt"}, id="popcnt"),
        pytest.param("0f 38 f0 07", 4, {"movbe"}, id="movbe"),
        pytest.param("f2 0f 38 f0 c1", 5, {"sse4_2"}, id="crc32 is sse4.2 and no vector instruction"),
        pytest.param("66 0f 38 00 c1", 5, {":legacy-vector", "ssse3"}, id="pshufb with its prefix"),
        pytest.param("0f 38 00 c1", 4, {"ssse3"}, id="pshufb on mmx registers"),
        pytest.param("66 0f 3a 0f c1 08", 6, {":legacy-vector", "ssse3"}, id="palignr"),
        pytest.param("f2 0f 12 c1", 4, {":legacy-vector", "sse3"}, id="movddup"),
        pytest.param("66 0f 12 07", 4, {":legacy-vector"}, id="movlpd, the same opcode, is sse2"),
        pytest.param("66 0f 16 07", 4, {":legacy-vector"}, id="movhpd"),
        pytest.param("f3 0f 16 c1", 4, {":legacy-vector", "sse3"}, id="movshdup"),
        pytest.param("66 0f 3a 22 c0 01", 6, {":legacy-vector", "sse4_1"}, id="pinsrd"),
        pytest.param("66 0f 38 dc c1", 5, {":legacy-vector", "aes"}, id="aesenc"),
        pytest.param("0f a2", 2, {":cpuid"}, id="cpuid"),
        pytest.param("0f 01 d0", 3, {":cpuid"}, id="xgetbv"),
        pytest.param("48 b8 01 02 03 04 05 06 07 08", 10, set(), id="an immediate of 64 bits"),
        pytest.param("66 b8 01 02", 4, set(), id="an immediate of 16 bits"),
        pytest.param("66 48 b8 01 02 03 04 05 06 07 08", 11, set(), id="w beats prefix 66"),
        pytest.param("48 a1 01 02 03 04 05 06 07 08", 10, set(), id="an address of 64 bits"),
        pytest.param("67 a1 01 02 03 04", 6, set(), id="an address of 32 bits"),
        pytest.param("f6 c1 7f", 3, set(), id="test has an immediate"),
        pytest.param("f6 d1", 2, set(), id="not has none in the same group"),
        pytest.param("f7 05 00 00 00 00 78 56 34 12", 10, set(), id="displacement and immediate"),
        pytest.param("66 f7 c1 34 12", 5, set(), id="test of 16 bits"),
        pytest.param("c8 10 00 01", 4, set(), id="enter has two immediates"),
        pytest.param("8b 04 25 00 00 00 00", 7, set(), id="sib without base"),
        pytest.param("48 40 89 c8", 4, set(), id="a rex prefix that another follows does not count"),
        pytest.param("0f 20 00", 3, set(), id="mov from cr0 is a register operand whatever modrm says"),
    ],
)
def test_the_traps_of_real_code(code: str, length: int, names: set[str]) -> None:
    assert features(code) == (length, names)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("06", id="push es is not in 64-bit mode"),
        pytest.param("f0 c5 f9 ef c0", id="lock before vex"),
        pytest.param("66 c5 f9 ef c0", id="prefix 66 before vex"),
        pytest.param("48 c5 f9 ef c0", id="rex before vex"),
        pytest.param("62 f1 78 48 58 c0", id="an evex bit that must be one"),
        pytest.param("66" * 15 + "90", id="more than fifteen bytes"),
    ],
)
def test_what_is_no_instruction_has_no_length(code: str) -> None:
    assert features(code) == (0, set())
    assert decoded(bytes.fromhex(code) + bytes(16)) == (0, 0)


@settings(max_examples=3000, deadline=None)
@given(head=st.sampled_from(HEADS), rest=st.binary(min_size=18, max_size=18))
def test_any_bytes_are_read_as_iced_reads_them(head: str, rest: bytes) -> None:
    data = (bytes.fromhex(head) + rest)[:18]
    length, mask = decoded(data)
    if length:
        assert instruction_mask(data) == (length, mask), data.hex()


@pytest.mark.parametrize("seed", range(4))
def test_long_random_runs_are_read_as_iced_reads_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    for index in range(20_000):
        data = (bytes.fromhex(HEADS[index % len(HEADS)]) + random.bytes(18))[:18]
        length, mask = decoded(data)
        if length:
            assert instruction_mask(data) == (length, mask), data.hex()


def _libraries() -> list[Path]:
    """Return libraries with machine code of this environment: Python's own, extensions, and what numpy brings."""
    folders = [Path(iced_x86.__file__).parent, Path(np.__file__).parent / "_core", Path(np.__file__).parent / "linalg"]
    found = [path for folder in folders for path in sorted(folder.glob("*.so"))]
    found += sorted((Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*"))
    found += [Path(sysconfig.get_config_var("LIBDIR") or "/nowhere") / (sysconfig.get_config_var("INSTSONAME") or "x")]
    return [path for path in found if path.is_file() and path.suffix != ".a"]


@pytest.mark.parametrize("library", _libraries(), ids=lambda path: path.name)
def test_real_code_is_read_as_iced_reads_it(library: Path) -> None:
    """One instruction after the other, from where iced stands."""
    if os.uname().machine != "x86_64":
        pytest.skip("the libraries here are for another architecture")
    code = code_of(library)
    if not code:
        pytest.skip("no .text in it")
    wrong = []
    for offset, length, mask in all_decoded(code[: 1 << 20]):
        if length and offset + 15 < len(code):
            found = instruction_mask(code[offset : offset + 16])
            if found != (length, mask):
                wrong.append((code[offset : offset + length].hex(), found, length))
    assert wrong[:5] == []


def test_a_sweep_counts_what_the_instructions_say_and_never_reads_past_its_end() -> None:
    code = bytes.fromhex("c5fdefc0" * 3 + "90" * 5 + "f30fb8c1")
    data = np.frombuffer(code, np.uint8)
    counts, faults = histogram(data, 0, len(data))
    told = {name: int(count) for name, count in zip(_names(), counts, strict=False) if count}
    assert (told, faults) == ({":vex-vector": 3, "avx": 3, "avx2": 3, "popcnt": 1}, 0)
    cut, faults = histogram(data, 0, len(data) - 1)
    assert int(cut.sum()) == 9
    assert faults > 0  # what runs over the end is a fault, byte by byte
    nothing, faults = histogram(data, 5, 5)
    assert (int(nothing.sum()), faults) == (0, 0)


def _names() -> list[str]:
    return list(names_of("x86_64", (1 << 64) - 1))


@pytest.mark.parametrize("size", [0, 1, 14, 15, 16, 31, 32, 33, 63, 64, 65, 200])
def test_code_of_any_size_is_swept_as_its_instructions_one_by_one(size: int) -> None:
    data = np.frombuffer(np.random.default_rng(size).bytes(size), np.uint8)
    counts, faults = histogram(data, 0, size)
    expected = np.zeros(64, np.int64)
    bad = position = 0
    while position < size:
        length, mask = instruction_mask(data[position:].tobytes())
        if length == 0 or position + length > size:
            bad, position = bad + 1, position + 1
            continue
        for number in range(64):
            expected[number] += mask >> number & 1
        position += length
    assert (counts.tolist(), faults) == (expected.tolist(), bad)


_WITHOUT_JIT = """
import sys, numpy as np
from cpufit_wheelhouse.machine_code.x86_64 import histogram, kernels
assert ("dispatcher" in type(kernels.decode).__name__.lower()) is (sys.argv[1] == "0"), type(kernels.decode)
data = np.frombuffer(np.random.default_rng(7).bytes(60_000), np.uint8)
counts, faults = histogram(data, 0, len(data))
print(counts.tolist(), faults)
"""


def test_the_kernels_say_the_same_uncompiled() -> None:
    told = []
    for off in ("0", "1"):
        command = [sys.executable, "-W", "ignore", "-c", _WITHOUT_JIT, off]
        environ = {**os.environ, "NUMBA_DISABLE_JIT": off}
        told.append(subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout)
    assert told[0] == told[1]
    assert told[0].count(",") == 63


def test_the_tables_are_those_that_iced_makes() -> None:
    made = build()
    with np.load(TABLES) as stored:
        if str(stored["iced"]) != version("iced-x86"):
            pytest.skip(f"the tables were made with iced-x86 {stored['iced']}, here is {version('iced-x86')}")
        assert sorted(made) == sorted(stored.files)
        for name, table in made.items():
            np.testing.assert_array_equal(table, stored[name], err_msg=name)


def test_kernels_that_were_compiled_with_other_tables_are_not_taken_from_the_cache() -> None:
    assert hashlib.sha256(TABLES.read_bytes()).hexdigest() == kernels.TABLES_SHA256 == following.TABLES_SHA256


@pytest.mark.parametrize(
    "module", ["cpufit_wheelhouse.machine_code.x86_64", "cpufit_wheelhouse.inspection.wheel", "cpufit_server.app"]
)
def test_numba_is_imported_by_nobody_who_does_not_decode(module: str) -> None:
    code = f"import sys, {module}; raise SystemExit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["cpufit_server.app", "cpufit_pip_plugin.cpu_check.environment.command"])
def test_numpy_is_imported_by_nobody_who_has_nothing_to_read(module: str) -> None:
    """It cannot be imported at all on a CPU from before 2009, of which ``cpu-check`` is asked all the same."""
    code = f"import sys, {module}; raise SystemExit('numpy' in sys.modules or 'iced_x86' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
