"""What an upload costs this server: new versions and projects, over one connection and many, and as the index grows.

Beside the rate there are the CPU time of the server's processes for each upload, and how many uploads share one commit.
"""

from __future__ import annotations

import urllib.request
from dataclasses import replace
from typing import Any

from .data import Shelf, fill_shelf
from .load import CONNECTIONS
from .phases import ByIndex, Figures, Run, started, uploading
from .servers import KINDS, Index
from .uploads import upload

_COMMITS = "cpufit_upload_commits_total"
_GIANT = "bench-giant"
_WARM = 40
"""Uploads before the clock starts: the first of a process load code and prepare statements."""


def taking(run: Run) -> ByIndex:
    """Measure uploads into an empty index, into a large one, and into a project of very many files."""
    several = {f"bench-{number}": run.scale_files // run.scale_projects for number in range(run.scale_projects)}
    return {
        "empty": _measured(run, Shelf(path=run.folder("shelf"), projects=())),
        f"{run.scale_files:,} files": _measured(run, fill_shelf(run.folder("shelf"), several)),
        f"{run.huge:,} in one project": _measured(run, fill_shelf(run.folder("shelf"), {_GIANT: run.huge})),
    }


def _measured(run: Run, shelf: Shelf) -> dict[str, Figures]:
    kind = next(kind for kind in KINDS if kind.name == "cpufit with metrics")
    project = shelf.projects[0] if shelf.projects else _GIANT
    found: dict[str, Figures] = {}
    with started(run, kind, shelf, project) as (index, _, _):
        upload(uploading(run, index, project="bench-warm", count=_WARM))
        for connections in (1, CONNECTIONS):
            for what in ("versions", "projects"):
                begin = _commits(index), index.process.cpu_seconds()
                sent = _sent(run, index, what, connections, project)
                taken = max(1, sent["uploaded"])
                spent = index.process.cpu_seconds() - begin[1]
                found[f"new {what}, {connections} at once"] = {
                    **sent,
                    "cpu_ms": round(spent * 1000 / taken, 2),
                    "shared": round(taken / max(1.0, _commits(index) - begin[0]), 2),
                }
    return found


def _sent(run: Run, index: Index, what: str, connections: int, project: str) -> dict[str, Any]:
    """Upload wheels that are new each time."""
    told = uploading(run, index, project=project, count=run.uploads)
    told = replace(told, connections=connections, major=1000 + connections)
    if what == "projects":
        told = replace(told, project=f"bench-new-{connections}", new_projects=True)
    return upload(told)


def _commits(index: Index) -> float:
    with urllib.request.urlopen(index.metrics_url, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{_COMMITS} "))
