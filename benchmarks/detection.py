"""Our detection beside archspec's, py-cpuinfo's and uv's: what each says of every emulated CPU, and what it costs.

Usage: ``python -m benchmarks.detection [REPETITIONS]``; needs ``pip install -e '.[bench,dev]'``, the verdicts also gcc
and qemu-x86_64 7.2. Three tables:

- what a fresh process spends on a detection: CPU time (user and system, children included) of its imports and of the
  call, and the time that passes; medians. ``detect()`` has to stay under 20 ms of CPU time;
- the same of whole commands; ``cpu-check`` has to stay under 150 ms;
- for each CPU of ``qemu-x86_64`` the level that it reaches by trying, and the level that each tool gives it; ``!3``
  means that three features are claimed that do not run, ``?2`` that two which run are missed, of those that some level
  has. uv's probe is taken out of its executable: uv has no command that prints it.

The exit status is 1 where a limit is missed or ours claims wrongly.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.resolver import oracle

from cpufit_resolver.features import architecture

LIMIT_IN_PROCESS_MS = 20
LIMIT_OF_CHECK_MS = 150
COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "cpu-check --token": ["-m", "cpufit_pip_plugin.cpu_check.cli", "--token"],
    "cpu-check": ["-m", "cpufit_pip_plugin.cpu_check.cli"],
    "cpu-check --json": ["-m", "cpufit_pip_plugin.cpu_check.cli", "--json"],
}
TOOLS = {
    "cpufit": ("from cpufit_resolver.detection import detect", "flags = detect().profile.features"),
    "archspec": ("import archspec.cpu", "flags = archspec.cpu.host().features"),
    "py-cpuinfo": ("import cpuinfo", "flags = cpuinfo.get_cpu_info().get('flags', [])"),
    "uv": ("exec(open(sys.argv[1]).read())", "flags = uv_probe()"),
}
"""What each tool imports, and how it is asked. archspec's features are those of the CPU model that it matches."""
MEASURED = """
import json, os, sys, time
started, before = time.perf_counter(), time.process_time()
{imports}
between, children = time.process_time(), os.times()
{asks}
after = os.times()
kids = after.children_user + after.children_system - children.children_user - children.children_system
call = time.process_time() - between + kids
print(json.dumps([between - before, call, time.perf_counter() - started, sorted(flags)]))
"""
_UV_FLAGS = """
def uv_probe():
    return _linux_x86_64_cpu_info().get("detected", {}).get("flags", "").split()
"""


def uv_probe() -> str | None:
    """Return the Python that uv asks an interpreter on Linux x86-64 with, or None where this uv has none."""
    try:
        from uv import find_uv_bin  # noqa: PLC0415  # a peer: may be missing
    except ImportError:
        return None
    text = Path(find_uv_bin()).read_bytes()
    start = text.find(b"def _linux_x86_64_cpu_info():")
    if start < 0:
        return None
    function = text[start : text.index(b"\ndef ", start)].decode()
    return f"{function}\n{_UV_FLAGS}"


