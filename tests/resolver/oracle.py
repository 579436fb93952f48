"""What a CPU executes, found by trying: the programs in ``cpu_oracle/``, and what they cannot tell.

Detection is held to them on every CPU that qemu's user-mode emulation has, and on the machine that runs the tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cpufit_resolver

SOURCES = Path(__file__).parent / "cpu_oracle"
RESOLVER = str(Path(cpufit_resolver.__file__).parents[1])
QEMU = {"x86_64": "qemu-x86_64", "aarch64": "qemu-aarch64"}
COMPILERS = {"x86_64": ("gcc",), "aarch64": ("aarch64-linux-gnu-gcc", "-static")}

BY_CPUID_ALONE = {
    "rdseed": "qemu 7.2 has one check for RDRAND and RDSEED: it runs where only the former should",
    "lahf_lm": "qemu never refuses LAHF; the CPUs that do were the first of their kind",
    "prefetchw": "a hint: no 64-bit CPU refuses it",
    "prefetchwt1": "a hint: every CPU runs it as a prefetch or as nothing",
    "cldemote": "a hint: older CPUs run it as nothing",
    "hle": "two prefixes that older CPUs pass over",
    "wbnoinvd": "privileged: refused to programs on every CPU",
    "fsgsbase": "may be used where the system says so in AT_HWCAP2, whatever CPUID says; qemu has no such entry",
}
"""x86-64 features that no program can tell by trying, and why: CPUID alone decides them."""

MAY_BE_MISSED = {
    "x86_64": {
        "fsgsbase": BY_CPUID_ALONE["fsgsbase"],
        "rtm": "glibc leaves it out on models whose errata turn it off, though XBEGIN still runs there and aborts",
    },
    "aarch64": {
        "dit": "qemu 7.2 runs it and does not say so in the auxiliary vector, which is all that a program may trust",
        "ssbs": "as dit",
    },
}
MAY_BE_CLAIMED: Mapping[str, Mapping[str, str]] = {
    "x86_64": {},
    "aarch64": {
        "dcpop": "qemu 7.2 says so in the auxiliary vector and refuses DC CVAP to programs",
        "dcpodp": "as dcpop, DC CVADP",
    },
}
NEVER_TRIED = {
    "x86_64": {
        "amx_bf16": "needs tiles, which a program must ask the system for",
        "amx_int8": "as amx_bf16",
    },
    "aarch64": {
        "bti": "its instruction is a hint: nothing on older CPUs",
        "dgh": "a hint",
        "ebf16": "changes how BFDOT rounds, has no instruction",
        "uscat": "is about alignment, has no instruction; qemu refuses no misaligned access",
        "sme2": "no emulator here has it",
        "sve2p1": "no emulator here has it",
    },
}
"""Features that detection may tell and that no program here tries."""

_DETECT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from cpufit_resolver.detection import decide, detect, probe
found = {"": detect()}
if sys.argv[2] == "x86_64":
    evidence = probe(cpuid=True)
    found["cpuid"] = decide(replace(evidence, glibc=(), cpuinfo=""))
    found["cpuid+proc-cpuinfo"] = decide(replace(evidence, glibc=()))
print(json.dumps({name: {
    "features": sorted(cpu.profile.features), "source": cpu.source, "brand": cpu.brand,
    "hidden": {row.by: sorted(row.features) for row in cpu.hidden},
} for name, cpu in found.items()}))
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What detection tells in a process of one CPU."""

    features: frozenset[str]
    source: str
    brand: str | None
    hidden: Mapping[str, frozenset[str]]


def missing_tools(arch: str) -> str | None:
    """Say what is not installed here, or None."""
    needed = {QEMU[arch]: "qemu-user", COMPILERS[arch][0]: "gcc"}
    missing = [f"{program} (Debian: {package})" for program, package in needed.items() if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def models(arch: str, *, whole: bool = True) -> list[str]:
    """Return every CPU of this machine's emulator, each once: names that stand for another are left out.

    :param whole: with every version of a model, not its first alone; versions differ in little that a program sees
    """
    if shutil.which(QEMU[arch]) is None:
        return []
    told = subprocess.run([QEMU[arch], "-cpu", "help"], capture_output=True, text=True, check=False).stdout
    if arch == "aarch64":
        return sorted(line.strip() for line in told.splitlines()[1:] if line.strip())
    names = re.findall(r"^x86 (\S+)", told, re.MULTILINE)
    return sorted(name for name in names if re.search(r"-v\d+$" if whole else "-v1$", name) or name in ("max", "base"))


def build(arch: str, folder: Path) -> Path:
    """Compile the program that tries."""
    program = folder / f"oracle-{arch}"
    compiler, *flags = COMPILERS[arch]
    command = [compiler, *flags, "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCES / f"{arch}.c")]
    subprocess.run(command, check=True)
    return program


def executed(program: Path, emulator: tuple[str, ...] = ()) -> dict[str, bool] | None:
    """Return what each try said; None where the emulator refuses to be a 64-bit CPU of that model."""
    ended = subprocess.run([*emulator, program], capture_output=True, text=True, check=False, timeout=60)
    if "does not support 64 bit mode" in ended.stderr:
        return None
    assert ended.returncode == 0, ended.stderr
    rows = (line.split() for line in ended.stdout.splitlines())
    return {feature: answer == "yes" for feature, _how, answer in rows}


def told(arch: str, emulator: tuple[str, ...] = (), python: str = "", **environ: str) -> dict[str, Told]:
    """Return what detection tells: by its own choice of source (``""``); on x86-64 also by two others."""
    python = python or os.path.realpath(sys.executable)
    ended = subprocess.run(
        [*emulator, python, "-I", "-S", "-c", _DETECT, RESOLVER, arch],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    return {
        name: Told(
            frozenset(row["features"]),
            row["source"],
            row["brand"],
            {by: frozenset(features) for by, features in row["hidden"].items()},
        )
        for name, row in json.loads(ended.stdout).items()
    }


def disagreements(arch: str, claimed: frozenset[str], ran: Mapping[str, bool]) -> list[str]:
    """Say where detection and the CPU differ, but for what is known and listed above."""
    wrong = []
    for feature in sorted(claimed):
        if feature not in ran:
            if feature not in NEVER_TRIED[arch]:
                wrong.append(f"{feature} is claimed, and nobody tries it")
        elif not ran[feature] and feature not in MAY_BE_CLAIMED[arch]:
            wrong.append(f"{feature} is claimed, and does not run")
    missed = {feature for feature, runs in ran.items() if runs} - claimed - set(MAY_BE_MISSED[arch])
    return wrong + [f"{feature} runs, and is not claimed" for feature in sorted(missed)]
