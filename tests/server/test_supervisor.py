"""The parent of several workers, with processes in their place that do nothing."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

import pytest

from cpufit_server.settings import Settings
from cpufit_server.workers import supervisor
from cpufit_server.workers.supervisor import _Supervisor, _Worker

_READY_AND_IDLE = "import os, sys, time; sys.stdin.readline(); os.write(1, b'ready\\n'); time.sleep(60)"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no workers on Windows")
def test_a_worker_whose_end_is_heard_late_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, which died too, says that it is ready again before the end of the second one is heard."""
    monkeypatch.setattr(supervisor, "_START", _READY_AND_IDLE)
    settings = Settings(workers=2)
    first, second = workers = [_Worker(number, (), settings, {}) for number in range(2)]
    parent = _Supervisor(settings, workers, ExitStack())
    with parent._selector:
        try:
            parent._start(first)
            while not second.ready:
                parent._wait()
            ended(first)
            parent._wait()
            assert first.runs
            dead = second.process
            ended(second)
            parent._hear(first)
            assert first.ready
            assert second.process is dead
            parent._wait()
            assert second.process is not dead
            assert second.runs
            assert dead.stdout is not None
            assert dead.stdout.closed
            assert len(parent._deaths) == 2
            assert len(parent._selector.get_map()) == 2
        finally:
            for worker in workers:
                ended(worker)
                worker.ended()


def ended(worker: _Worker) -> None:
    """Kill a process and wait until the system knows."""
    worker.process.kill()
    while worker.runs:
        time.sleep(0.005)
