"""Inspecting a wheel: every native library read, straight from the zip, and the rules' findings made into one verdict.

Nothing is unpacked to disk. The largest libraries go first, several at a time where threads are allowed, within a
bound on the bytes that are held at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cpufit_wheelhouse import framing
from cpufit_wheelhouse.archive import DEFAULT_LIMITS, ArchiveLimits, CheckedArchive, open_archive
from cpufit_wheelhouse.filename import WheelFilename, parse_wheel_filename
from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import Image
from cpufit_wheelhouse.machine_code.member import load_member
from cpufit_wheelhouse.native import PREFIX_LENGTH, native_kind

from .budget import Budget
from .combination import LibraryResult, verdict_of
from .facts import LibraryFacts, gather
from .statements import MAX_STATEMENT_BYTES, is_statement, stated_features
from .verdict import Evidence, Verdict

DECODED = ("x86_64", "aarch64")
"""The architectures whose instructions are understood."""

_PACKED_AT_ONCE = 512

Progress = Callable[[str, int, int], None]
"""Called with a member's name, the bytes done and the bytes in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionLimits:
    """What one inspection may cost."""

    archive: ArchiveLimits = DEFAULT_LIMITS
    max_library_bytes: int = 4 << 30
    """A larger library is undetermined."""
    max_bytes_at_once: int = 1 << 30
    """How many bytes of libraries are held in memory together; a single larger one is held alone."""
    max_libraries: int = 5_000
    """A wheel with more is undetermined."""


DEFAULT_INSPECTION_LIMITS = InspectionLimits()


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
    with open_archive(path, filename, limits.archive) as archive:
        natives = _native_members(archive)
        if len(natives) > limits.max_libraries:
            reason = f"{len(natives)} native libraries, and at most {limits.max_libraries} are read"
            return Verdict(need=None, undetermined=(reason,))
        work = _Work(path=path, archive=archive, name=name, limits=limits, threads=threads, progress=progress)
        results = work.run(natives)
        stated = _stated(archive, _architectures(name, results))
    return verdict_of(name, results, stated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    path: Path
    archive: CheckedArchive
    name: WheelFilename
    limits: InspectionLimits
    threads: int
    progress: Progress | None

    def run(self, natives: Sequence[str]) -> tuple[LibraryResult, ...]:
        files = self.archive.files
        order = sorted(natives, key=lambda name: (-files[name].file_size, name))
        total = sum(files[name].file_size for name in order)
        budget = Budget(self.limits.max_bytes_at_once)
        done = 0
        results: list[LibraryResult] = []
        with ThreadPoolExecutor(max_workers=max(1, self.threads), thread_name_prefix="inspect") as pool:
            for member, found in zip(order, pool.map(lambda one: self._one(one, budget), order), strict=True):
                results.extend(found)
                done += files[member].file_size
                if self.progress is not None:
                    self.progress(member, done, total)
        return tuple(sorted(results, key=lambda one: (one.library, one.arch)))

    def _one(self, member: str, budget: Budget) -> list[LibraryResult]:
        size = self.archive.files[member].file_size
        with budget.taken(size), self.path.open("rb") as file:
            try:
                data = load_member(replace(self.archive, file=file), member, self.limits.max_library_bytes)
                images = read_images(data, member)
                return [self._judged(member, image) for image in images]
            except UnreadableLibrary as error:
                return [LibraryResult(library=member, arch="", unreadable=error.message)]
            except MemoryError:
                return [LibraryResult(library=member, arch="", unreadable="there is not enough memory to read it")]

    def _judged(self, member: str, image: Image) -> LibraryResult:
        if image.arch not in DECODED:
            return LibraryResult(library=member, arch=image.arch, kind=image.kind)
        facts: LibraryFacts = gather(member, image, threads=self.threads)
        return LibraryResult(library=member, arch=image.arch, kind=image.kind, facts=facts)


def _native_members(archive: CheckedArchive) -> list[str]:
    return [name for name in archive.files if native_kind(_prefix(archive.file, archive, name)) is not None]


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


def _architectures(name: WheelFilename, results: Iterable[LibraryResult]) -> frozenset[str]:
    return (name.architectures() or frozenset(one.arch for one in results)) & frozenset(DECODED)


def _stated(archive: CheckedArchive, architectures: frozenset[str]) -> tuple[Evidence, ...]:
    found = []
    for member, info in archive.files.items():
        if not is_statement(member) or info.file_size > MAX_STATEMENT_BYTES:
            continue
        text = b"".join(archive.pieces(member)).decode("utf-8", "replace")
        for arch in sorted(architectures):
            features = stated_features(member, text, arch)
            if features:
                found.append(_statement(member, arch, features))
    return tuple(found)


def _statement(member: str, arch: str, features: frozenset[str]) -> Evidence:
    return Evidence(
        rule="statement",
        arch=arch,
        features=tuple(sorted(features)),
        library=member,
        detail="the build says that it was compiled for these",
    )
