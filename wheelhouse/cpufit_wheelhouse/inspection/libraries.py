"""Reading the native libraries of something, a wheel's members or a package's installed files, and its statements.

The largest libraries go first, several at a time where threads are allowed, within a bound on the bytes that are held
at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from cpufit_wheelhouse.archive_limits import DEFAULT_LIMITS, ArchiveLimits
from cpufit_wheelhouse.filename import WheelFilename
from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import Bytes, Image

from .budget import Budget
from .combination import LibraryResult, verdict_of
from .facts import LibraryFacts, gather
from .statements import stated_features
from .verdict import Evidence, Verdict

DECODED = ("x86_64", "aarch64")
"""The architectures whose instructions are understood."""

Progress = Callable[[str, int, int], None]
"""Called with a library's name, the bytes done and the bytes in all."""


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


class Source(Protocol):
    """Where libraries and texts come from; names are those that they have in the wheel."""

    def sizes(self) -> Mapping[str, int]:
        """Return the native libraries with their sizes in bytes."""

    def load(self, library: str, max_bytes: int) -> Bytes:
        """Return a library's bytes; called by several threads.

        :raises UnreadableLibrary: it is larger, or cannot be read
        """

    def statements(self) -> Iterable[tuple[str, str]]:
        """Yield the name and the text of each file that :func:`.statements.is_statement` knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How libraries are read."""

    limits: InspectionLimits = DEFAULT_INSPECTION_LIMITS
    threads: int = 1
    """How many libraries, or parts of one, may be decoded at the same time."""
    progress: Progress | None = None

    def verdict(self, name: WheelFilename, source: Source) -> Verdict:
        """Return what a wheel, packed or installed, needs by its machine code.

        :param name: whose platform tags tell for which architectures it is
        """
        sizes = source.sizes()
        if len(sizes) > self.limits.max_libraries:
            reason = f"{len(sizes)} native libraries, and at most {self.limits.max_libraries} are read"
            return Verdict(need=None, undetermined=(reason,))
        results = self._results(sizes, source)
        return verdict_of(name, results, _stated(source, _architectures(name, results)))

    def _results(self, sizes: Mapping[str, int], source: Source) -> tuple[LibraryResult, ...]:
        order = sorted(sizes, key=lambda name: (-sizes[name], name))
        total, done = sum(sizes.values()), 0
        budget = Budget(self.limits.max_bytes_at_once)

        def one(name: str) -> Sequence[LibraryResult]:
            with budget.taken(sizes[name]):
                return self._one(name, source)

        results: list[LibraryResult] = []
        with ThreadPoolExecutor(max_workers=max(1, self.threads), thread_name_prefix="inspect") as pool:
            for name, found in zip(order, pool.map(one, order), strict=True):
                results.extend(found)
                done += sizes[name]
                if self.progress is not None:
                    self.progress(name, done, total)
        return tuple(sorted(results, key=lambda one: (one.library, one.arch)))

    def _one(self, name: str, source: Source) -> list[LibraryResult]:
        try:
            images = read_images(source.load(name, self.limits.max_library_bytes), name)
            return [self._judged(name, image) for image in images]
        except UnreadableLibrary as error:
            return [LibraryResult(library=name, arch="", unreadable=error.message)]
        except MemoryError:
            return [LibraryResult(library=name, arch="", unreadable="there is not enough memory to read it")]

    def _judged(self, name: str, image: Image) -> LibraryResult:
        if image.arch not in DECODED:
            return LibraryResult(library=name, arch=image.arch, kind=image.kind)
        facts: LibraryFacts = gather(name, image, threads=self.threads)
        return LibraryResult(library=name, arch=image.arch, kind=image.kind, facts=facts)


def _architectures(name: WheelFilename, results: Iterable[LibraryResult]) -> frozenset[str]:
    return (name.architectures() or frozenset(one.arch for one in results)) & frozenset(DECODED)


def _stated(source: Source, architectures: frozenset[str]) -> tuple[Evidence, ...]:
    return tuple(
        _statement(member, arch, features)
        for member, text in sorted(source.statements())
        for arch in sorted(architectures)
        if (features := stated_features(member, text, arch))
    )


def _statement(member: str, arch: str, features: frozenset[str]) -> Evidence:
    return Evidence(
        rule="statement",
        arch=arch,
        features=tuple(sorted(features)),
        library=member,
        detail="the build says that it was compiled for these",
    )
