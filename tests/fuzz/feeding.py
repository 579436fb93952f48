"""What every fuzzer and every corruption test feeds: bytes in, a reading or a refusal out, and nothing else."""

from __future__ import annotations

import numpy as np

from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.inspection.combination import LibraryResult, verdict_of
from cpufit_wheelhouse.inspection.facts import gather
from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary

NAME = parse_wheel_filename("fed-1-py3-none-any.whl")


def feed(data: bytes) -> str:
    """Read a library whole, as an inspection does, and tell ``refused``, ``known`` or ``undetermined``."""
    results = []
    try:
        for image in read_images(np.frombuffer(data, np.uint8), "fed.so"):
            for one in image.code:
                assert 0 <= one.offset <= one.offset + one.size <= len(image.data)
            facts = gather("fed.so", image) if image.arch in ("x86_64", "aarch64") else None
            results.append(LibraryResult(library="fed.so", arch=image.arch, kind=image.kind, facts=facts))
    except UnreadableLibrary:
        return "refused"
    return "known" if verdict_of(NAME, results).known else "undetermined"
