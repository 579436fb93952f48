"""Each kind of evidence to the features that it shows: values in, values out."""

# ruff: noqa: TID252  # inside the selector this package has another name, so its parent must be relative
from __future__ import annotations

import re
from typing import Iterable, Mapping

from ..features import Architecture, architectures
from . import tables
from .evidence import CpuidLeaf, HostEvidence, Registers

_MACHINES = {
    "amd64": "x86_64",
    "x86-64": "x86_64",
    "arm64": "aarch64",
    "armv8l": "armv7l",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86": "i686",
}
_NARROW = {"x86_64": "i686", "aarch64": "armv7l", "ppc64le": "ppc64le"}


def architecture_name(machine: str, pointer_bits: int) -> str | None:
    """Return the architecture that a process runs on; None if no table has it.

    :param machine: as the system names it
    :param pointer_bits: a 32-bit process on a 64-bit system loads 32-bit libraries
    """
    name = machine.lower()
    name = _MACHINES.get(name, name)
    if pointer_bits == 32:
        name = _NARROW.get(name, name)
    return name if name in architectures() else None


def _bits(leaves: Iterable[tuple[int, int, Registers]]) -> frozenset[str]:
    found = set()
    for leaf, subleaf, registers in leaves:
        for register, value in enumerate(registers):
            for feature, bit in tables.CPUID_BITS.get((leaf, subleaf, register), {}).items():
                if value >> bit & 1:
                    found.add(feature)
    return frozenset(found)


def present_features(leaves: Iterable[CpuidLeaf]) -> frozenset[str]:
    """Return what the CPUID registers of these leaves show, whatever the operating system makes of it."""
    return _bits((leaf.leaf, leaf.subleaf, leaf.cpuid) for leaf in leaves)


