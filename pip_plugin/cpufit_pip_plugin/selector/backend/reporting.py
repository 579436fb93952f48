"""Telling the index of a refusal, so that it can count what is wanted: anonymous, in the background, at most once.

The report holds the release, why nothing of it fits, Python, platform, and the CPU as far as the release's wheels and
its levels go. It carries no credentials, name or path. An index offers to take it in the selector's own data;
``CPUFIT_NO_REPORT`` or ``DO_NOT_TRACK`` keep it from being sent.
"""

from __future__ import annotations

import json
import threading
from http.client import HTTPException
from typing import Mapping, Sequence

from .failures import DownloadFailed
from .release import Release
from .transport import Transport
from .vendored import CpuProfile, Refusal, canonicalize_name, report_body

TIMEOUT = 2.0
"""Seconds that a report may take, all in all; a refusal waits no longer for it."""
SILENCERS = ("CPUFIT_NO_REPORT", "DO_NOT_TRACK")
"""Variables that keep reports from being sent; empty, ``0`` and ``false`` do not."""


class Report:
    """One report on its way."""

    def __init__(self, transport: Transport, url: str, body: Mapping[str, object]) -> None:
        self._transport = transport
        self._url = url
        self._body = body
        self._arrived = False
        # a daemon: where name resolution hangs, the build ends all the same
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def arrived(self) -> bool:
        """Tell whether the index took it; waits for that, but not long."""
        self._thread.join(TIMEOUT)
        return self._arrived

    def _send(self) -> None:
        try:
            self._transport.tell(self._url, json.dumps(self._body).encode(), timeout=TIMEOUT)
        except (OSError, HTTPException, DownloadFailed, ValueError):
            return  # nothing depends on it
        self._arrived = True


def may_report(release: Release, environ: Mapping[str, str]) -> bool:
    """Tell whether the index takes reports, and nobody here keeps them from being sent."""
    silent = any(environ.get(name, "").strip().lower() not in ("", "0", "false") for name in SILENCERS)
    return release.wanted and not silent


def report_of(
    release: Release, profile: CpuProfile, refusals: Sequence[Refusal], best_tag: str, python: str
) -> Mapping[str, object]:
    """Return what the index is told; parameters as for :func:`cpufit_resolver.wanted.report_body`."""
    needs = [wheel.need for wheel in release.wheels if wheel.need is not None]
    name = canonicalize_name(release.project)
    return report_body(name, release.version, profile, refusals, needs, best_tag=best_tag, python=python)


def begin_report(
    release: Release,
    transport: Transport,
    profile: CpuProfile,
    refusals: Sequence[Refusal],
    best_tag: str,
    python: str,
) -> Report:
    """Begin to tell the index; it goes on while the refusal is put into words."""
    body = report_of(release, profile, refusals, best_tag, python)
    return Report(transport, f"{release.api_url}/api/v1/wanted", body)
