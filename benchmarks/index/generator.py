"""A small load generator, for a machine without wrk: ``generator.py URL CONNECTIONS SECONDS HEADERS-AS-JSON``.

Python is slower than what it measures here: rates above some thousand a second are its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.index.load import rate_of


async def main(url: str, connections: int, seconds: float, headers: dict[str, str]) -> dict[str, float]:
    """Ask for an address over some connections; return the figures."""
    parts = urlsplit(url)
    lines = [f"GET {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
    request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()
    latencies: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal errors
        connection = None
        while time.perf_counter() < end:
            try:
                connection = connection or await asyncio.open_connection(parts.hostname, parts.port)
                begin = time.perf_counter()
                connection[1].write(request)
                status, stays = await _answer(connection[0])
                latencies.append(time.perf_counter() - begin)
                errors += status >= 400
            except (OSError, EOFError, ValueError):
                errors, stays = errors + 1, False
            if connection is not None and not stays:
                connection[1].close()
                connection = None

    await asyncio.gather(*(client() for _ in range(connections)))
    return rate_of(latencies, seconds, errors)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read one answer; return its status and whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    status = int(head[0].split()[1])
    headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
    stays = headers.get("connection") != "close"
    if status == 304:
        return status, stays
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    elif "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            left -= len(await reader.read(min(left, 1 << 20)))
    else:
        await reader.read()
        stays = False
    return status, stays


if __name__ == "__main__":
    _, where, count, duration, told = sys.argv
    print(json.dumps(asyncio.run(main(where, int(count), float(duration), json.loads(told)))))
