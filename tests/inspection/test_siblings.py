from __future__ import annotations

import pytest

from cpufit_wheelhouse.inspection.siblings import families, least_demanding


@pytest.mark.parametrize(
    "names",
    [
        (
            "rapidfuzz/fuzz_cpp.cpython-311-x86_64-linux-gnu.so",
            "rapidfuzz/fuzz_cpp_avx2.cpython-311-x86_64-linux-gnu.so",
        ),
        ("lib/libggml-cpu-haswell.so", "lib/libggml-cpu-sse42.so", "lib/libggml-cpu-x64.so"),
        ("faiss/_swigfaiss.so", "faiss/_swigfaiss_avx2.so", "faiss/_swigfaiss_avx512.so"),
        ("mkl/libmkl_avx2.so.2", "mkl/libmkl_def.so.2"),
        ("x.libs/libz-0a1b2c3d.so.1", "x.libs/glibc-hwcaps/x86-64-v3/libz-9f8e7d6c.so.1"),
        ("pkg/avx2/_core.so", "pkg/sse2/_core.so"),
        ("pkg/_core.so", "pkg/_core_avx512.so"),
    ],
)
def test_names_that_differ_by_a_cpu_word_alone_are_a_family(names: tuple[str, ...]) -> None:
    (family,) = families(names)
    assert set(family.members) == set(names)


@pytest.mark.parametrize(
    "names",
    [
        ("pkg/_a.cpython-311-x86_64-linux-gnu.so", "pkg/_b.cpython-311-x86_64-linux-gnu.so"),
        ("pkg/only_avx2.so",),
        ("pkg/a_avx2.so", "other/a.so"),
        ("pkg/_core.so", "pkg/_core.so.1"),
        ("pkg/libscale.so", "pkg/libc.so"),
    ],
)
def test_other_names_are_not(names: tuple[str, ...]) -> None:
    assert families(names) == ()


def test_the_least_demanding_member_speaks_for_the_family() -> None:
    (family,) = families(["p/a.so", "p/a_avx2.so", "p/a_avx512.so"])
    needs = {
        "p/a.so": frozenset({"sse3"}),
        "p/a_avx2.so": frozenset({"sse3", "avx2"}),
        "p/a_avx512.so": frozenset({"sse3", "avx2", "avx512f"}),
    }
    assert least_demanding(family, needs) == "p/a.so"


def test_a_name_that_promises_avx2_is_not_for_every_cpu_even_where_nothing_was_found_in_it() -> None:
    (family,) = families(["faiss/_swigfaiss.so", "faiss/_swigfaiss_avx2.so"])
    needs = {"faiss/_swigfaiss.so": frozenset({"sse3"}), "faiss/_swigfaiss_avx2.so": frozenset[str]()}
    assert least_demanding(family, needs) == "faiss/_swigfaiss.so"


def test_a_fallback_that_is_named_for_less_stands_before_the_plain_name() -> None:
    (family,) = families(["p/libfast.so", "p/libfast_sse2.so"])
    needs = {"p/libfast.so": frozenset({"avx", "avx2"}), "p/libfast_sse2.so": frozenset[str]()}
    assert least_demanding(family, needs) == "p/libfast_sse2.so"


def test_libraries_for_graphics_processors_are_no_choice_by_the_cpu() -> None:
    assert families(["b/libbits_cuda124.so", "b/libbits_cuda130.so", "b/libbits_cpu.so", "b/libbits_hip.so"]) == ()
