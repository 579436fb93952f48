"""How fast this index answers, beside others and beside what could be at all.

    python -m benchmarks.index [--phase PHASE]... [--only INDEX]... [--seconds N] [--json FILE]

One index after the other runs on one core, the load (wrk, where Debian has it) on another, with the same files. nginx
and a bare ASGI application, both with ready pages, are the limits. Rivals are installed with pip, each into an
environment of its own; where this is root on Debian, wrk and nginx are installed by apt. The phases:

    pages    a page of 1,000 files as JSON and HTML, plain, gzip and 304; .metadata; a small and a 100 MB file
    uploads  1,000 small wheels over 16 connections
    cold     from a start to the first page, and memory, at 100,000 files in 5,000 projects
    huge     a project of 46,725 files, as the largest on PyPI
    growth   this server alone, from 1,000 to 100,000 files
    taking   this server alone: new versions and projects over 1 and 16 connections, with CPU time and shared commits

Ratios tell how many times as fast this server is (or how many times less memory and time it takes). Figures of a
machine that does something else besides are worth nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.index_page import page

from .load import Load
from .phases import PHASES as COMPARED
from .phases import Run
from .processes import cores
from .report import lines
from .servers import KINDS
from .taking import taking
from .tools import Tools

PHASES = {**COMPARED, "taking": taking}
COMPARED_KINDS = [kind.name for kind in KINDS if kind.compared]

_DATA = Path(__file__).parents[1] / "index.json"
_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "speed.md"


def main() -> int:
    """Measure, print tables, and write the figures where that was asked for."""
    options = _parser().parse_args()
    chosen = [kind for kind in KINDS if kind.name in (options.only or COMPARED_KINDS)]
    if cores() is None:
        print("there are not two cores to pin to: server and load share what there is", file=sys.stderr)
    figures: dict[str, object] = {"machine": _machine(), "seconds": options.seconds, "phases": {}}
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="index-benchmark-") as scratch:
        run = Run(
            tools=Tools(options.tools or Path(scratch) / "tools"),
            load=Load.found(options.seconds),
            scratch=Path(scratch),
            kinds=chosen,
            files=options.files,
            large_bytes=options.large_mb * 1_000_000,
            uploads=options.uploads,
            upload_seconds=options.upload_seconds,
            scale_files=options.scale_files,
            scale_projects=options.scale_projects,
            huge=options.huge,
        )
        phases: dict[str, object] = {}
        for phase in options.phase or PHASES:
            print(f"{phase} ...", file=sys.stderr)
            found = PHASES[phase](run)
            phases[phase] = found
            print("\n".join([*lines(phase, found), ""]), flush=True)
        figures["phases"] = phases
    if options.write:
        _keep(figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _keep(figures: dict[str, object]) -> None:
    """Put the phases in the place of what was known of them, and write the page anew."""
    told = json.loads(_DATA.read_text(encoding="utf-8")) if _DATA.exists() else {"phases": {}}
    phases = figures["phases"]
    assert isinstance(phases, dict)
    kept = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": figures["machine"],
        "seconds": figures["seconds"],
    }
    told["phases"].update({phase: {**kept, "found": found} for phase, found in phases.items()})
    _DATA.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    _PAGE.write_text(page(told), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.index", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--phase", action="append", choices=tuple(PHASES), help="this phase; give it again for another (default: all)")
    add("--only", action="append", choices=COMPARED_KINDS, help="this index; again for another")
    add("--seconds", type=float, default=10.0, help="how long each load lasts (default: 10)")
    add("--files", type=int, default=1000, help="files of the project in pages (default: 1000)")
    add("--large-mb", type=int, default=100, help="size of the large file in megabytes (default: 100)")
    add("--uploads", type=int, default=1000, help="wheels to upload (default: 1000)")
    add("--upload-seconds", type=float, default=600.0, help="when to stop uploading (default: 600)")
    add("--scale-files", type=int, default=100_000, help="files in cold and growth (default: 100000)")
    add("--scale-projects", type=int, default=5_000, help="projects in cold (default: 5000)")
    add("--huge", type=int, default=46_725, help="files of the project in huge (default: 46725)")
    add("--tools", type=Path, help="keep the rivals' environments there (default: a temporary folder)")
    add("--scratch", type=Path, help="where the data go; one file system for all, so that files are links")
    add("--json", type=Path, help="write the figures there")
    add("--write", action="store_true", help="keep the figures of these phases in the repository, and write the page")
    return parser


def _machine() -> dict[str, object]:
    cpus = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(": ")[2] for line in cpus.splitlines() if line.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "pinned": cores() is not None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
