from __future__ import annotations

import pytest

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.inspection.cpu_words import has_twin, is_for_a_cpu, promised

V2, V3, V4 = (architecture("x86_64").level(f"x86_64_v{number}").features for number in (2, 3, 4))  # type: ignore[union-attr]
FLOOR = architecture("x86_64").floor


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("pkg/_core.cpython-311-x86_64-linux-gnu.so", frozenset()),
        ("pkg/_core_avx2.cpython-311-x86_64-linux-gnu.so", {"avx2"}),
        ("lib/libggml-cpu-haswell.so", V3 - FLOOR),
        ("lib/libggml-cpu-skylakex.so", V4 - FLOOR),
        ("lib/libggml-cpu-sse42.so", {"sse4_2"}),
        ("lib/glibc-hwcaps/x86-64-v2/libz.so.1", V2 - FLOOR),
        ("Crypto/Cipher/_raw_aesni.abi3.so", {"aes"}),
        ("Crypto/Cipher/_raw_aes.abi3.so", frozenset()),
        ("p/libfast_sse2.so", frozenset()),
    ],
)
def test_a_word_in_a_name_promises_features(name: str, features: frozenset[str]) -> None:
    assert promised(name, "x86_64") == features


@pytest.mark.parametrize(
    "name",
    [
        "sum_avx2",
        "sum_avx2.part.0",
        "sgemm_kernel_haswell",
        "_ZN4zstdL12compress_bmi2EPKv",
        "crc_sse4.2",
        "dot.avx512f",
    ],
)
def test_a_function_may_say_for_which_cpus_it_is(name: str) -> None:
    assert is_for_a_cpu(name)


@pytest.mark.parametrize("name", ["sum", "sum_default", "avx2", "_ZN3foo8haswellsEv", "essential", ""])
def test_other_names_do_not(name: str) -> None:
    assert not is_for_a_cpu(name)


@pytest.mark.parametrize(
    ("function", "names", "twin"),
    [
        ("compress_internal_bmi2", b"\0compress_internal_default\0", True),
        ("compress_internal_bmi2", b"\0compress_internal\0other_default\0", False),
        ("compress_internal_bmi2", b"\0compress_internal_defaults\0", False),
        ("_ZN4zstdL22compress_internal_bmi2EPvm", b"\0_ZN4zstdL25compress_internal_defaultEPvm\0", True),
        ("_ZN4zstdL22compress_internal_bmi2EPvm", b"\0_ZN4zstdL25compress_exteriors_defaultEPvm\0", False),
        ("_ZN9999999999999999999999x_avx2Ev", b"x_default", False),
        ("dot_avx2", b"dot_scalar", False),
        ("plain", b"plain_default", False),
    ],
)
def test_a_twin_has_a_word_for_every_cpu_in_its_place(function: str, names: bytes, twin: bool) -> None:
    assert has_twin(function, names) is twin
