"""The facts of one native library on which the rules decide: counts, shares and names, no machine code any more.

Everything here is measured over *reliable* functions: those whose bounds the file itself tells and which decode to
their end. What lies between them may be data, so it makes a need only as :mod:`.reading` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code import aarch64, x86_64
from cpufit_wheelhouse.machine_code.bits import BITS, LEGACY_VECTOR, bit, mask_of
from cpufit_wheelhouse.machine_code.image import Image, Scan

from .loading import chosen_by_name, exported_code, places_at_load
from .reading import read_code
from .statements import built_in

BUCKETS = 64
"""Into how many parts of equally many functions a library is cut, by address, to see how widely a feature spreads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Where an instruction was seen."""

    instruction: str
    function: str | None

    @property
    def text(self) -> str:
        """Return ``vmovdqa in _rjem_je_sc_data_init``; a mangled name may be as long as a page."""
        if not self.function:
            return self.instruction
        name = self.function if len(self.function) <= 80 else f"{self.function[:60]}…{self.function[-19:]}"
        return f"{self.instruction} in {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFacts:
    """What was measured in one architecture's part of one native library."""

    library: str
    """The member's name in the wheel."""
    arch: str
    functions: int
    """Reliable functions."""
    vector_functions: int
    """Of these, how many use vector registers."""
    legacy_functions: int
    """Of these, how many use them by at least one instruction without VEX or EVEX prefix."""
    used: Mapping[str, int]
    """For each feature and mark that occurs, in how many reliable functions."""
    spread: Mapping[str, float]
    """For each of these the share (0 to 1) of :data:`BUCKETS` parts of the library that hold it."""
    weak: Mapping[str, int]
    """For each of these, in how many of the functions it occurs of which the linker kept one copy of many."""
    dispatchers: tuple[str, ...]
    """Why it may choose its code by the CPU, as sentences; empty where nothing in it can ask."""
    isa_needed: str | None
    """The level that the file's own note declares."""
    seen: Mapping[str, Sighting]
    """The first place of each feature."""
    reached: Mapping[str, Sighting] = field(default_factory=dict)
    """What is reached from the library's entry points by direct jumps and calls alone."""
    reached_weak: Mapping[str, Sighting] = field(default_factory=dict)
    """Of these, what stands in functions of which the linker kept one copy of many; the function is named."""
    exports: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    needed: tuple[str, ...] = ()
    code_bytes: int = 0
    coverage: float = 1.0
    """Share of the code that reliable functions cover, recovered ones not among them."""
    recovered: int = 0
    """How many of the reliable functions were found by decoding what lies between those that the file tells of."""
    loose: Mapping[str, int] = field(default_factory=dict)
    """As ``used``, over pieces of code between the known functions that were not counted as functions."""
    chosen_by_name: frozenset[str] = frozenset()
    """Features that only functions use whose names say for which CPUs they are, beside such as are for every CPU."""
    at_load: Mapping[str, Sighting] = field(default_factory=dict)
    """What runs whenever the library is loaded, before any test of the CPU."""
    stated: frozenset[str] = frozenset()
    """What a text in the library says that it was compiled for."""
    exported: Mapping[str, int] = field(default_factory=dict)
    """In how many exported functions each feature and mark stands (``""``: all of them), as :mod:`.loading` counts."""

    @property
    def asks_the_cpu(self) -> bool:
        """Whether the library itself holds instructions that ask what the CPU has."""
        return any(one.startswith(("CPUID", "MRS")) for one in self.dispatchers)

    @property
    def legacy_share(self) -> float:
        """Share of vector functions with SSE encodings; 1 where there are none."""
        return self.legacy_functions / self.vector_functions if self.vector_functions else 1.0


