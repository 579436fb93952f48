"""Feed the readers of machine code with whatever atheris thinks of, for a time.

    python tests/fuzz/fuzz_libraries.py [SECONDS] [LIBRARY…]

The kernels run without their JIT, so that every index is checked. Seeds are the made libraries and the files named.
It goes in rounds, each a process of its own, since atheris keeps the memory of every input. It needs atheris
(``pip install 'cpufit[fuzz]'``). The status is 0 where nothing but readings and refusals came of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["cpufit_wheelhouse"]):
    from tests.fuzz.feeding import feed
    from tests.machine_code.made_images import MADE

SLOWEST = 20
"""Seconds that one input of at most 64 KiB may take; an input that takes longer is a hang."""
ROUND = 60
"""Seconds of one round."""


def main() -> int:
    """Fuzz for a time; return the status of the first round that found something."""
    end = time.monotonic() + (int(sys.argv[1]) if len(sys.argv) > 1 else 60)
    with tempfile.TemporaryDirectory(prefix="cpufit-fuzz-") as folder:
        for name, data in MADE.items():
            (Path(folder) / name).write_bytes(data)
        for path in map(Path, sys.argv[2:]):
            (Path(folder) / path.name).write_bytes(path.read_bytes()[: 1 << 16])
        while (left := end - time.monotonic()) > 0:
            command = [sys.executable, __file__, "round", folder, str(min(ROUND, int(left) + 1))]
            ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            if ended.returncode != 0:
                print(ended.stderr, file=sys.stderr)
                return ended.returncode
            told = [line for line in ended.stderr.splitlines() if line.startswith(("Done", "stat::slowest"))]
            print("; ".join(told), flush=True)
    return 0


def fuzz(folder: str, seconds: str) -> None:
    """Fuzz in this process; libFuzzer ends it."""
    flags = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", "-max_len=65536", "-rss_limit_mb=6000"]
    atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", folder], fed)
    atheris.Fuzz()


def fed(data: bytes) -> None:
    """Feed one input."""
    feed(data)


if __name__ == "__main__":
    if sys.argv[1:2] == ["round"]:
        fuzz(*sys.argv[2:4])
    sys.exit(main())
