"""The options of the probe, and running it after the inspection."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpufit_wheelhouse.inspection.verdict import Verdict


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--probe`` and what goes with it."""
    parser.add_argument(
        "--probe",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also import the wheel on emulated CPUs, inside a sandbox (needs qemu-user and bubblewrap; runs its code)",
    )
    parser.add_argument("--probe-index", metavar="URL", help="where the probe takes dependencies from (default: pip's)")
    parser.add_argument(
        "--probe-find-links", type=Path, metavar="DIR", help="a folder of wheels to take dependencies from"
    )
    parser.add_argument("--probe-smoke", metavar="CODE", help="Python to run after the import, on each CPU")
    parser.add_argument(
        "--probe-time", type=float, default=300.0, metavar="SECONDS", help="what one run may take (default: 300)"
    )
    parser.add_argument(
        "--probe-arm64-root",
        type=Path,
        metavar="DIR",
        help="an unpacked arm64 Debian with Python, for arm64 wheels; made there where DIR does not exist (needs apt)",
    )


def probed(path: Path, verdict: Verdict, arguments: argparse.Namespace) -> Verdict:
    """Return the verdict with what a probe adds to it, where one is asked for."""
    if not arguments.probe:
        return verdict
    from cpufit_wheelhouse.probe.combine import combine  # noqa: PLC0415 - for this option alone
    from cpufit_wheelhouse.probe.options import ProbeOptions  # noqa: PLC0415 - as above
    from cpufit_wheelhouse.probe.probe import probe_wheel  # noqa: PLC0415 - as above

    root: Path | None = arguments.probe_arm64_root
    if root is not None and not root.exists():
        from cpufit_wheelhouse.probe.arm64_root import make_arm64_root  # noqa: PLC0415 - once

        count = make_arm64_root(root)
        print(f"unpacked {count} arm64 packages into {root}", file=sys.stderr)
    options = ProbeOptions(
        index_url=arguments.probe_index,
        find_links=arguments.probe_find_links,
        smoke=arguments.probe_smoke,
        time_limit=arguments.probe_time,
        arm64_root=None if root is None else root.resolve(),
    )
    return combine(verdict, probe_wheel(path, path.name, verdict, options))
