"""Telling an index what is wanted and not there, where somebody asks for it with ``--report``.

The report is that of a selector (:mod:`cpufit_pip_plugin.selector.backend.reporting`): release, missing features,
Python, platform, and the CPU as far as its levels and the project's files go; no credentials, no name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packaging.version import InvalidVersion, Version

from cpufit_resolver import CpuProfile
from cpufit_resolver.wanted import report_body

from .index import IndexAddress, IndexProject, certificates
from .judge import JudgedRelease

TIMEOUT_SECONDS = 5


def newest_unmet(releases: Sequence[JudgedRelease]) -> JudgedRelease | None:
    """Return the newest release, where nothing of it fits; a pre-release only where there is no final one.

    :param releases: newest first
    """
    final = [release for release in releases if not _is_prerelease(release.version)]
    newest = next(iter(final or releases), None)
    return None if newest is None or newest.fits else newest


def _is_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return True  # no installer takes it by itself


def report_of(
    project: IndexProject, release: JudgedRelease, profile: CpuProfile, best_tag: str, python: str
) -> Mapping[str, object]:
    """Return what the index is told of one release; parameters as for :func:`cpufit_resolver.wanted.report_body`."""
    needs = [file.need for _, files in project.releases for file in files if file.need is not None]
    return report_body(
        project.name, release.version, profile, release.refusals, needs, best_tag=best_tag, python=python
    )


def send_report(address: IndexAddress, body: Mapping[str, object], environ: Mapping[str, str]) -> bool:
    """Tell an index; False where it does not take reports or does not answer."""
    import httpx  # noqa: PLC0415  # 100 ms that only this mode pays

    try:
        # without a word about it, httpx would take credentials from netrc
        proxy, trust = environ.get("PIP_PROXY") or None, certificates(environ)
        client = httpx.Client(verify=trust, timeout=TIMEOUT_SECONDS, auth=httpx.Auth(), proxy=proxy)
        with client:
            answer = client.post(f"{address.shown}/api/v1/wanted", json=dict(body))
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False
    return answer.status_code == 204
