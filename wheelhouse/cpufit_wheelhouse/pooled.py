"""The inspector that a home works with: a pool of worker processes, and how long somebody waits for a verdict."""

from __future__ import annotations

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .inspection.verdict import Verdict

if TYPE_CHECKING:
    from .archive import WheelInfo
    from .inspection.workers import InspectionPool, Progress


class InspectionPending(Exception):
    """The inspection goes on; whoever wants its verdict asks the job, or holds the file until it comes."""

    def __init__(self, job: Future[Verdict]) -> None:
        super().__init__("the inspection has not ended yet")
        self.job = job


class PoolClosed(RuntimeError):
    """The workers were ended before they had a verdict: the process that uses them stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledInspector:
    """An :class:`cpufit_wheelhouse.judgement.Inspector` that hands wheels to worker processes."""

    pool: InspectionPool
    patience: float | None = None
    """Seconds to wait for a verdict; None waits as long as it takes."""
    progress: Progress | None = None

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:
        """Return the verdict.

        :raises InspectionPending: it takes longer than the patience lasts
        :raises WheelError: the wheel cannot be read
        """
        job = self.pool.submit(path, info.filename.format(), self.progress)
        try:
            return job.result(self.patience)
        except FutureTimeoutError:
            raise InspectionPending(job) from None