def gather(library: str, image: Image, *, threads: int = 1) -> LibraryFacts:
    """Return the facts of an image; reads its machine code once, and again from its entry points.

    :param library: what to call it
    :param threads: how many threads may decode
    :raises UnreadableLibrary: hardly any of its code is code
    """
    read = read_code(image, threads)
    image, scan, reliable = read.image, read.scan, read.reliable
    masks = scan.masks[reliable]
    arch = image.arch
    vector, legacy = 0, 0
    if arch == "x86_64":
        vectors = (scan.vectors[reliable] > 0) & (masks & np.uint64(_vector_mask()) != 0)
        vector = int(np.count_nonzero(vectors))
        legacy = int(np.count_nonzero(vectors & (masks & np.uint64(bit(arch, LEGACY_VECTOR)) != 0)))
    reached, reached_weak = _reached(image) if arch == "x86_64" else ({}, {})
    used, x86 = _by_bit(arch, masks), arch == "x86_64"
    return LibraryFacts(
        library=library,
        arch=arch,
        functions=len(masks),
        vector_functions=vector,
        legacy_functions=legacy,
        used=used,
        spread=_spread(arch, masks),
        weak=_by_bit(arch, scan.masks[reliable & image.functions.weak]),
        dispatchers=read.dispatchers,
        isa_needed=image.isa_needed,
        seen=_seen(image, scan),
        reached=reached,
        reached_weak=reached_weak,
        exports=image.exports,
        imports=image.imports,
        needed=image.needed,
        code_bytes=scan.code_bytes,
        coverage=read.coverage,
        recovered=read.recovered,
        loose=_by_bit(arch, read.loose),
        at_load={name: _sighting(image, place) for name, place in places_at_load(image, scan).items()} if x86 else {},
        exported=exported_code(image, scan) if x86 and read.dispatchers and "avx" in used else {},
        stated=built_in(image.data, arch),
        chosen_by_name=frozenset() if read.dispatchers else chosen_by_name(image, scan, reliable),
    )


def _vector_mask() -> int:
    return mask_of("x86_64", (":legacy-vector", ":vex-vector", ":evex-vector"))


def _by_bit(arch: str, masks: npt.NDArray[np.uint64]) -> dict[str, int]:
    counts = {}
    for number, name in enumerate(BITS[arch]):
        found = int(np.count_nonzero(masks & np.uint64(1 << number)))
        if found:
            counts[name] = found
    return counts


def _spread(arch: str, masks: npt.NDArray[np.uint64]) -> dict[str, float]:
    if not len(masks):
        return {}
    parts = [part for part in np.array_split(masks, BUCKETS) if len(part)]
    unions = np.array([np.bitwise_or.reduce(part) for part in parts], np.uint64)
    return {name: found / len(parts) for name, found in _by_bit(arch, unions).items()}


def _instruction(image: Image, address: int) -> str:
    found = (x86_64.instruction_at if image.arch == "x86_64" else aarch64.instruction_at)(image, address)
    return found or f"the instruction at {address:#x}"


def _sighting(image: Image, address: int) -> Sighting:
    return Sighting(instruction=_instruction(image, address), function=image.name_at(address))


def _seen(image: Image, scan: Scan) -> dict[str, Sighting]:
    return {
        name: _sighting(image, int(scan.first[number]))
        for number, name in enumerate(BITS[image.arch])
        if not name.startswith(":") and scan.first[number] >= 0
    }


def _reached(image: Image) -> tuple[dict[str, Sighting], dict[str, Sighting]]:
    descent = x86_64.descend(image, image.entries)
    named = [(number, name) for number, name in enumerate(BITS[image.arch]) if not name.startswith(":")]
    reached = {
        name: _sighting(image, int(descent.first[number])) for number, name in named if descent.first[number] >= 0
    }
    weak: dict[str, Sighting] = {}
    for number, name in named:
        having = np.flatnonzero(image.functions.weak & (descent.functions & np.uint64(1 << number) != 0))
        if len(having):
            function = image.name_at(int(image.functions.starts[having[0]]))
            weak[name] = Sighting(instruction=f"an instruction of {name}", function=function)
    return reached, weak
