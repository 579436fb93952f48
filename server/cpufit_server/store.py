"""Opening what the settings describe: the home, and the workers that inspect what comes into it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.inspection.workers import InspectionPool, WorkerOptions
from cpufit_wheelhouse.pooled import PooledInspector
from cpufit_wheelhouse.probe.options import ProbeOptions
from cpufit_wheelhouse.signatures import SignatureVerifier

if TYPE_CHECKING:
    from cpufit_wheelhouse.inspection.workers import Progress

    from .settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """An open home, and its workers."""

    home: Home
    pool: InspectionPool | None
    """None where the settings turn inspection off."""

    def inspector(self, *, patience: float | None = None, progress: Progress | None = None) -> PooledInspector | None:
        """Return an inspector that asks the workers."""
        return None if self.pool is None else PooledInspector(pool=self.pool, patience=patience, progress=progress)


@contextlib.contextmanager
def open_store(
    settings: Settings,
    *,
    patience: float | None = None,
    progress: Progress | None = None,
    hurry: threading.Event | None = None,
    signatures: SignatureVerifier | None = None,
) -> Iterator[Store]:
    """Open the home of some settings, with the inspection that they ask for; closes both in the end.

    :param patience: how many seconds an ingest waits for a verdict; None waits as long as it takes
    :param progress: is told of the inspections that the ingest asks for
    :param hurry: set when no ingest can wait any longer
    :param signatures: verifies the attestations of what comes in
    :raises StoreError: a newer cpufit wrote the catalog
    :raises OSError: the folder cannot be made or written
    """
    pool = InspectionPool(settings.home / "inspecting", worker_options(settings)) if settings.inspect else None
    try:
        inspector = (
            None if pool is None else PooledInspector(pool=pool, patience=patience, progress=progress, hurry=hurry)
        )
        with open_home(
            settings.home,
            inspector=inspector,
            limits=settings.archive_limits,
            below_verdict=settings.below_verdict,
            signatures=signatures,
        ) as home:
            try:
                yield Store(home=home, pool=pool)
            finally:
                if pool is not None:  # before the catalog: what ends now may still write to it
                    pool.close()
    finally:
        if pool is not None:
            pool.close()


def worker_options(settings: Settings) -> WorkerOptions:
    """Return what the settings let inspections cost."""
    return WorkerOptions(
        workers=settings.inspection_workers,
        threads=settings.inspection_threads,
        time_limit=settings.inspection_time_limit,
        memory_bytes=settings.inspection_memory_bytes,
        archive=settings.archive_limits,
        max_library_bytes=settings.inspection_max_library_bytes,
        max_libraries=settings.inspection_max_libraries,
        idle_seconds=settings.inspection_idle_seconds,
        niceness=settings.inspection_niceness,
        probe=probe_options(settings) if settings.probe else None,
    )


def probe_options(settings: Settings) -> ProbeOptions:
    """Return what the settings let probes cost, and where they take things from."""
    return ProbeOptions(
        index_url=settings.probe_index,
        find_links=settings.probe_find_links,
        smoke_folder=settings.probe_smoke_folder,
        arm64_root=settings.probe_arm64_root,
        time_limit=settings.probe_time_limit,
        install_time_limit=settings.probe_install_time_limit,
        install_bytes=settings.probe_install_bytes,
        memory_bytes=settings.probe_memory_bytes,
        file_bytes=settings.probe_file_bytes,
        processes=settings.probe_processes,
        max_probes=settings.probe_max_cpus,
    )
