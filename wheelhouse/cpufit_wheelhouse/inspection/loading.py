"""What runs whenever a library is loaded, and what its callers enter: code that no test of the CPU can precede."""

from __future__ import annotations

import re

import numpy as np

from cpufit_wheelhouse.machine_code import x86_64
from cpufit_wheelhouse.machine_code.bits import BITS, CPUID, EVEX_VECTOR, LEGACY_VECTOR, VEX_VECTOR, bit, mask_of
from cpufit_wheelhouse.machine_code.image import Flags, Image, Scan

from .cpu_words import has_twin, is_for_a_cpu

_FOR_A_CPU = re.compile(
    r"avx|sse[2-4]|ssse3|fma|bmi2|f16c|simd|svml|haswell|broadwell|skylake|skx|knl|knm|zen|icelake|cannonlake"
    r"|cooperlake|cascadelake|sapphire|sandybridge|steamroller|excavator|piledriver|bulldozer|x86_64_v[34]|vaes",
    re.IGNORECASE,
)
"""In whatever spelling: a function called so is one of several. Better too many than one too few."""

MOST_NAMED = 256
"""A feature in more functions than these came by its compiler's flags, whatever their names are."""


def places_at_load(image: Image, scan: Scan) -> dict[str, int]:
    """Return, for each feature of code that runs whenever an image is loaded, the address of an instruction.

    Compilers may use what they are allowed anywhere in a function: where one that is entered for sure was compiled for
    a feature, even behind a jump, the CPU must have it. Not so in PE files, since Microsoft's compiler takes intrinsics
    of every CPU in every function: there only what stands before the first conditional jump counts.
    """
    found = x86_64.entered(image, image.entries)
    places = {
        name: int(found.first[number])
        for number, name in enumerate(BITS["x86_64"])
        if not name.startswith(":") and found.first[number] >= 0
    }
    if image.kind == "pe":
        return places
    masks = scan.masks[found.functions]
    sound = (scan.faults[found.functions] == 0) & (masks & np.uint64(bit("x86_64", CPUID)) == 0)
    for number, name in enumerate(BITS["x86_64"]):
        having = found.functions[sound & (masks & np.uint64(1 << number) != 0)]
        if len(having) and not name.startswith(":") and name not in places:
            start, end = int(image.functions.starts[having[0]]), int(image.functions.ends[having[0]])
            places[name] = _first_in(image, start, end, 1 << number)
    return places


def _first_in(image: Image, start: int, end: int, mask: int) -> int:
    code = next(one for one in image.code if one.address <= start < one.address + one.size)
    address = start
    while address < end:
        offset = code.offset + address - code.address
        length, told = x86_64.instruction_mask(image.data[offset : offset + 15].tobytes())
        if length == 0 or told & mask:
            break
        address += length
    return min(address, end - 1)


def chosen_by_name(image: Image, scan: Scan, reliable: Flags) -> frozenset[str]:
    """Return the features of code that a flag from elsewhere chooses, as zstd's ``…_bmi2`` beside ``…_default``."""
    names: dict[int, str] = {}
    file: bytes | None = None
    found = set()
    for number, feature in enumerate(BITS[image.arch]):
        having = np.flatnonzero(reliable & (scan.masks & np.uint64(1 << number) != 0)).tolist()
        if feature.startswith(":") or not 0 < len(having) <= MOST_NAMED:
            continue
        for index in having:
            if index not in names:
                names[index] = image.name_at(int(image.functions.starts[index])) or ""
        if all(is_for_a_cpu(names[index]) for index in having):
            file = image.data.tobytes() if file is None else file
            if any(has_twin(names[index], file) for index in having):
                found.add(feature)
    return frozenset(found)


def exported_code(image: Image, scan: Scan) -> dict[str, int]:
    """Return in how many exported functions each feature and mark stands; of functions with vector code alone.

    Those with a word for a CPU anywhere in their names are left out, and those of which the linker kept one copy of
    many: what is left are functions that callers enter without having asked.
    """
    vector = np.uint64(mask_of("x86_64", (LEGACY_VECTOR, VEX_VECTOR, EVEX_VECTOR)))
    usable = (scan.faults == 0) & (scan.vectors > 0) & (scan.masks & vector != 0) & ~image.functions.weak
    masks = []
    names = image.exported_functions()
    starts = np.array(sorted(names), np.int64)
    index = np.searchsorted(image.functions.starts, starts)
    for address, number in zip(starts.tolist(), index.tolist(), strict=True):
        known = number < len(usable) and image.functions.starts[number] == address
        if known and usable[number] and not _FOR_A_CPU.search(names[address]):
            masks.append(scan.masks[number])
    together = np.array(masks, np.uint64)
    counts = {
        name: int(np.count_nonzero(together & np.uint64(1 << number))) for number, name in enumerate(BITS["x86_64"])
    }
    return {name: count for name, count in counts.items() if count} | {"": len(masks)}
