"""Judging installed packages by their machine code, one after the other, with something to look at meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cpufit_pip_plugin.inspect_command.narration import Progress, narrating_bytes
from cpufit_resolver import CpuProfile
from cpufit_wheelhouse.inspection.installed import inspect_installed
from cpufit_wheelhouse.installed import Installed

from .judged import JudgedPackage, by_verdict


def read_packages(packages: Sequence[Installed], profile: CpuProfile, *, quiet: bool) -> tuple[JudgedPackage, ...]:
    """Return what each package is on a CPU, by its machine code; on a terminal behind a bar, else line by line.

    :param packages: those with native libraries
    """
    total = sum(_size(package) for package in packages)
    judged, done, bar = [], 0, sys.stderr.isatty()
    narration: AbstractContextManager[Progress | None] = narrating_bytes("native libraries", total, quiet=quiet)
    with narration as progress:
        for package in packages:
            before = done
            verdict = inspect_installed(
                package,
                threads=min(os.cpu_count() or 1, 4),
                progress=_shifted(progress, before, total) if bar else None,
            )
            done += _size(package)
            if progress is not None and not bar:
                progress(f"{package.name} {package.version}", done, total)
            judged.append(by_verdict(package, verdict, profile))
    return tuple(judged)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda library, done, _: progress(library, before + done, total)


def _size(package: Installed) -> int:
    return sum(_bytes(package.files[name]) for name in package.natives)


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
