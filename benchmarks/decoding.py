"""How fast instructions are counted by ISA: beside objdump, elfx86exts, capstone, iced-x86 in Python, in one run.

    python -m benchmarks.decoding [--wheel WHEEL] [--member PART] [--inspect WHEEL]...

Each peer gets the same library: by default numpy's OpenBLAS (fetched with pip), 20 MB of code. iced-x86 and capstone
count mnemonics in a Python loop, as their documentation does; objdump and elfx86exts read the file. A peer that is not
installed is named. Times are the best of three (one for those that take over ten seconds); a limit of memory keeps
elfx86exts from taking all. ``--inspect`` also inspects whole wheels with two threads, each in a process of its own
whose peak memory is told.

Peers: ``pip install capstone``; Debian: ``binutils elfx86exts``.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from iced_x86 import Decoder

from cpufit_wheelhouse.archive import open_archive
from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.image import Image
from cpufit_wheelhouse.machine_code.member import load_member
from cpufit_wheelhouse.machine_code.x86_64 import histogram, scan

MEMORY = 12 << 30
"""Bytes of address space that a peer may take."""
_INSPECT = """
import sys, time
from pathlib import Path
from cpufit_wheelhouse.inspection.wheel import inspect_wheel
path = Path(sys.argv[1])
inspect_wheel(Path(sys.argv[2]), Path(sys.argv[2]).name, threads=2)  # warm
begin = time.perf_counter()
verdict = inspect_wheel(path, path.name, threads=2)
seconds = time.perf_counter() - begin
status = Path("/proc/self/status").read_text().split()
peak = int(status[status.index("VmHWM:") + 1]) / 1024  # what getrusage tells, a parent hands down
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB in {seconds:.2f} s, peak {peak:.0f} MB")
"""


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="the wheel to take the library from")
    parser.add_argument("--member", default="openblas", help="part of the library's name (default: openblas)")
    parser.add_argument("--inspect", type=Path, action="append", default=[], metavar="WHEEL", help="inspect it whole")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or fetched(Path(folder))
        library, image = library_of(wheel, options.member, Path(folder))
        code = b"".join(image.data[one.offset : one.offset + one.size].tobytes() for one in image.code)
        print(f"{library.name}: {len(code) / 1e6:.1f} MB of code")
        table(measures(library, image, code), len(code))
        for path in options.inspect:
            subprocess.run([sys.executable, "-c", _INSPECT, str(path), str(wheel)], check=True)
    return 0


def measures(library: Path, image: Image, code: bytes) -> dict[str, Callable[[], object]]:
    """Return what to time, by name; ours first."""
    array = np.frombuffer(code, np.uint8)
    found: dict[str, Callable[[], object]] = {
        "cpufit, histogram, 1 thread": lambda: histogram(array, 0, len(array)),
        "cpufit, by function, 1 thread": lambda: scan(image, threads=1),
        "cpufit, by function, 2 threads": lambda: scan(image, threads=2),
        "iced-x86 in Python": lambda: collections.Counter(one.code for one in Decoder(64, code)),
    }
    if importlib.util.find_spec("capstone") is not None:
        import capstone  # noqa: PLC0415  # a peer that may be missing

        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        engine.skipdata = True
        found["capstone in Python"] = lambda: collections.Counter(one[2] for one in engine.disasm_lite(code, 0))
    else:
        print("capstone is not installed")
    for name, words in (("objdump -d", ["objdump", "-d"]), ("elfx86exts", ["elfx86exts"])):
        if shutil.which(words[0]) is None:
            print(f"{words[0]} is not installed")
            continue
        found[name] = lambda words=words: subprocess.run(  # type: ignore[misc]
            [*words, str(library)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, preexec_fn=limited
        )
    return found


def limited() -> None:
    """Bound a peer's memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def table(found: dict[str, Callable[[], object]], size: int) -> None:
    """Time each and print its rate, and how many times as long as ours it takes."""
    ours = 0.0
    for name, work in found.items():
        try:
            seconds = best(work)
        except subprocess.CalledProcessError as error:
            print(f"{name:32} ended with status {error.returncode} ({MEMORY >> 30} GiB of memory)")
            continue
        ours = ours or seconds
        print(f"{name:32} {seconds:8.2f} s {size / seconds / 1e6:8.1f} MB/s {seconds / ours:8.1f} x", flush=True)


def best(work: Callable[[], object]) -> float:
    """Return the seconds of the best of some runs, after one that warms."""
    times: list[float] = []
    while len(times) < 4 and sum(times) < 10:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def library_of(wheel: Path, part: str, folder: Path) -> tuple[Path, Image]:
    """Return a library of a wheel on disk, and its image."""
    with open_archive(wheel, wheel.name) as archive:
        member = next(name for name in archive.files if part in name and ".so" in name)
        data = load_member(archive, member, 1 << 32)
    library = folder / member.rpartition("/")[2]
    library.write_bytes(data.tobytes())
    (image,) = read_images(data, member)
    return library, image


def fetched(folder: Path) -> Path:
    """Return numpy's wheel, from pip's index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), "numpy"], check=True)
    return next(folder.glob("numpy-*.whl"))


if __name__ == "__main__":
    sys.exit(main())
