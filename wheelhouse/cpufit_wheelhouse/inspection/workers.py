"""Inspections in processes of their own: a library that brings one down costs its wheel the verdict, and nobody else.

Each worker is a thread with a child process (:mod:`.worker`) that it starts when there is work, speaks to in lines of
JSON, and ends when the time is up. The process that uses a pool never imports the decoder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cpufit_wheelhouse.archive_limits import DEFAULT_LIMITS, ArchiveLimits
from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.pooled import PoolClosed
from cpufit_wheelhouse.probe.options import ProbeOptions

from .scratch import OwnFolder
from .verdict import Verdict

Progress = Callable[[str, int, int], None]
"""Called with a member's name, the bytes done and the bytes in all."""

_FROM_OUTSIDE = frozenset(
    getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)
"""The signals that a process gets from people, service managers and a system without memory."""

_START = "from cpufit_wheelhouse.inspection.worker import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What workers may cost."""

    workers: int = 1
    """How many wheels are inspected at the same time."""
    threads: int = 2
    """How many threads each worker decodes with."""
    time_limit: float = 600.0
    """Seconds for one wheel; after that its verdict is undetermined."""
    memory_bytes: int = 8 << 30
    """What one worker may allocate, where the system can limit it."""
    archive: ArchiveLimits = DEFAULT_LIMITS
    max_library_bytes: int = 4 << 30
    """A larger library is undetermined."""
    max_libraries: int = 5_000
    """A wheel with more native libraries is undetermined."""
    idle_seconds: float = 60.0
    """A worker without work for this long ends its process and gives its memory back."""
    niceness: int = 0
    """How far behind other processes a worker stands (``nice``, 0 to 19), where the system has that."""
    probe: ProbeOptions | None = None
    """With it a wheel is also imported on emulated CPUs; that runs its code, inside a sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionFigures:
    """How busy a pool is, and what it did since it was made."""

    queued: int
    running: int
    ended: Mapping[str, int]
    """How many ended as ``known``, ``undetermined``, ``refused`` (no wheel at all) or ``stopped`` (by the pool)."""
    seconds: float
    """Spent on those that ended."""


class InspectionPool:
    """Workers that inspect wheels; safe for many threads. Nothing is started before the first wheel comes."""

    def __init__(self, scratch: Path, options: WorkerOptions | None = None) -> None:
        """Take a folder for links to the wheels under inspection, best on their own file system."""
        self._scratch = OwnFolder(scratch)
        self._options = WorkerOptions() if options is None else options
        self._threads = ThreadPoolExecutor(max_workers=self._options.workers, thread_name_prefix="inspection")
        self._local = threading.local()
        self._children: list[_Child] = []
        self._lock = threading.Lock()
        self._closed = False
        self._queued = self._running = 0
        self._ended = dict.fromkeys(("known", "undetermined", "refused", "stopped"), 0)
        self._seconds = 0.0

    def submit(self, path: Path, filename: str, progress: Progress | None = None) -> Future[Verdict]:
        """Begin an inspection. The wheel may be renamed or removed as soon as this returns.

        :param progress: called in another thread
        :raises PoolClosed: it was closed
        """
        if self._closed:
            raise PoolClosed("the pool is closed")
        link = self._linked(path)
        with self._lock:
            self._queued += 1
        job = self._threads.submit(self._counted, link, filename, progress)
        job.add_done_callback(lambda _: link.unlink(missing_ok=True))
        return job

    def figures(self) -> InspectionFigures:
        """Return how busy it is, and what it did."""
        with self._lock:
            return InspectionFigures(
                queued=self._queued, running=self._running, ended=dict(self._ended), seconds=self._seconds
            )

    def close(self) -> None:
        """End the workers; what they have not finished gets no verdict."""
        with self._lock:
            self._closed = True
            children = tuple(self._children)
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.kill()
        self._threads.shutdown(wait=True)
        for child in children:
            child.ended()
        self._scratch.close()

    def _linked(self, path: Path) -> Path:
        link = self._scratch.path() / secrets.token_hex(16)
        try:
            os.link(path, link)
        except OSError:  # another file system, or one without links
            try:
                shutil.copyfile(path, link)
            except BaseException:  # on a full disk what has come of it takes room
                link.unlink(missing_ok=True)
                raise
        return link

    def _counted(self, path: Path, filename: str, progress: Progress | None) -> Verdict:
        with self._lock:
            self._queued -= 1
            self._running += 1
        began, outcome = time.monotonic(), "stopped"
        try:
            verdict = self._inspect(path, filename, progress)
            outcome = "known" if verdict.known else "undetermined"
        except WheelError:
            outcome = "refused"
            raise
        finally:
            with self._lock:
                self._running -= 1
                self._ended[outcome] += 1
                self._seconds += time.monotonic() - began
        return verdict

    def _inspect(self, path: Path, filename: str, progress: Progress | None) -> Verdict:
        request = {
            "path": str(path.resolve()),
            "filename": filename,
            "threads": self._options.threads,
            "max_library_bytes": self._options.max_library_bytes,
            "max_libraries": self._options.max_libraries,
            "archive": asdict(self._options.archive),
        }
        verdict = _verdict_in(self._ask(request, self._options.time_limit, progress))
        if self._options.probe is None or not verdict.known:
            return verdict
        probing = request | {"probe": self._options.probe.as_dict(), "static": verdict.as_dict()}
        together = _verdict_in(self._ask(probing, self._options.probe.longest, progress))
        if not together.known:  # the probe's process came to grief: what was read stands
            return verdict.with_notes(f"probe: {reason}" for reason in together.undetermined)
        return together

    def _ask(self, request: Mapping[str, object], seconds: float, progress: Progress | None) -> Mapping[str, Any]:
        tries = 2
        while True:
            child: _Child | None = getattr(self._local, "child", None)
            fresh = child is None
            if child is None:
                child = self._local.child = self._started()
            answer = child.ask(request, seconds, progress)
            if answer is not None:
                return answer
            self._local.child = None
            with self._lock:
                self._children.remove(child)
            if self._closed:
                raise PoolClosed("the pool was closed")
            if child.ended_idle and not fresh:
                continue  # it went to rest in the instant in which work came
            tries -= 1
            if child.ended_by_somebody and tries:
                continue  # what somebody does to a process says nothing of the wheel
            return {"verdict": Verdict(need=None, undetermined=(child.reason,)).as_dict()}

    def _started(self) -> _Child:
        with self._lock:
            if self._closed:
                raise PoolClosed("the pool is closed")
            child = _Child(self._scratch.path(), self._options)
            self._children.append(child)
            return child


def _verdict_in(answer: Mapping[str, Any]) -> Verdict:
    if "error" in answer:
        error = answer["error"]
        raise WheelError(error["message"], code=error["code"], where=error.get("where"), hint=error.get("hint"))
    return Verdict.from_dict(answer["verdict"])


class _Child:
    """One child process."""

    def __init__(self, folder: Path, options: WorkerOptions) -> None:
        self.reason = ""
        self._timed_out = False
        # what a probe lays down there goes with the process, however that ends
        self._scratch = Path(tempfile.mkdtemp(dir=folder, prefix="worker-"))
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and code
            [
                *(sys.executable, "-c", _START),
                *(str(options.memory_bytes), str(options.idle_seconds), str(options.niceness)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(self._scratch)},
            # Ctrl-C at the server's terminal is for the server, which ends its workers when it has decided to
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )

    @property
    def ended_idle(self) -> bool:
        return self._process.returncode == 0 and not self._timed_out

    @property
    def ended_by_somebody(self) -> bool:
        return not self._timed_out and -self._process.returncode in _FROM_OUTSIDE

    def ask(self, request: Mapping[str, object], seconds: float, progress: Progress | None) -> Mapping[str, Any] | None:
        """Return the child's answer; None if it ended without one, for a ``reason`` then."""
        timer = threading.Timer(seconds, self._time_is_up)
        timer.start()
        try:
            return self._exchange(request, progress)
        finally:
            timer.cancel()

    def _exchange(self, request: Mapping[str, object], progress: Progress | None) -> Mapping[str, Any] | None:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:  # pragma: no cover  # both are pipes
            raise RuntimeError("the worker has no pipes")
        with contextlib.suppress(BrokenPipeError, OSError):
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        for line in stdout:
            answer: Mapping[str, Any] = json.loads(line)
            if "progress" not in answer:
                return answer
            if progress is not None:
                progress(*answer["progress"])
        self.ended()
        return None

    def _time_is_up(self) -> None:
        self._timed_out = True
        self.kill()

    def kill(self) -> None:
        """End the process and what it started; whoever reads from it sees its end."""
        if os.name != "posix":  # pragma: no cover  # it has no groups
            self._process.kill()
        elif self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def ended(self) -> None:
        """Wait for the end of the process, and say why it came."""
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._timed_out:
            self.reason = "the inspection took longer than it may"
        elif status < 0:
            self.reason = f"the inspection's process ended by {signal.Signals(-status).name}"
        else:
            self.reason = f"the inspection's process ended with status {status}"
