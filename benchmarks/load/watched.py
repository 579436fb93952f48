"""The server as ``cpufit-server serve`` runs it, beside a task on its event loop that tells how late it is woken.

What the task is late by is a stall. Its own part is what is left without the time in which the thread was ready to run
and somebody else had the core, as the kernel counts it (``schedstat``, Linux). That may have been another thread of the
server, or an inspection: they are pinned to the same core. So what the server is to blame for lies between the two.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path

from cpufit_server.commands.serve import make_server, serve_until_stopped
from cpufit_server.settings import load_settings

TICK = 0.005
"""Seconds between two wakings."""

_WORTH_TELLING = 0.002


async def watch(stalls: Path) -> None:
    """Write each stall as a line: when it ended (seconds of ``time.monotonic``), how long it was, its own part."""
    with stalls.open("w", buffering=1, encoding="ascii") as told:
        while True:
            due, before = time.monotonic() + TICK, _ready_without_core()
            await asyncio.sleep(TICK)
            now = time.monotonic()
            if now - due > _WORTH_TELLING:
                own = max(0.0, now - due - (_ready_without_core() - before))
                print(json.dumps([now, now - due, own]), file=told)


def _ready_without_core() -> float:
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def main(home: Path, port: int, stalls: Path) -> int:
    """Serve until a signal comes."""
    server = make_server(load_settings(home=home, port=port))
    startup, tasks = server.startup, []

    async def watched_startup(sockets: list[socket.socket] | None = None) -> None:
        tasks.append(asyncio.create_task(watch(stalls)))
        await startup(sockets)

    server.startup = watched_startup  # type: ignore[method-assign]  # the one seam inside the running loop
    return serve_until_stopped(server)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
