"""From the evidence to one answer: what this process may execute, how we know, and what is hidden from it."""

# ruff: noqa: TID252  # inside the selector this package has another name, so its parent must be relative
from __future__ import annotations

from dataclasses import dataclass

from ..baseline import platform_baseline
from ..errors import DetectionFailed
from ..features import Architecture, architecture
from ..profile import CpuProfile
from . import parse, tables
from .evidence import HostEvidence

EMULATOR, HYPERVISOR, OS_MASK, TUNABLES = "emulator", "hypervisor", "os-mask", "glibc-tunables"
OTHER_CORES = "other-cores"

_SYSTEM_PROMISES = {
    ("Darwin", "aarch64"): "macosx_11_0_arm64",
    ("Windows", "x86_64"): "win_amd64",
    ("Windows", "i686"): "win32",
}
"""Systems that start on no lesser CPU, by the platform tag whose baseline says so. Rosetta and old Macs need none."""

_LEVELLED = {"x86_64": "x86_64", "i686": "x86_64", "aarch64": "aarch64"}
"""The architecture whose levels tell an emulated CPU from its host."""


@dataclass(frozen=True)
class HiddenFeatures:
    """Something between the silicon and this process, and the features that it is known to take away."""

    by: str
    """``emulator``, ``hypervisor``, ``os-mask``, ``glibc-tunables`` or ``other-cores``."""
    features: frozenset[str]
    """May be empty: a hypervisor does not say what it hides."""
    sentence: str


@dataclass(frozen=True)
class DetectedCpu:
    """What this process may execute and how we know."""

    profile: CpuProfile
    source: str
    """``glibc``, ``cpuid``, ``cpuid+proc-cpuinfo``, ``proc-cpuinfo``, ``hwcap``, ``sysctl``, ``windows``,
    ``cpuid+windows``, ``baseline``; or who overrode it: ``argument``, ``environment``, ``file``; or where less
    is asked for: ``cpufit.toml``."""
    hidden: tuple[HiddenFeatures, ...] = ()
    brand: str | None = None


def decide(evidence: HostEvidence) -> DetectedCpu:
    """Return what a process may execute.

    Where sources disagree, only what all of them show counts, but glibc's leaf needs no second opinion, and the host's
    ``/proc/cpuinfo`` tells nothing of an emulated CPU. Where cores differ, only what each of them has counts. Features
    outside the architecture's vocabulary are left out; its floor is always in.

    :raises DetectionFailed: no table has the machine's architecture
    """
    arch = parse.architecture_name(evidence.machine, evidence.pointer_bits)
    if arch is None:
        raise DetectionFailed(
            f"unknown architecture {evidence.machine!r}", hint="set CPUFIT_CPU to the CPU token that describes it"
        )
    table = architecture(arch)
    source, seen = _best_source(evidence, table)
    emulator = _emulator(evidence, table, seen)
    # the cores in /proc/cpuinfo are the host's where this CPU is an emulator's
    elsewhere = frozenset() if emulator else parse.not_on_every_core(evidence.cores, table) & seen
    seen -= elsewhere
    if arch in ("x86_64", "i686"):
        seen = parse.without_dangling(seen)
    promised = platform_baseline(_SYSTEM_PROMISES.get((evidence.system, arch), "any")).get(arch, frozenset())
    features = (seen & table.vocabulary) | table.floor | promised
    hidden = (*_hidden(evidence, table, features | elsewhere, emulator), *_other_cores(elsewhere))
    return DetectedCpu(
        profile=CpuProfile(arch=arch, features=features),
        source=source,
        hidden=hidden,
        # /proc/cpuinfo names the host's CPU there
        brand=parse.cpuid_brand(evidence.cpuid) if emulator else parse.brand(evidence),
    )


def _best_source(evidence: HostEvidence, table: Architecture) -> tuple[str, frozenset[str]]:
    if evidence.sysctl:
        return "sysctl", parse.sysctl_features(evidence.sysctl, table)
    if table.name in ("x86_64", "i686"):
        return _best_x86_source(evidence, table)
    if table.name == "aarch64":
        if evidence.windows is not None:
            return "windows", parse.windows_features(evidence.windows, table)
        if evidence.hwcap:
            return "hwcap", parse.hwcap_features(evidence.hwcap, evidence.hwcap2)
    return _from_cpuinfo(evidence, table)


def _best_x86_source(evidence: HostEvidence, table: Architecture) -> tuple[str, frozenset[str]]:
    if evidence.glibc:
        masked = parse.masked_by_tunables(evidence.glibc_tunables, table)
        return "glibc", parse.glibc_features(evidence.glibc, evidence.hwcap2, masked)
    if not evidence.cpuid:
        if evidence.windows is not None:
            return "windows", parse.windows_features(evidence.windows, table)
        return _from_cpuinfo(evidence, table)
    seen = parse.cpuid_features(evidence.cpuid, evidence.xcr0)
    if evidence.windows is not None:
        # only the system knows whether it let programs have fsgsbase
        told = parse.windows_features(evidence.windows, table) & {"fsgsbase"}
        return "cpuid+windows", seen - parse.windows_denials(evidence.windows) | told
    flags = parse.cpuinfo_features(evidence.cpuinfo, table)
    if flags is None:
        return "cpuid", seen
    # the kernel knows of errata that CPUID does not tell; an emulator's host has no say in what this CPU has
    return "cpuid+proc-cpuinfo", seen if _emulator(evidence, table, seen) else seen & flags


