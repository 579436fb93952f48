"""What a probe saw on a machine, as values: nothing here judges, and everything can be written down in a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Tuple

Registers = Tuple[int, int, int, int]
"""EAX, EBX, ECX, EDX, in this order."""


@dataclass(frozen=True)
class CpuidLeaf:
    """The answer to one CPUID query; ``active`` is what glibc says this process may use of it, if glibc was asked."""

    leaf: int
    subleaf: int
    cpuid: Registers
    active: Registers | None = None


@dataclass(frozen=True)
class HostEvidence:
    """Everything from which :func:`~cpufit_resolver.detection.decide.decide` tells what a process may execute.

    Empty fields mean that this machine has no such source, or that nobody asked it.
    """

    system: str
    """``Linux``, ``Darwin``, ``Windows``, as :func:`platform.system` names them."""
    machine: str
    """The machine's name as the system gives it: ``x86_64``, ``AMD64``, ``arm64``."""
    pointer_bits: int = 64
    """Width of this interpreter's pointers: 32 for a 32-bit Python on a 64-bit system."""
    glibc: tuple[CpuidLeaf, ...] = ()
    """What ``__x86_get_cpuid_feature_leaf`` gives (glibc 2.33 and later)."""
    cpuid: tuple[CpuidLeaf, ...] = ()
    """What the CPUID instruction itself gives."""
    xcr0: int = 0
    """Extended control register 0: the register states that the operating system saves. 0 where it does not say."""
    cpuinfo: str = ""
    """The block of ``/proc/cpuinfo`` for the first core that this process may run on."""
    cores: tuple[str, ...] = ()
    """The lines of features there, of every core that this process may run on, each different line once."""
    hwcap: int = 0
    hwcap2: int = 0
    sysctl: Mapping[str, str] | None = None
    """macOS: the names that were asked and are there."""
    windows: Mapping[int, bool] | None = None
    """Windows: answers of ``IsProcessorFeaturePresent`` by number."""
    glibc_tunables: str = ""
    """The environment variable ``GLIBC_TUNABLES``."""
