"""Files as tests of the catalog put them in: rows without bytes."""

from __future__ import annotations

import hashlib

from cpufit_resolver.need import Need, parse_need
from cpufit_wheelhouse.catalog import NewDerived, NewFile

LINUX = "manylinux_2_17_x86_64"
V2 = parse_need("x86_64_v2", frozenset({"x86_64"}))
V3 = parse_need("x86_64_v3", frozenset({"x86_64"}))


def new_file(version: str = "1.0", need: Need | None = V3, content: str = "bytes", python: str = "cp311") -> NewFile:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return NewFile(
        kind="wheel",
        version=version,
        filename=f"demo-{version}-{python}-abi3-{LINUX}.whl",
        need=need,
        sha256=digest,
        blake2="b" * 64,
        size=5_000_000_000,
        metadata_sha256="e" * 64,
        requires_python=">=3.10",
        dependencies_key="{}",
        tags=(f"{python}-abi3-{LINUX}",),
        platforms=(LINUX,),
        build=(2, "avx"),
        has_native=True,
        provenance={"source": "upload", "from": {"url": "https://example.org/demo.whl"}},
    )


def labelled(version: str = "1.0", label: str = "x86_64_v3") -> NewDerived:
    return NewDerived(
        version=version,
        kind="labelled",
        filename=f"demo-{version}-cp311-abi3-{LINUX}-{label}.whl",
        sha256=hashlib.sha256(label.encode()).hexdigest(),
        size=7,
        label=label,
        properties={"x86_64": {"level": ["v3"]}},
        metadata_sha256="e" * 64,
    )
