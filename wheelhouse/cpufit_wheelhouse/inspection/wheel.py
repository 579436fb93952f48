"""Inspecting a wheel: every native library read, straight from the zip, and the rules' findings made into one verdict.

Nothing is unpacked to disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cpufit_wheelhouse import framing
from cpufit_wheelhouse.archive import CheckedArchive, open_archive
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.machine_code.image import Bytes
from cpufit_wheelhouse.machine_code.member import load_member
from cpufit_wheelhouse.native import PREFIX_LENGTH, native_kind

from .libraries import DEFAULT_INSPECTION_LIMITS, InspectionLimits, Progress, Reading
from .statements import MAX_STATEMENT_BYTES, is_statement
from .verdict import Verdict

__all__ = ["DEFAULT_INSPECTION_LIMITS", "InspectionLimits", "inspect_wheel"]

_PACKED_AT_ONCE = 512


def inspect_wheel(
    path: Path,
    filename: str,
    *,
    limits: InspectionLimits = DEFAULT_INSPECTION_LIMITS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Verdict:
    """Return what a wheel needs, by its machine code.

    What is wrong inside a library makes the verdict undetermined, with the reason; it raises nothing.

    :param filename: the wheel's name, whatever its path
    :param threads: how many libraries, or parts of one, may be decoded at the same time
    :raises WheelError: the file is no wheel, or its zip cannot be read
    """
    name = parse_wheel_filename(filename)
    reading = Reading(limits=limits, threads=threads, progress=progress)
    with open_archive(path, filename, limits.archive) as archive:
        return reading.verdict(name, _Members(path=path, archive=archive))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Members:
    """The libraries and statements in a wheel."""

    path: Path
    archive: CheckedArchive

    def sizes(self) -> dict[str, int]:
        archive = self.archive
        natives = (name for name in archive.files if native_kind(_prefix(archive.file, archive, name)) is not None)
        return {name: archive.files[name].file_size for name in natives}

    def load(self, library: str, max_bytes: int) -> Bytes:
        with self.path.open("rb") as file:  # each thread has its own place in the file
            return load_member(replace(self.archive, file=file), library, max_bytes)

    def statements(self) -> Iterator[tuple[str, str]]:
        for member, info in self.archive.files.items():
            if is_statement(member) and info.file_size <= MAX_STATEMENT_BYTES:
                yield member, b"".join(self.archive.pieces(member)).decode("utf-8", "replace")


def _prefix(file: BinaryIO, archive: CheckedArchive, name: str) -> bytes:
    """Return a member's first bytes without unpacking the rest of it."""
    info = archive.files[name]
    file.seek(archive.begins[name])
    left = info.compress_size
    if info.compress_type == framing.STORED:
        return file.read(min(left, PREFIX_LENGTH))
    prefix, unpacker = b"", zlib.decompressobj(-zlib.MAX_WBITS)
    with suppress(zlib.error):  # whoever reads the member in full says what is wrong with it
        # the first block may be empty, and so may the next thousand
        while left and len(prefix) < PREFIX_LENGTH and not unpacker.eof:
            packed = file.read(min(left, _PACKED_AT_ONCE))
            if not packed:
                break
            left -= len(packed)
            prefix += unpacker.decompress(packed, PREFIX_LENGTH - len(prefix))
    return prefix
