"""Statements: what a wheel's own text says of the flags it was compiled with (R0).

Three forms are known. OpenCV keeps its build information as a text in the library, and refuses to start without what
that names as the baseline. Two more are files, written by the build itself and read at import by the package: NumPy's
``__config__.py`` with its "SIMD Extensions" table (Meson builds; its ``baseline`` is what the import refuses to go
without), and the list of ``target-feature`` flags that Polars keeps in ``build_feature_flags.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cpufit_resolver.features import architecture

if TYPE_CHECKING:  # numpy, which cannot be imported on every CPU that this package is asked about
    from cpufit_wheelhouse.machine_code.image import Bytes

MAX_STATEMENT_BYTES = 64 << 10
"""A longer file is none of these."""

_NUMPY_NAMES = {
    "x86_v2": "x86_64_v2", "x86_v3": "x86_64_v3", "x86_v4": "x86_64_v4", "sse41": "sse4_1", "sse42": "sse4_2",
    "fma3": "fma", "avx512_skx": "x86_64_v4", "lzcnt": "abm", "bmi": "bmi1",
}  # fmt: skip
_NOT_EMITTED = frozenset({"aes", "pclmulqdq", "sha_ni", "adx", "rdrand", "rdseed", "fsgsbase", "xsave", "cx16"})
"""A compiler may use these where a flag allows it, and never does unless the source asks for them by name."""
_BASELINE = re.compile(r"""["']SIMD Extensions["']\s*:\s*\{[^}]*?["']baseline["']\s*:\s*(\[[^\]]*\])""", re.DOTALL)
_FLAGS = re.compile(r"""["']((?:\+[a-z0-9._-]+)(?:,\+[a-z0-9._-]+)*)["']""")


_OPENCV = re.compile(rb"CPU/HW features:\n\s+Baseline:([ A-Z0-9_]{1,400})\n")
_OPENCV_NAMES = {"fp16": "f16c", "avx_512f": "avx512f"}
MAX_SEARCHED_BYTES = 256 << 20
"""A larger library is not searched for texts."""


def built_in(data: Bytes, arch: str) -> frozenset[str]:
    """Return the features that OpenCV's build information inside a library names as its baseline."""
    if len(data) > MAX_SEARCHED_BYTES:
        return frozenset()
    found = _OPENCV.search(data.data)
    names = found[1].decode().lower().split() if found else []
    return _features((_OPENCV_NAMES.get(name, name) for name in names), arch)


def is_statement(member: str) -> bool:
    """Tell whether a member's name is that of a known statement."""
    return member.rpartition("/")[2] in ("__config__.py", "build_feature_flags.py")


def stated_features(member: str, text: str, arch: str) -> frozenset[str]:
    """Return the features that a statement says the code was compiled for, without those of the architecture's floor.

    A name that no table knows is passed over: it cannot be a feature that an ordinary compiler uses.
    """
    if member.endswith("__config__.py"):
        found = _BASELINE.search(text)
        names = _string_list(found.group(1)) if found else ()
    else:
        names = tuple(flag[1:] for line in _FLAGS.findall(text) for flag in line.split(","))
    return _features(names, arch)


def _features(names: Iterable[str], arch: str) -> frozenset[str]:
    table = architecture(arch)
    features: frozenset[str] = frozenset()
    for name in names:
        word = _NUMPY_NAMES.get(name.lower(), name.lower())
        level = table.level(word)
        one = table.canonical(word)
        features |= level.features if level is not None else frozenset() if one is None else frozenset({one})
    return features - table.floor - _NOT_EMITTED


def _string_list(text: str) -> tuple[str, ...]:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
