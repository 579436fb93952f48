"""What runs by hand leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_full_run_has_every_benchmark_that_is_a_program() -> None:
    benchmarks = ROOT / "benchmarks"
    programs = {path.stem for path in benchmarks.glob("*.py") if '__name__ == "__main__"' in path.read_text("utf-8")}
    programs |= {path.parent.name for path in benchmarks.glob("*/__main__.py")} - {"index"}  # an hour of its own
    listed = re.search(r"for name in ([a-z ]+); do", (ROOT / ".ci" / "run").read_text("utf-8"))
    assert listed is not None
    assert set(listed[1].split()) == programs
