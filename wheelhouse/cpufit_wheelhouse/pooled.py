"""The inspector that a home works with: a pool of worker processes, and how long somebody waits for a verdict."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .inspection.verdict import Verdict

if TYPE_CHECKING:
    from .archive import WheelInfo
    from .inspection.workers import InspectionPool, Progress


_STEP = 0.2
"""Seconds after which somebody who waits looks whether to go on."""


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
    hurry: threading.Event | None = None
    """Set when nobody can wait any more, since the process is about to stop."""

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:
        """Return the verdict.

        :raises InspectionPending: it takes longer than the patience lasts, or than anybody can wait
        :raises WheelError: the wheel cannot be read
        """
        job = self.pool.submit(path, info.filename.format(), self.progress)
        until = math.inf if self.patience is None else time.monotonic() + self.patience
        while not wait([job], min(_STEP, max(until - time.monotonic(), 0))).done:
            if time.monotonic() >= until or (self.hurry is not None and self.hurry.is_set()):
                raise InspectionPending(job)
        return job.result()
