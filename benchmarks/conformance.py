"""Which requirements of the specifications each index meets: tests/conformance against this server and against others.

    python -m benchmarks.conformance [--only NAME]... [--tools FOLDER] [--json FILE] [--write]

Each rival is installed with pip into an environment of its own and started on the loopback interface. Where there are
uploads, the suite fills the index itself; the others get a folder of files and are only read, and so is the proxy, in
front of ready pages of these files. ``--write`` keeps the figures in
benchmarks/conformance.json and makes docs/reference/conformance.md of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.conformance_page import page
from benchmarks.index.data import fill_shelf
from benchmarks.index.processes import wait_for
from benchmarks.index.servers import KINDS, Kind, Missing
from benchmarks.index.tools import Tools

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "conformance.md"
DATA = ROOT / "benchmarks" / "conformance.json"
PROJECT = "conformance-probe"

Figures = dict[str, Any]


def main() -> int:
    """Run the suite against each index, and print or write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {kind.name: kind for kind in KINDS if kind.compared and not kind.limit}
    parser.add_argument("--only", action="append", choices=sorted(kinds), help="this index; give it again for another")
    parser.add_argument("--tools", type=Path, help="keep the rivals' environments there (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", action="store_true", help="write the figures and the page that is made of them")
    options = parser.parse_args()
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as scratch:
        tools = Tools(options.tools or Path(scratch) / "tools")
        for name in options.only or kinds:
            folder = Path(scratch) / name
            folder.mkdir()
            try:
                found[name] = check(kinds[name], tools, folder)
            except (Missing, RuntimeError) as reason:
                print(f"{name}: {reason}", file=sys.stderr)
    text = page(found)
    print(text)
    for target in (options.json, DATA if options.write else None):
        if target is not None:
            target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    return 0


def check(kind: Kind, tools: Tools, folder: Path) -> Figures:
    """Start an index and run the suite against it; return the suite's figures and the index's version."""
    counts = {} if kind.uploads else {PROJECT: 6}
    shelf = fill_shelf(folder / "shelf", counts)
    shelf.path.mkdir(exist_ok=True)
    with ExitStack() as running:
        index = running.enter_context(kind.start(tools, shelf, folder))
        wait_for(index.index_url if kind.uploads else index.page(PROJECT, "html"), index.process, index.log)
        written = folder / "figures.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rN"]
        command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), str(ROOT / "tests" / "conformance")]
        command += [f"--index-url={index.index_url}", f"--conformance-json={written}", f"--project={PROJECT}"]
        if index.upload_url is not None:
            who = [f"--username={index.username}", f"--password={index.password}"]
            command += [f"--upload-url={index.upload_url}", *who]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        if not written.exists():
            raise RuntimeError(ended.stdout + ended.stderr)
        return kept(index.version, json.loads(written.read_text(encoding="utf-8")))


def kept(version: str, figures: Figures) -> Figures:
    """Return of a run's figures what the page needs: the scores, and what is not met."""
    unmet = [one for one in figures["requirements"] if one["result"] == "failed"]
    fields = ("spec", "section", "level", "text", "test")
    return {
        "version": version,
        "read_only": figures["read_only"],
        "scores": figures["scores"],
        "unmet": [{name: one[name] for name in fields} for one in unmet],
    }


if __name__ == "__main__":
    sys.exit(main())
