"""Fuzzing in rounds, each a process of its own, since atheris keeps the memory of every input."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import atheris

SLOWEST = 20
"""Seconds that one input of at most 64 KiB may take; an input that takes longer is a hang."""
ROUND = 60
"""Seconds of one round."""


def main(script: str, seeds: Mapping[str, bytes], fed: Callable[[bytes], object]) -> int:
    """Fuzz for the seconds that the command line tells; return the status of the first round that found something.

    :param script: the file that calls this, which a round starts anew
    :param seeds: inputs to begin with, by name; files that the command line names are more of them
    """
    if sys.argv[1:2] == ["round"]:
        _round(sys.argv[2], sys.argv[3], fed)
    end = time.monotonic() + (int(sys.argv[1]) if len(sys.argv) > 1 else 60)
    with tempfile.TemporaryDirectory(prefix="cpufit-fuzz-") as folder:
        for name, data in seeds.items():
            (Path(folder) / name).write_bytes(data)
        for path in map(Path, sys.argv[2:]):
            (Path(folder) / path.name).write_bytes(path.read_bytes()[: 1 << 16])
        while (left := end - time.monotonic()) > 0:
            command = [sys.executable, script, "round", folder, str(min(ROUND, int(left) + 1))]
            ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
            if ended.returncode != 0:
                print(ended.stderr, file=sys.stderr)
                return ended.returncode
            told = [line for line in ended.stderr.splitlines() if line.startswith(("Done", "stat::slowest"))]
            print("; ".join(told), flush=True)
    return 0


def _round(folder: str, seconds: str, fed: Callable[[bytes], object]) -> None:
    """Fuzz in this process; libFuzzer ends it."""

    def one(data: bytes) -> None:
        fed(data)

    flags = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", "-max_len=65536", "-rss_limit_mb=6000"]
    atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", folder], one)
    atheris.Fuzz()