def _from_cpuinfo(evidence: HostEvidence, table: Architecture) -> tuple[str, frozenset[str]]:
    flags = parse.cpuinfo_features(evidence.cpuinfo, table)
    return ("baseline", table.floor) if flags is None else ("proc-cpuinfo", flags)


def _hidden(
    evidence: HostEvidence, table: Architecture, features: frozenset[str], emulator: tuple[HiddenFeatures, ...]
) -> tuple[HiddenFeatures, ...]:
    if evidence.sysctl:
        return _rosetta(evidence.sysctl.get("sysctl.proc_translated"))
    leaves = evidence.glibc or parse.valid_leaves(evidence.cpuid)
    found = list(emulator)
    if leaves:
        present = parse.present_features(leaves) & table.vocabulary
        found += _holes(present, by=EMULATOR if emulator else HYPERVISOR)
        found += _masks(evidence, table, parse.without_dangling(present) - features)
    flags = (parse.cpuinfo_field(evidence.cpuinfo, "flags") or "").split()
    if not emulator and (parse.has_hypervisor(leaves) or "hypervisor" in flags):
        sentence = "this is a virtual machine: its hypervisor may hide features that the hardware has"
        found.append(HiddenFeatures(HYPERVISOR, frozenset(), sentence))
    return tuple(found)


def _rosetta(translated: str | None) -> tuple[HiddenFeatures, ...]:
    if translated != "1":
        return ()
    sentence = "this x86-64 Python is translated by Rosetta 2: a native arm64 Python would use the CPU as it is"
    return (HiddenFeatures(EMULATOR, frozenset(), sentence),)


def _emulator(evidence: HostEvidence, table: Architecture, seen: frozenset[str]) -> tuple[HiddenFeatures, ...]:
    leaves = evidence.glibc or parse.valid_leaves(evidence.cpuid)
    is_x86 = table.name in ("x86_64", "i686")
    if table.name not in _LEVELLED or not evidence.cpuinfo or not (leaves if is_x86 else evidence.hwcap):
        return ()
    host = parse.cpuinfo_features(evidence.cpuinfo, table)
    if host is None:
        sentence = "this process runs on an emulated CPU: the host's is of another architecture"
        return (HiddenFeatures(EMULATOR, frozenset(), sentence),)
    # Linux itself adds a few flags that CPUID lacks (3dnowprefetch on AMD), but never one that belongs to a level
    shown = host - (parse.present_features(leaves) if is_x86 else seen)
    telling = shown & frozenset().union(*(level.features for level in architecture(_LEVELLED[table.name]).levels))
    if not telling:
        return ()
    named = ", ".join(sorted(telling))
    sentence = f"this process runs on an emulated CPU: the host has {named}; this process may not use them"
    return (HiddenFeatures(EMULATOR, shown - seen, sentence),)


def _other_cores(features: frozenset[str]) -> tuple[HiddenFeatures, ...]:
    if not features:
        return ()
    sentence = f"some cores have {', '.join(sorted(features))}, but not every core that this process may run on"
    return (HiddenFeatures(OTHER_CORES, features, sentence),)


def _holes(present: frozenset[str], *, by: str) -> list[HiddenFeatures]:
    useless = present - parse.without_dangling(present)
    if not useless:
        return []
    sentence = f"{', '.join(sorted(useless))} would be there, but what they rest on is taken away"
    return [HiddenFeatures(by, useless, sentence)]


def _masks(evidence: HostEvidence, table: Architecture, lost: frozenset[str]) -> list[HiddenFeatures]:
    found = []
    tuned = parse.masked_by_tunables(evidence.glibc_tunables, table) if evidence.glibc else frozenset()
    # what rests on a masked feature goes with it
    by_tunables = frozenset(f for f in lost if not parse.without_dangling(table.vocabulary - tuned) >= {f})
    if by_tunables:
        sentence = f"GLIBC_TUNABLES takes away {', '.join(sorted(by_tunables))}"
        found.append(HiddenFeatures(TUNABLES, by_tunables, sentence))
    # ``fsgsbase`` off is a kernel older than 5.9 or an emulator: no wheel needs it, nobody need be told
    by_system = lost - by_tunables - {"fsgsbase"} - tables.LEFT_OUT_BY_GLIBC
    if by_system:
        sentence = f"the CPU has {', '.join(sorted(by_system))}, but the operating system does not let programs use it"
        found.append(HiddenFeatures(OS_MASK, by_system, sentence))
    return found
