"""Inspecting what is installed: the same libraries, names and rules as in the wheel, so the same verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cpufit_wheelhouse.filename import WheelFilename
from cpufit_wheelhouse.installed import Installed, statement_texts
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import Bytes

from .libraries import DEFAULT_INSPECTION_LIMITS, InspectionLimits, Progress, Reading
from .verdict import Verdict


def inspect_installed(
    installed: Installed,
    *,
    limits: InspectionLimits = DEFAULT_INSPECTION_LIMITS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Verdict:
    """Return what an installed distribution needs, by its machine code; as that of a wheel."""
    return inspect_files(
        installed.wheel, installed.files, installed.natives, limits=limits, threads=threads, progress=progress
    )


def inspect_files(
    name: WheelFilename,
    files: Mapping[str, Path],
    natives: tuple[str, ...],
    *,
    limits: InspectionLimits = DEFAULT_INSPECTION_LIMITS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Verdict:
    """Return what some files on the disk need together.

    :param name: whose platform tags tell for which architectures they are
    :param files: by the names that they have in a wheel
    :param natives: those with machine code
    """
    reading = Reading(limits=limits, threads=threads, progress=progress)
    return reading.verdict(name, _Files(files=files, natives=natives))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    files: Mapping[str, Path]
    natives: tuple[str, ...]

    def sizes(self) -> dict[str, int]:
        return {name: self.files[name].stat().st_size for name in self.natives}

    def load(self, library: str, max_bytes: int) -> Bytes:
        path = self.files[library]
        try:
            size = path.stat().st_size
            if size > max_bytes:
                raise UnreadableLibrary(f"{size} bytes, and at most {max_bytes} are read", where=library)
            return np.fromfile(path, np.uint8)
        except OSError as error:
            raise UnreadableLibrary(f"cannot be read: {error}", where=library) from error

    def statements(self) -> Iterator[tuple[str, str]]:
        return statement_texts(self.files)
