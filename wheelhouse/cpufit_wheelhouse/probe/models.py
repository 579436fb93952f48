"""The emulated CPUs, least first, with the features that cpufit detects on each (qemu 7.2; a test measures anew)."""

from __future__ import annotations

from dataclasses import dataclass

from cpufit_resolver.features import architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One CPU of ``qemu-ARCH -cpu``."""

    name: str
    features: frozenset[str]
    """Of those that a need can name, the floor included."""


def _ladder(arch: str, *steps: tuple[str, str]) -> tuple[Model, ...]:
    features = architecture(arch).floor
    models = []
    for name, more in steps:
        features |= frozenset(more.split())
        models.append(Model(name=name, features=features))
    return tuple(models)


X86_64 = _ladder(
    "x86_64",
    ("qemu64,-sse3,-cx16,-svm", ""),
    ("qemu64", "sse3 cx16 lahf_lm"),
    ("Conroe-v1,+cx16", "ssse3"),
    ("Penryn-v1", "sse4_1"),
    ("Nehalem-v1", "sse4_2 popcnt"),
    ("SandyBridge-v1", "avx aes pclmulqdq xsave"),
    ("IvyBridge-v1", "f16c rdrand"),
    ("Haswell-v1", "avx2 fma bmi1 bmi2 abm movbe"),
)
AARCH64 = _ladder(
    "aarch64",
    ("cortex-a53", "aes pmull sha1 sha2 crc32"),
    ("neoverse-n1", "atomics asimdrdm fphp asimdhp asimddp lrcpc dcpop"),
)
LADDERS = {"x86_64": X86_64, "aarch64": AARCH64}
CONTROL = "max"
"""The model that has everything which the emulator knows: an import that fails here says nothing of CPUs."""
EMULATORS = {"x86_64": "qemu-x86_64", "aarch64": "qemu-aarch64"}
