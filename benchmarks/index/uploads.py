"""Uploads as twine sends them, over several connections at once: ``uploads.py`` with its arguments as JSON.

A process of its own, so that it stays on the other core. The forms are made before the clock starts.
"""

from __future__ import annotations

import base64
import http.client
import json
import queue
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.index.data import metadata_of, wheel
from benchmarks.index.load import rate_of
from benchmarks.index.processes import pinned
from tests.conformance.artifacts import Artifact, encode_form, form_of

_CLAIMS = {"requires_dist": "packaging>=20", "provides_extra": None}
"""What the wheels of this benchmark depend on: a form that says otherwise is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """What to upload, where and as whom: a folder's files, or ``count`` fresh wheels."""

    url: str
    username: str
    password: str
    project: str = "bench-uploads"
    folder: str | None = None
    count: int = 0
    seconds: float = 600.0
    """When to stop, all uploaded or not."""
    connections: int = 16
    major: int = 1
    """What the versions of fresh wheels begin with."""
    new_projects: bool = False
    """Whether each fresh wheel makes a project; ``project`` is what their names begin with then."""


def upload(wanted: Uploading) -> dict[str, Any]:
    """Upload from the other core; return the figures."""
    ended = subprocess.run(
        pinned(1, [sys.executable, __file__, json.dumps(asdict(wanted))]),
        capture_output=True,
        text=True,
        timeout=wanted.seconds + 300,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(ended.stderr)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _artifacts(told: Uploading) -> list[Artifact]:
    if told.folder is not None:
        paths = sorted(Path(told.folder).iterdir())
        files = [(path.name, path.read_bytes(), metadata_of(path)) for path in paths]
    else:
        made = [wheel(_project(told, number), f"{told.major}.{number}") for number in range(told.count)]
        files = [(name, data, b"") for name, data in made]
    return [
        Artifact(
            project=_project(told, number),
            version=name.split("-")[1],
            kind="bdist_wheel",
            filename=name,
            data=data,
            metadata=metadata,
            requires_python=">=3.8",
        )
        for number, (name, data, metadata) in enumerate(files)
    ]


def _project(told: Uploading, number: int) -> str:
    return f"{told.project}-{number}" if told.new_projects else told.project


def main(told: Uploading) -> dict[str, Any]:
    """Upload everything; return rate, latencies, how many were taken and what the first refusal said."""
    waiting: queue.SimpleQueue[tuple[bytes, str]] = queue.SimpleQueue()
    for artifact in _artifacts(told):
        waiting.put(encode_form(form_of(artifact, fields=_CLAIMS)))
    parts = urlsplit(told.url)
    who = base64.b64encode(f"{told.username}:{told.password}".encode()).decode()
    latencies: list[float] = []
    refusals: list[str] = []
    begin = time.perf_counter()
    end = begin + told.seconds

    def client() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        while time.perf_counter() < end:
            try:
                body, content_type = waiting.get_nowait()
            except queue.Empty:
                return
            started = time.perf_counter()
            try:
                connection.request(
                    "POST", parts.path, body, {"Content-Type": content_type, "Authorization": f"Basic {who}"}
                )
                answer = connection.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                refusals.append(repr(error))
                connection.close()
                continue
            latencies.append(time.perf_counter() - started)
            if answer.status >= 300:
                refusals.append(f"{answer.status} {said[:200]!r}")

    threads = [threading.Thread(target=client) for _ in range(told.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begin
    return {
        **rate_of(latencies, taken, len(refusals)),
        "uploaded": len(latencies) - sum(not refusal.startswith(("Conn", "Timeout", "Remote")) for refusal in refusals),
        "first_refusal": refusals[0] if refusals else "",
    }


if __name__ == "__main__":
    print(json.dumps(main(Uploading(**json.loads(sys.argv[1])))))
