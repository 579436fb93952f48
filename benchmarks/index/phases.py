"""What is measured: each phase starts one index after the other and returns its figures by index and measure."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from .data import LARGE, Shelf, fill_shelf
from .limits import TYPES
from .load import Load, Rate
from .processes import wait_for
from .servers import KINDS, Index, Kind, Missing
from .tools import Tools
from .uploads import Uploading, upload

PROJECT = "bench"
_SEQUENTIAL = 3

Figures = dict[str, Any]
ByIndex = dict[str, dict[str, Figures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run measures with, and how much of it."""

    tools: Tools
    load: Load
    scratch: Path
    kinds: Sequence[Kind]
    files: int
    large_bytes: int
    uploads: int
    upload_seconds: float
    scale_files: int
    scale_projects: int
    huge: int

    def folder(self, name: str) -> Path:
        """Return an empty folder, and forget what was made of it."""
        made = self.scratch / name
        for known in (made, made.with_name(f"{name}-site")):
            shutil.rmtree(known, ignore_errors=True)
        made.mkdir(parents=True)
        return made


@contextmanager
def started(run: Run, kind: Kind, shelf: Shelf, project: str) -> Iterator[tuple[Index, float, Path]]:
    """Start an index on a shelf; give it, the seconds until a project's first page, and its folder."""
    folder = run.folder(f"index-{kind.name.replace(' ', '-')}")
    with kind.start(run.tools, shelf, folder) as index:
        if kind.fills and shelf.projects:
            seconds = wait_for(index.page(project, "json"), index.process, index.log)
        else:
            seconds = wait_for(index.index_url, index.process, index.log)
        yield index, seconds, folder
    shutil.rmtree(folder, ignore_errors=True)