def ask(tool: str, probe: Path, emulator: tuple[str, ...] = ()) -> tuple[tuple[float, ...], list[str]] | None:
    """Ask one tool in a fresh process: seconds of CPU for imports and for the call, seconds that passed; and flags."""
    imports, asks = TOOLS[tool]
    program = MEASURED.format(imports=imports, asks=asks)
    command = [*emulator, os.path.realpath(sys.executable), "-c", program, str(probe)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if ended.returncode != 0:
        return None
    imported, called, passed, flags = json.loads(ended.stdout)
    return (imported, called, passed), flags


def print_costs(probe: Path, repetitions: int) -> bool:
    """Print the first table; tell whether ours keeps its limit."""
    print(
        f"{'in a fresh process':22} {'imports':>9} {'call':>9} {'elapsed':>9}   (CPU ms, ms; median of {repetitions})"
    )
    ours = 0.0
    for tool in TOOLS:
        rows = [row[0] for row in (ask(tool, probe) for _ in range(repetitions)) if row is not None]
        if not rows:
            print(f"{tool:22} {'not here':>9}")
            continue
        imported, called, passed = (1000 * statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{tool:22} {imported:9.1f} {called:9.1f} {passed:9.1f}")
        ours = called if tool == "cpufit" else ours
    print(f"detect() under {LIMIT_IN_PROCESS_MS} ms of CPU time: {'yes' if ours < LIMIT_IN_PROCESS_MS else 'NO'}\n")
    return ours < LIMIT_IN_PROCESS_MS


def process_seconds(arguments: list[str]) -> tuple[float, float]:
    """Return the CPU time and the elapsed time of one process, in seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, elapsed


def print_commands(repetitions: int) -> bool:
    """Print the second table; tell whether ``cpu-check`` keeps its limit."""
    cpu_ms: dict[str, float] = {}
    print(f"{'whole command':22} {'CPU ms':>9} {'elapsed':>9}")
    for name, arguments in COMMANDS.items():
        process_seconds(arguments)
        measured = [process_seconds(arguments) for _ in range(repetitions)]
        cpu_ms[name] = 1000 * statistics.median(used for used, _ in measured)
        print(f"{name:22} {cpu_ms[name]:9.0f} {1000 * statistics.median(elapsed for _, elapsed in measured):9.0f}")
    kept = cpu_ms["cpu-check"] < LIMIT_OF_CHECK_MS
    print(f"cpu-check under {LIMIT_OF_CHECK_MS} ms of CPU time: {'yes' if kept else 'NO'}\n")
    return kept


def verdict(flags: list[str], ran: Mapping[str, bool]) -> tuple[str, int]:
    """Return a cell of the third table, and how many features are claimed that do not run."""
    table = architecture("x86_64")
    claimed = {name for name in map(table.canonical, flags) if name is not None} & table.levels[-1].features
    runs = {name for name, answer in ran.items() if answer} & table.levels[-1].features
    # archspec's and py-cpuinfo's lists leave out what every x86-64 has
    level = table.highest_level(frozenset(claimed | table.floor))
    wrong, missed = claimed - runs, runs - claimed - table.floor
    marks = (f" !{len(wrong)}" if wrong else "") + (f" ?{len(missed)}" if missed else "")
    return f"{level.name if level else 'none'}{marks}", len(wrong)


def print_verdicts(probe: Path, program: Path) -> bool:
    """Print the third table; tell whether ours claims nothing wrongly."""
    print(f"{'CPU':22} {'runs':>12}" + "".join(f"{tool:>18}" for tool in TOOLS) + "   seconds, emulated")
    right = True
    for model in oracle.models("x86_64", whole=False):
        emulator = ("qemu-x86_64", "-cpu", model)
        ran = oracle.executed(program, emulator)
        if ran is None:
            continue
        cells, seconds = [], []
        for tool in TOOLS:
            told = ask(tool, probe, emulator)
            cell, wrong = ("not told", 0) if told is None else verdict(told[1], ran)
            right = right and not (tool == "cpufit" and wrong)
            cells.append(cell)
            seconds.append("-" if told is None else f"{told[0][2]:.2f}")
        truth = verdict([name for name, answer in ran.items() if answer], ran)[0]
        print(f"{model:22} {truth:>12}" + "".join(f"{cell:>18}" for cell in cells) + f"   {' '.join(seconds)}")
    return right


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repetitions", type=int, nargs="?", default=7, help="of each measurement (default: 7)")
    repetitions = parser.parse_args().repetitions
    with tempfile.TemporaryDirectory(prefix="cpufit-detection-") as name:
        probe = Path(name) / "uv_probe.py"
        probe.write_text(uv_probe() or "raise SystemExit(1)", encoding="utf-8")
        kept = [print_costs(probe, repetitions), print_commands(repetitions)]
        missing = oracle.missing_tools("x86_64")
        if missing is None:
            kept.append(print_verdicts(probe, oracle.build("x86_64", Path(name))))
        else:
            print(f"no verdicts on emulated CPUs: {missing}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