def glibc_features(
    leaves: Iterable[CpuidLeaf], hwcap2: int = 0, masked: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return what glibc says this process may use (glibc manual, "X86", ``x86_cpu_active``).

    Features that not every glibc calls active are taken from CPUID. Those of them that need register state rest on a
    feature that glibc calls active only where XCR0 has that state: :func:`without_dangling` keeps them with it alone.
    XSAVE counts where the system uses it (OSXSAVE); the system says itself whether user code may have ``fsgsbase``.

    :param masked: what ``GLIBC_TUNABLES`` takes away: not taken from CPUID
    """
    known = tuple(leaves)
    active = _bits((leaf.leaf, leaf.subleaf, leaf.active) for leaf in known if leaf.active is not None)
    present = present_features(known)
    features = active | (present & tables.NOT_ACTIVE_IN_EVERY_GLIBC) - masked | _os_xsave(known)
    if hwcap2 & tables.HWCAP2_FSGSBASE:
        features |= present & {"fsgsbase"}
    return features


def _register(leaves: Iterable[CpuidLeaf], leaf: int, register: int) -> int:
    return next((row.cpuid[register] for row in leaves if (row.leaf, row.subleaf) == (leaf, 0)), 0)


def _os_xsave(leaves: tuple[CpuidLeaf, ...]) -> frozenset[str]:
    on = _register(leaves, 1, tables.ECX) & tables.OSXSAVE
    return present_features(leaves) & {"xsave"} if on else frozenset()


def has_hypervisor(leaves: Iterable[CpuidLeaf]) -> bool:
    """Tell whether CPUID says that a hypervisor (or an emulator) runs this machine."""
    return bool(_register(leaves, 1, tables.ECX) & tables.HYPERVISOR)


def valid_leaves(leaves: Iterable[CpuidLeaf]) -> tuple[CpuidLeaf, ...]:
    """Drop the answers to queries beyond the CPU's last leaf: there, Intel CPUs repeat their last one (SDM, CPUID)."""
    known = tuple(leaves)
    last = {0: _register(known, 0, tables.EAX), 0x80000000: _register(known, 0x80000000, tables.EAX)}
    last_of_7 = _register(known, 7, tables.EAX) if last[0] >= 7 else 0
    return tuple(
        row
        for row in known
        if row.leaf <= last[row.leaf & 0x80000000] and not (row.leaf == 7 and row.subleaf > last_of_7)
    )


def cpuid_features(leaves: Iterable[CpuidLeaf], xcr0: int) -> frozenset[str]:
    """Return what the CPUID instruction shows, less what needs register state that the system does not save.

    :param xcr0: extended control register 0; 0 where the system does not use XSAVE at all
    """
    known = valid_leaves(leaves)
    features = present_features(known) - {"xsave", "fsgsbase"} | _os_xsave(known)
    lost = set()
    if xcr0 & tables.YMM_STATE != tables.YMM_STATE:
        lost.add("avx")
    if xcr0 & tables.ZMM_STATE != tables.ZMM_STATE:
        lost.add("avx512f")
    if xcr0 & tables.TILE_STATE != tables.TILE_STATE:
        lost.add("amx_tile")
    return features - lost


def without_dangling(features: frozenset[str]) -> frozenset[str]:
    """Drop the x86 features whose foundation is missing: AVX2 without AVX and the like, as glibc does."""
    kept = features
    while True:
        whole = frozenset(name for name in kept if _foundation(name) is None or _foundation(name) in kept)
        if whole == kept:
            return kept
        kept = whole


def _foundation(feature: str) -> str | None:
    if feature.startswith("avx512") and feature != "avx512f":
        return "avx512f"
    return tables.X86_REQUIRES.get(feature)


def cpuinfo_field(text: str, *names: str) -> str | None:
    """Return the first value in ``/proc/cpuinfo`` that stands under one of these names."""
    match = re.search(rf"^(?:{'|'.join(names)})[ \t]*:[ \t]*(.*)$", text, re.MULTILINE)
    return match.group(1).strip() if match else None


def usable_blocks(text: str, usable: frozenset[str] | None) -> tuple[str, tuple[str, ...]]:
    """Cut ``/proc/cpuinfo``: the block of the first core that counts, and the different lines of features of all such.

    :param usable: numbers of the cores that this process may run on; None where all count
    """
    first = ""
    lines: dict[str, None] = {}
    for block in text.split("\n\n"):
        core = cpuinfo_field(block, "processor")
        if core is None or (usable is not None and core not in usable):
            continue
        first = first or block
        lines[cpuinfo_field(block, "flags", "Features") or ""] = None
    if not first and usable is not None:
        return usable_blocks(text, None)  # its numbers are not those of this system
    return first or text.partition("\n\n")[0], tuple(line for line in lines if line)


def not_on_every_core(cores: Iterable[str], table: Architecture) -> frozenset[str]:
    """Return the features that some of these cores show and others do not.

    A process may be moved from one core to another at any instruction, and CPUID speaks of the core that runs it.
    Only x86 needs this: Linux on arm64 shows no program what not every core has (``elf_hwcaps.rst``).
    """
    shown = [named_features(line.split(), table) for line in cores]
    return frozenset().union(*shown) - frozenset.intersection(*shown) if shown else frozenset()


def cpuinfo_features(text: str, table: Architecture) -> frozenset[str] | None:
    """Return the features of the ``flags`` line (x86) or ``Features`` line (arm); None where there is no such line."""
    line = cpuinfo_field(text, "Features" if table.name.startswith(("aarch64", "arm")) else "flags")
    return None if line is None else named_features(line.split(), table)


def named_features(names: Iterable[str], table: Architecture) -> frozenset[str]:
    """Return those of some names that the architecture's table knows."""
    return frozenset(found for found in map(table.canonical, names) if found is not None)


def hwcap_features(hwcap: int, hwcap2: int) -> frozenset[str]:
    """Return the arm64 features of the auxiliary vector (Linux, ``Documentation/arch/arm64/elf_hwcaps.rst``)."""
    first = {name for bit, name in enumerate(tables.ARM_HWCAP) if hwcap >> bit & 1}
    second = {name for bit, name in enumerate(tables.ARM_HWCAP2) if hwcap2 >> bit & 1}
    return frozenset(name for name in first | second if name)


def sysctl_features(values: Mapping[str, str], table: Architecture) -> frozenset[str]:
    """Return what macOS says: ``hw.optional.arm.*`` on Apple silicon; on x86-64 the CPUID names less what is masked."""
    if table.name == "aarch64":
        on = (name for name in tables.MACOS_ARM if values.get(f"hw.optional.arm.{name}") == "1")
        return frozenset(feature for name in on for feature in tables.MACOS_ARM[name])
    words = " ".join(values.get(name, "") for name in tables.MACOS_X86_NAMES).lower().split()
    features = named_features((tables.MACOS_X86_SPELLINGS.get(word, word) for word in words), table)
    masked = {name for name, key in tables.MACOS_X86_STATE.items() if values.get(key) != "1"}
    if "osxsave" not in words:
        masked.add("xsave")
    return features - masked


def windows_features(answers: Mapping[int, bool], table: Architecture) -> frozenset[str]:
    """Return what ``IsProcessorFeaturePresent`` says; on x86 it knows few features, all with the system's mask."""
    if table.name == "aarch64":
        return frozenset(name for code, names in tables.WINDOWS_ARM.items() if answers.get(code) for name in names)
    return frozenset(name for code, name in tables.WINDOWS_X86.items() if answers.get(code))


def windows_denials(answers: Mapping[int, bool]) -> frozenset[str]:
    """Return the x86 features whose register state Windows keeps from programs.

    A Windows older than a number says no to it. 36 to 41 came together (Windows 10, version 2004), and SSSE3, which
    is the first of them, needs nothing of the system: where that is denied, none of them is known.
    """
    if not answers.get(36):
        return frozenset()
    return frozenset(tables.WINDOWS_X86[code] for code in (39, 40, 41) if answers.get(code) is False)


def masked_by_tunables(glibc_tunables: str, table: Architecture) -> frozenset[str]:
    """Return the features that ``GLIBC_TUNABLES`` takes away.

    The form is ``glibc.cpu.hwcaps=-AVX2,-BMI2`` (glibc manual, "Hardware Capability Tunables"); until glibc 2.32 the
    names ended in ``_Usable``.
    """
    taken = []
    for setting in glibc_tunables.split(":"):
        name, _, value = setting.partition("=")
        if name.strip() in ("glibc.cpu.hwcaps", "glibc.tune.hwcaps"):
            words = (word.strip() for word in value.split(","))
            taken += [re.sub("_usable$", "", word[1:].lower()) for word in words if word.startswith("-")]
    return named_features(taken, table)


def cpuid_brand(leaves: Iterable[CpuidLeaf]) -> str | None:
    """Return the brand string that CPUID gives in its leaves 0x80000002 to 0x80000004."""
    rows = {row.leaf: row.cpuid for row in valid_leaves(leaves)}
    words = [rows[leaf] for leaf in range(0x80000002, 0x80000005) if leaf in rows]
    raw = b"".join(value.to_bytes(4, "little") for registers in words for value in registers)
    return " ".join(raw.split(b"\0")[0].decode("ascii", "replace").split()) or None


def brand(evidence: HostEvidence) -> str | None:
    """Return the CPU's name as people know it.

    CPUID comes first: an emulator answers it for the CPU that this process has, ``/proc/cpuinfo`` for the host's.
    """
    found = cpuid_brand(evidence.cpuid) or (evidence.sysctl or {}).get("machdep.cpu.brand_string")
    return found or cpuinfo_field(evidence.cpuinfo, "model name", "Model", "uarch", "cpu") or None
