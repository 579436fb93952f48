"""Wheels that passed through, inspected in the background; their verdicts are kept by their bytes."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from cpufit_wheelhouse.errors import StorageFailed, WheelError
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.pooled import PoolClosed
from cpufit_wheelhouse.storage_failures import storage_failures_told

from .known import is_native

if TYPE_CHECKING:
    from cpufit_wheelhouse.inspection.workers import InspectionPool
    from cpufit_wheelhouse.pullthrough import FileCache

    from .known import KnownFiles

_log = logging.getLogger(__name__)


class Inspections:
    """Hands cached wheels to the workers, each once; safe for many threads."""

    def __init__(self, pool: InspectionPool, cache: FileCache, known: KnownFiles, *, most_waiting: int) -> None:
        """Take the workers, where wheels lie, where verdicts go to, and how many wheels may wait."""
        self._pool, self._cache, self._known, self._most_waiting = pool, cache, known, most_waiting
        self._waiting: set[str] = set()
        self._lock = threading.Lock()

    def consider(self, project: str, filename: str, sha256: str) -> None:
        """Begin the inspection of a cached wheel that may have machine code and was never inspected.

        Where too many wait already nothing begins: the next reader of the wheel brings it here again.
        """
        if not is_native(filename) or sha256 in self._known.of(project).verdicts:
            return
        with self._lock:
            if sha256 in self._waiting or len(self._waiting) >= self._most_waiting:
                return
            self._waiting.add(sha256)
        try:
            job = self._pool.submit(self._cache.path(sha256), filename)
        except (OSError, PoolClosed) as error:  # evicted by now, or the server stops
            self._forget(sha256)
            _log.info("%s is not inspected: %s", filename, error)
            return
        job.add_done_callback(lambda done: self._decided(project, filename, sha256, done))

    def _decided(self, project: str, filename: str, sha256: str, job: Future[Verdict]) -> None:
        try:
            if not job.cancelled():
                with storage_failures_told():
                    self._known.learn(project, filename, sha256, verdict=_verdict(job))
        except PoolClosed:
            pass
        except StorageFailed as error:  # its next reader has it inspected again
            _log.warning("what %s needs could not be written down: %s", filename, error.in_full)
        finally:
            self._forget(sha256)

    def _forget(self, sha256: str) -> None:
        with self._lock:
            self._waiting.discard(sha256)


def _verdict(job: Future[Verdict]) -> Verdict:
    try:
        return job.result()
    except WheelError as error:
        return Verdict(need=None, undetermined=(error.message,))
