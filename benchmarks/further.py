"""More wheels than those whose truth was adjudicated: the least emulated CPU each runs on, and the verdict on each.

    python -m benchmarks.further [--wheels DIR] [--measure] [--only WHEEL]... [--write]

``truth/further.json`` names wheels, the environment of each, the statement that was run in it, and the least CPU of the
ladder on which that ended well. With ``--measure`` this is found out anew (two hours). The verdicts by machine code are
kept in ``truth/further_judged.json`` beside the rules' version; ``--write`` makes the page of the documentation.
The status is 1 where a verdict asks for less than a wheel was seen to need.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.accuracy import TRUTH, find, tokens
from benchmarks.further_page import LADDER, below, page

from cpufit_wheelhouse.inspection.verdict import RULES_VERSION
from cpufit_wheelhouse.inspection.wheel import inspect_wheel

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "accuracy-further.md"
STORE, JUDGED = TRUTH / "further.json", TRUTH / "further_judged.json"
TIME_LIMIT = 400
"""Seconds for one statement on one CPU."""


def main() -> int:
    """Measure and judge what is asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="where the wheels are or come (./wheels)")
    parser.add_argument("--measure", action="store_true", help="find the least CPU of each anew")
    parser.add_argument("--only", action="append", default=[], metavar="WHEEL", help="measure this alone; repeatable")
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    options = parser.parse_args()
    wheels: list[dict[str, Any]] = json.loads(STORE.read_text(encoding="utf-8"))
    if options.measure:
        for number, one in enumerate(wheels):
            if not options.only or one["wheel"] in options.only:
                told = measured(one)
                wheels[number] = {**one, **told}
                print(one["wheel"], json.dumps(told), flush=True)
                save(STORE, wheels)
    judged: dict[str, Any] = json.loads(JUDGED.read_text(encoding="utf-8")) if JUDGED.exists() else {}
    for one in wheels:
        if judged.get(one["wheel"], {}).get("rules_version") != RULES_VERSION:
            path = find(one["wheel"], options.wheels)
            verdict = inspect_wheel(path, path.name, threads=2)
            known = {"need": tokens(verdict), "confidence": verdict.confidence, "rules_version": RULES_VERSION}
            judged[one["wheel"]] = known
            print(one["wheel"], json.dumps(known), flush=True)
    JUDGED.write_text(json.dumps(judged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if options.write:
        PAGE.write_text(page(wheels, judged), encoding="utf-8")
    faults = below(wheels, judged)
    print(*faults, sep="\n")
    return 1 if faults else 0


def save(path: Path, wheels: list[dict[str, Any]]) -> None:
    """Write one wheel a line, for the sake of whoever reads the changes."""
    path.write_text("[\n" + ",\n".join(f" {json.dumps(one)}" for one in wheels) + "\n]\n", encoding="utf-8")


def measured(one: dict[str, Any]) -> dict[str, Any]:
    """Return the least CPU on which a statement ends well, and whether its NumPy already dies on the next lesser one.

    The ladder is bisected: each of its CPUs has what the one before it has.
    """
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        raise SystemExit("qemu-x86_64 is not installed (Debian: qemu-user)")
    with tempfile.TemporaryDirectory(prefix="cpufit-further-") as folder:
        site = Path(folder) / "site"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--no-compile", "--target", str(site), *one["install"]]
        subprocess.run(command, check=True)

        def runs(statement: str, model: str) -> bool:
            # -S: a package of the interpreter's own must not stand in for one that is not installed
            words = [emulator, "-cpu", model, os.path.realpath(sys.executable), "-S", "-c", statement]
            environ = {"PYTHONPATH": str(site), "HOME": folder, "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
            try:
                ended = subprocess.run(
                    words, env=environ, cwd=folder, capture_output=True, timeout=TIME_LIMIT, check=False
                )
            except subprocess.TimeoutExpired:
                return False
            return ended.returncode == 0

        low, high = 0, len(LADDER) - 1
        if not runs(one["run"], LADDER[high]):
            raise SystemExit(f"{one['wheel']}: the statement fails on {LADDER[high]} too")
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if runs(one["run"], LADDER[middle]) else (middle + 1, high)
        has_numpy = any(pin.startswith("numpy==") for pin in one["install"])
        ceiling = low > 0 and has_numpy and not runs("import numpy", LADDER[low - 1])
        return {"least": LADDER[low], "ceiling": ceiling}


if __name__ == "__main__":
    sys.exit(main())
