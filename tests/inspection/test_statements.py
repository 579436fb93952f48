from __future__ import annotations

import numpy as np
import pytest

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.inspection.statements import built_in, is_statement, stated_features

NUMPY = """
CONFIG = _cleanup({
    "Compilers": {"c": {"name": "gcc"}},
    "SIMD Extensions": {
        "baseline": ["SSE", "SSE2", "SSE41", "POPCNT"],
        "found": ["AVX2", "AVX512_SKX"],
    },
})
"""


def test_a_numpy_config_states_its_baseline_and_not_what_it_dispatches_to() -> None:
    assert stated_features("numpy/__config__.py", NUMPY, "x86_64") == {"sse4_1", "popcnt"}


def test_a_baseline_may_be_a_level() -> None:
    text = NUMPY.replace('["SSE", "SSE2", "SSE41", "POPCNT"]', '["X86_V2"]')
    table = architecture("x86_64")
    level = table.level("x86_64_v2")
    assert level is not None
    assert stated_features("numpy/__config__.py", text, "x86_64") | {"cx16"} == level.features - table.floor


def test_flags_state_what_a_compiler_emits_by_itself() -> None:
    text = 'FLAGS: Final = "+sse3,+avx2,+lzcnt,+pclmulqdq,+mystery"\n'
    assert stated_features("p/build_feature_flags.py", text, "x86_64") == {"sse3", "avx2", "abm"}


def test_text_that_states_nothing_states_nothing() -> None:
    assert stated_features("p/__config__.py", "baseline = 1", "x86_64") == frozenset()
    assert stated_features("p/__config__.py", NUMPY.replace('"POPCNT"]', '"POPCNT", f()]'), "x86_64") == frozenset()
    assert stated_features("p/build_feature_flags.py", 'FLAGS = ""', "x86_64") == frozenset()


def test_only_known_names_are_read() -> None:
    assert is_statement("numpy/__config__.py")
    assert not is_statement("numpy/config.py")


@pytest.mark.parametrize(
    ("text", "features"),
    [
        (b"  CPU/HW features:\n    Baseline:                    SSE SSE2 SSE3\n      requested:    SSE3\n", {"sse3"}),
        (b"CPU/HW features:\n    Baseline: SSE SSE2 SSE3 SSSE3 AVX FP16\n", {"sse3", "ssse3", "avx", "f16c"}),
        (b"CPU/HW features:\n    Baseline: SSE3", set()),
        (b"the baseline: SSE3\n", set()),
    ],
)
def test_opencv_says_in_its_library_what_it_was_compiled_for(text: bytes, features: set[str]) -> None:
    data = np.frombuffer(b"\x7fELF" + bytes(100) + text + bytes(10), np.uint8)
    assert built_in(data, "x86_64") == features