def each(kinds: Sequence[Kind], measure: Callable[[Kind], dict[str, Figures]]) -> ByIndex:
    """Measure one index after the other; one that is missing or fails is told and left out."""
    found: ByIndex = {}
    for kind in kinds:
        begin = time.perf_counter()
        try:
            found[kind.name] = measure(kind)
        except (Missing, RuntimeError, OSError) as reason:
            print(f"{kind.name}: {str(reason).splitlines()[0]}", file=sys.stderr)
        print(f"  {kind.name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return found


def pages(run: Run) -> ByIndex:
    """Measure pages, metadata and files of a project of ``run.files`` files, under load."""
    shelf = fill_shelf(run.folder("shelf"), {PROJECT: run.files}, large_bytes=run.large_bytes)

    def measure(kind: Kind) -> dict[str, Figures]:
        with started(run, kind, shelf, PROJECT) as (index, _, _):
            index.process.settle()
            found: dict[str, Figures] = {}
            if not kind.fills and index.upload_url is not None:
                for project in shelf.projects:
                    folder = str(shelf.path / project)
                    wanted = uploading(run, index, project=project, folder=folder)
                    found[f"filled {project}"] = upload(wanted)
            warm = replace(run.load, seconds=1.0)
            for name, (url, headers, connections) in _targets(index).items():
                warm.rate(url, headers, connections=connections)  # what is asked for the first time is no hot answer
                rate = run.load.rate(url, headers, connections=connections)
                found[name] = rate.as_dict()
            found["memory"] = {"resident": index.process.resident()}
            return found

    return each(run.kinds, measure)


def _targets(index: Index) -> dict[str, tuple[str, dict[str, str], int]]:
    """Return what an index can be asked for: address, headers and connections by the measure's name."""
    found: dict[str, tuple[str, dict[str, str], int]] = {}
    for form, media_type in TYPES.items():
        url = index.page(PROJECT, form)
        plain = {"Accept": media_type, "Accept-Encoding": "identity"}
        zipped = {"Accept": media_type, "Accept-Encoding": "gzip"}
        answer, _ = _get(url, plain)
        if answer.get("Content-Type", "").partition(";")[0] != media_type:
            continue
        found[f"page {form}"] = (url, plain, 16)
        coded, _ = _get(url, zipped)
        found[f"page {form} gzip"] = (url, zipped, 16)  # as pip asks; who does not compress answers as it can
        if coded.get("ETag"):
            found[f"page {form} 304"] = (url, {**zipped, "If-None-Match": coded["ETag"]}, 16)
    file, has_metadata = _first_file(index, PROJECT)
    if has_metadata:
        found["metadata"] = (f"{file}.metadata", {}, 16)
    found["small file"] = (file, {}, 16)
    with suppress(urllib.error.URLError, LookupError):  # an index that did not take it
        found["large file"] = (_first_file(index, LARGE)[0], {}, 4)
    return found


def _get(url: str, headers: dict[str, str]) -> tuple[Message, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=120) as answer:
        return answer.headers, answer.read()


def _first_file(index: Index, project: str) -> tuple[str, bool]:
    """Return the address of a project's first file, and whether it has a metadata file."""
    url = index.page(project, "json")
    headers, body = _get(url, {"Accept": f"{TYPES['json']}, text/html;q=0.1"})
    if "json" in headers.get("Content-Type", ""):
        entry = json.loads(body)["files"][0]
        return urljoin(url, entry["url"]).partition("#")[0], bool(entry.get("core-metadata"))
    anchor = re.search(r'<a\s[^>]*?href="([^"]+)"[^>]*>', body.decode())
    if anchor is None:
        raise LookupError(url)
    return urljoin(url, html.unescape(anchor[1])).partition("#")[0], "data-core-metadata" in anchor[0]


def uploads(run: Run) -> ByIndex:
    """Measure ``run.uploads`` small wheels going into an empty index, over 16 connections."""
    nothing = Shelf(path=run.folder("shelf"), projects=())

    def measure(kind: Kind) -> dict[str, Figures]:
        with started(run, kind, nothing, PROJECT) as (index, _, _):
            sent = upload(uploading(run, index, count=run.uploads))
            return {"uploads": sent, "memory": {"resident": index.process.resident()}}

    return each([kind for kind in run.kinds if kind.uploads], measure)


def cold(run: Run) -> ByIndex:
    """Measure the time from a start to the first page, and memory, with many files in many projects."""
    count = max(1, run.scale_files // run.scale_projects)
    shelf = fill_shelf(run.folder("shelf"), {f"bench-{number}": count for number in range(run.scale_projects)})

    def measure(kind: Kind) -> dict[str, Figures]:
        # the files are in the page cache for everybody, and the home is filled before the clock starts
        with started(run, kind, shelf, "bench-7") as (index, seconds, _):
            figures: dict[str, Figures] = {"first page": {"seconds": round(seconds, 3)}}
            index.process.settle()
            figures["memory"] = {"resident": index.process.resident()}
            figures["page"] = _loaded(run, index, "bench-7")
            figures["memory under load"] = {"resident": index.process.resident()}
            return figures

    return each([kind for kind in run.kinds if kind.fills and kind.name != "proxpi"], measure)


def _loaded(run: Run, index: Index, project: str) -> Figures:
    """Put load on a project's page in the index's best format, compressed where it can."""
    headers = {"Accept": f"{TYPES['json']}, text/html;q=0.1", "Accept-Encoding": "gzip"}
    rate: Rate = run.load.rate(index.page(project, "json"), headers)
    return rate.as_dict()


def huge(run: Run) -> ByIndex:
    """Measure a project of very many files: the first page, three more one after the other, and load."""
    shelf = fill_shelf(run.folder("shelf"), {PROJECT: run.huge, "small": 1})

    def measure(kind: Kind) -> dict[str, Figures]:
        with started(run, kind, shelf, "small") as (index, _, _):
            headers = {"Accept": f"{TYPES['json']}, text/html;q=0.1", "Accept-Encoding": "gzip"}
            times, body = [], b""
            for _ in range(1 + _SEQUENTIAL):
                begin = time.perf_counter()
                _, body = _get(index.page(PROJECT, "json"), headers)
                times.append(time.perf_counter() - begin)
            found: dict[str, Figures] = {
                "first page": {"seconds": round(times[0], 3), "bytes": len(body)},
                "later page": {"seconds": round(min(times[1:]), 3)},
                "memory": {"resident": index.process.resident()},
            }
            if min(times) < 1:
                found["page"] = _loaded(run, index, PROJECT)
            return found

    return each([kind for kind in run.kinds if kind.fills and kind.name != "proxpi"], measure)


def growth(run: Run) -> ByIndex:
    """Measure this server alone, with a thousand files and with up to ``run.scale_files``: what grows, and how."""
    kind = next(kind for kind in KINDS if kind.name == "cpufit")
    found: ByIndex = {}
    size = 1000
    while size <= run.scale_files:
        counts = {f"bench-{number}": 20 for number in range(size // 20)}
        shelf = fill_shelf(run.folder("shelf"), counts)
        with started(run, kind, shelf, "bench-7") as (index, seconds, _):
            found[f"{size:,} files"] = {
                "first page": {"seconds": round(seconds, 3)},
                "page": _loaded(run, index, "bench-7"),
                "list of projects": run.load.rate(index.index_url, {"Accept": TYPES["json"]}).as_dict(),
                "uploads": upload(uploading(run, index, count=min(run.uploads, 200))),
                "memory": {"resident": index.process.resident()},
            }
        size *= 10
    return found


def uploading(
    run: Run, index: Index, *, project: str = "bench-uploads", folder: str | None = None, count: int = 0
) -> Uploading:
    """Return what is to be uploaded to an index, and as whom."""
    return Uploading(
        url=index.upload_url or index.index_url,
        username=index.username,
        password=index.password,
        project=project,
        folder=folder,
        count=count,
        seconds=run.upload_seconds,
    )


PHASES: dict[str, Callable[[Run], ByIndex]] = {
    "pages": pages,
    "uploads": uploads,
    "cold": cold,
    "huge": huge,
    "growth": growth,
}
