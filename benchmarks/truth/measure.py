"""Measure which environment of real wheels runs on which CPU, and write it to ``measured.json``.

Every case of ``cases.json`` is installed as pinned and its statement run on each CPU that qemu emulates, with the
Python that runs this script (3.11 for the wheels named there). What was measured stays; a case is measured again when
its line in ``measured.json`` is taken out.

    python benchmarks/truth/measure.py [--jobs 2] [--only CASE]...

Needs pip's index, Debian's ``qemu-user`` 7.2 or newer, and about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIME_LIMIT = 900
"""Seconds for one statement on one CPU."""


def main() -> int:
    """Measure what is not yet measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="this case alone; repeatable")
    options = parser.parse_args()
    emulator = shutil.which("qemu-x86_64")
    if emulator is None:
        print("qemu-x86_64 is not installed (Debian: qemu-user)", file=sys.stderr)
        return 2
    plan = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    store = HERE / "measured.json"
    known: dict[str, dict[str, str]] = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    wanted = [
        case
        for case in plan["cases"]
        if case["case"] not in known and (not options.only or case["case"] in options.only)
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        jobs = {case["case"]: pool.submit(measured, case, plan["models"], emulator) for case in wanted}
        for name, job in jobs.items():
            known[name] = job.result()
            store.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            print(name, *(f"{model}={how}" for model, how in known[name].items()), flush=True)
    return 0


def measured(case: dict[str, Any], models: list[str], emulator: str) -> dict[str, str]:
    """Install one case and return how its statement ended on each model: ``ok``, ``SIGILL``, ``status 1``."""
    with tempfile.TemporaryDirectory(prefix="cpufit-truth-") as folder:
        site = Path(folder) / "site"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--no-compile", "--target", str(site), *case["install"]]
        subprocess.run(command, check=True)
        python = os.path.realpath(sys.executable)
        environ = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], "HOME": folder}
        return {
            model: _ended([emulator, "-cpu", model, python, "-c", case["run"]], environ, folder) for model in models
        }


def _ended(command: list[str], environ: dict[str, str], folder: str) -> str:
    try:
        status = subprocess.run(
            command,
            env=environ,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIME_LIMIT,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return "no end"
    if status == 0:
        return "ok"
    return signal.Signals(-status).name if status < 0 else f"status {status}"


if __name__ == "__main__":
    sys.exit(main())
