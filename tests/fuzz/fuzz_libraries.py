"""Feed the readers of machine code with whatever atheris thinks of, for a time.

    python tests/fuzz/fuzz_libraries.py [SECONDS] [LIBRARY…]

The kernels run without their JIT, so that every index is checked. Seeds are the made libraries and the files named.
Needs atheris (``pip install 'cpufit[fuzz]'``). Ends with status 0 where nothing but readings and refusals came of it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris  # the switch above comes first

with atheris.instrument_imports(include=["cpufit_wheelhouse"]):
    from tests.fuzz.feeding import feed
    from tests.machine_code.made_images import MADE

SLOWEST = 20
"""Seconds that one input of at most 64 KiB may take; an input that takes longer is a hang."""


def main() -> None:
    """Fuzz."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory(prefix="cpufit-fuzz-") as folder:
        for name, data in MADE.items():
            (Path(folder) / name).write_bytes(data)
        for path in map(Path, sys.argv[2:]):
            (Path(folder) / path.name).write_bytes(path.read_bytes()[: 1 << 16])
        flags = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", "-max_len=65536", "-rss_limit_mb=3000"]
        atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", folder], fed)
        print(f"fuzzing for {seconds} s since {time.strftime('%H:%M:%S')}", flush=True)
        atheris.Fuzz()


def fed(data: bytes) -> None:
    """Feed one input."""
    feed(data)


if __name__ == "__main__":
    main()
