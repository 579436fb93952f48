"""Evidence of machines, written down: ``machines.json``, in a format of our own that holds what a probe keeps.

``python tests/resolver/captured.py`` prints the row of the machine that it runs on (with CPUID), to be added there with
a name and with what detection must make of it. Standard library and the resolver alone, so that it runs anywhere.

A row: ``system``, ``machine``, ``bits``; ``glibc`` and ``cpuid`` from ``LEAF.SUBLEAF`` to EAX, EBX, ECX and EDX (for
glibc ``/`` and the same of ``active``); numbers in hexadecimal; ``cpu`` the name and ``flags`` or ``Features`` the line
of ``/proc/cpuinfo``; ``cores`` the lines of all cores where they differ; ``sysctl``; ``windows``: numbers answered yes.
``origin`` says ``captured`` of what a probe saw, ``composed`` of what was put together from what makers publish.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cpufit_resolver.detection import CpuidLeaf, HostEvidence, probe, tables
from cpufit_resolver.detection.evidence import Registers

MACHINES = Path(__file__).parent / "machines.json"

Row = Mapping[str, Any]


def machines() -> list[Row]:
    """Return every row."""
    rows: list[Row] = json.loads(MACHINES.read_text(encoding="utf-8"))["machines"]
    return rows


def _registers(words: str) -> Registers:
    eax, ebx, ecx, edx = (int(word, 16) for word in words.split())
    return eax, ebx, ecx, edx


def _leaves(row: Mapping[str, str]) -> tuple[CpuidLeaf, ...]:
    leaves = []
    for query, words in row.items():
        leaf, subleaf = (int(number, 16) for number in query.split("."))
        cpuid, _, active = words.partition("/")
        leaves.append(CpuidLeaf(leaf, subleaf, _registers(cpuid), _registers(active) if active else None))
    return tuple(leaves)


def read(row: Row) -> HostEvidence:
    """Return the evidence that a row holds."""
    lines = [f"{shown}\t: {row[key]}" for key, shown in _CPUINFO.items() if key in row]
    windows, codes = row.get("windows"), tables.WINDOWS_ARM if row["machine"] == "ARM64" else tables.WINDOWS_X86
    line = row.get("flags") or row.get("Features")
    return HostEvidence(
        system=row["system"],
        machine=row["machine"],
        pointer_bits=row.get("bits", 64),
        glibc=_leaves(row.get("glibc", {})),
        cpuid=_leaves(row.get("cpuid", {})),
        xcr0=int(row.get("xcr0", "0"), 16),
        cpuinfo="\n".join(lines),
        cores=tuple(row.get("cores", (line,) if line else ())),
        hwcap=int(row.get("hwcap", "0"), 16),
        hwcap2=int(row.get("hwcap2", "0"), 16),
        sysctl=row.get("sysctl"),
        windows=None if windows is None else {code: code in windows for code in codes},
        glibc_tunables=row.get("tunables", ""),
    )


_CPUINFO = {"cpu": "model name", "flags": "flags", "Features": "Features"}


def _words(registers: Registers) -> str:
    return " ".join(f"{register:x}" for register in registers)


def _written(leaves: tuple[CpuidLeaf, ...]) -> dict[str, str]:
    return {
        f"{row.leaf:x}.{row.subleaf:x}": _words(row.cpuid) + ("" if row.active is None else f"/{_words(row.active)}")
        for row in leaves
    }


def write(evidence: HostEvidence) -> Row:
    """Return the row of some evidence: what is empty is left out."""
    line = re.search(r"^(flags|Features)[ \t]*:[ \t]*(.*)$", evidence.cpuinfo, re.MULTILINE)
    name = re.search(r"^model name[ \t]*:[ \t]*(.*)$", evidence.cpuinfo, re.MULTILINE)
    row = {
        "system": evidence.system,
        "machine": evidence.machine,
        "bits": evidence.pointer_bits if evidence.pointer_bits != 64 else None,
        "glibc": _written(evidence.glibc),
        "cpuid": _written(evidence.cpuid),
        "xcr0": f"{evidence.xcr0:x}" if evidence.xcr0 else None,
        "cpu": name.group(1) if name else None,
        line.group(1) if line else "flags": line.group(2) if line else None,
        "cores": list(evidence.cores) if len(evidence.cores) > 1 else None,
        "hwcap": f"{evidence.hwcap:x}" if evidence.hwcap else None,
        "hwcap2": f"{evidence.hwcap2:x}" if evidence.hwcap2 else None,
        "sysctl": evidence.sysctl,
        "windows": None if evidence.windows is None else sorted(code for code, yes in evidence.windows.items() if yes),
        "tunables": evidence.glibc_tunables or None,
    }
    return {key: value for key, value in row.items() if value or (key == "windows" and value is not None)}


if __name__ == "__main__":
    print(json.dumps(write(probe(cpuid=True)), indent=1))
