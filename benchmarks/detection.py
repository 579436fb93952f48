"""CPU time of our detection and of ``cpu-check``, beside py-cpuinfo's ``get_cpu_info()``, in one run.

Usage: ``python benchmarks/detection.py [REPETITIONS]``. Each figure is the median CPU time (user and system, children
included) of a whole fresh process; a bare interpreter is shown, and the limit of 150 ms for ``cpu-check`` is
checked: the exit status is 1 where it is missed.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

LIMIT_MS = 150
RUNS = {
    "bare interpreter": ["-c", "pass"],
    "our detection": ["-c", "from cpufit_resolver.detection import detect; detect().profile.token"],
    "cpu-check --token": ["-m", "cpufit_pip_plugin.cpu_check.cli", "--token"],
    "cpu-check": ["-m", "cpufit_pip_plugin.cpu_check.cli"],
    "cpu-check --json": ["-m", "cpufit_pip_plugin.cpu_check.cli", "--json"],
    "py-cpuinfo get_cpu_info()": ["-c", "import cpuinfo; cpuinfo.get_cpu_info()"],
}


def process_seconds(arguments: list[str]) -> tuple[float, float]:
    """Return the CPU time and the elapsed time of one process, in seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, elapsed


def main() -> int:
    """Measure and print."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    cpu_ms: dict[str, float] = {}
    print(f"{'':28} {'CPU ms':>8} {'elapsed ms':>11}   (median of {repetitions} processes)")
    for name, arguments in RUNS.items():
        process_seconds(arguments)
        measured = [process_seconds(arguments) for _ in range(repetitions)]
        cpu_ms[name] = 1000 * statistics.median(used for used, _ in measured)
        elapsed = 1000 * statistics.median(elapsed for _, elapsed in measured)
        print(f"{name:28} {cpu_ms[name]:8.0f} {elapsed:11.0f}")
    peer, ours = cpu_ms["py-cpuinfo get_cpu_info()"], cpu_ms["cpu-check"]
    print(f"get_cpu_info() takes {peer / ours:.1f} times the CPU time of cpu-check")
    print(f"cpu-check under {LIMIT_MS} ms of CPU time: {'yes' if ours < LIMIT_MS else 'NO'}")
    return 0 if ours < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
