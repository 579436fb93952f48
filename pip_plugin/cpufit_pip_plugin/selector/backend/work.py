"""What the hooks do: choose for this machine, then fetch metadata or the wheel."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from . import source_build
from .alternatives import Alternative, Taker, newest_fitting, newest_of_other
from .download import fetch, fetch_bytes
from .explain import Instead, explain
from .failures import DownloadFailed, NothingFits
from .release import Release, RemoteFile, WheelFile, read_release
from .reporting import begin_report, may_report
from .transport import BrokenConnection, Transport
from .vendored import (
    CpufitError,
    DetectedCpu,
    Selection,
    canonicalize_name,
    missing_features,
    profile_for,
    select,
    sys_tags,
)

API_TIMEOUT = 10.0
"""Seconds to wait for the list of releases: it only makes a refusal more helpful."""
API_LIMIT = 32 << 20
"""Longest list of releases read, in bytes."""


@dataclass(frozen=True)
class Plan:
    """What this machine gets: a wheel, or where none fits the release's source."""

    release: Release
    cpu: DetectedCpu
    transport: Transport
    wheel: WheelFile | None
    source: RemoteFile | None


def run(action: Callable[[], str]) -> str:
    """Return what the action returns; what it cannot do goes to stderr as a sentence, and the build ends."""
    try:
        return action()
    except CpufitError as error:
        sys.stderr.write(f"\ncpufit: {error}\n\n")
        sys.stderr.flush()
        raise SystemExit(1) from None


def narrate(sentence: str) -> None:
    """Tell the user what goes on; installers show it with ``-v``, and when the build fails."""
    sys.stderr.write(f"cpufit: {sentence}\n")
    sys.stderr.flush()


def write_metadata(folder: str, settings: Mapping[str, object]) -> str:
    """Write the ``.dist-info`` of what this machine gets (PEP 517), and return its name."""
    plan = make_plan(settings)
    if plan.wheel is None:
        # the wheels' dependencies: building the source only to read its own would build it twice
        stem = f"{canonicalize_name(plan.release.project).replace('-', '_')}-{plan.release.version}"
        metadata = (Path(__file__).resolve().parent.parent / "PKG-INFO").read_bytes()
        tags = ["py3-none-any"]
    else:
        stem = "-".join(plan.wheel.filename.split("-")[:2])
        what = f"the metadata of {plan.wheel.filename}"
        metadata = fetch_bytes(plan.transport, f"{plan.wheel.url}.metadata", plan.wheel.metadata_sha256, what)
        tags = sorted(plan.wheel.candidate.tags)
    place = Path(folder) / f"{stem}.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_bytes(metadata)
    lines = ["Wheel-Version: 1.0", f"Generator: cpufit {plan.release.cpufit}", "Root-Is-Purelib: false"]
    (place / "WHEEL").write_text("\n".join([*lines, *(f"Tag: {tag}" for tag in tags), ""]), encoding="utf-8")
    return place.name


def fetch_wheel(folder: str, settings: Mapping[str, object]) -> str:
    """Put what this machine gets into a folder, and return the wheel's file name."""
    plan = make_plan(settings)
    Path(folder).mkdir(parents=True, exist_ok=True)
    if plan.wheel is not None:
        return fetch(plan.transport, plan.wheel, Path(folder), narrate).name
    if plan.source is None:
        raise AssertionError("a plan holds a wheel or a source")
    return source_build.build(plan.transport, plan.release, plan.source, Path(folder), settings, narrate)


def make_plan(settings: Mapping[str, object]) -> Plan:
    """Choose for this machine.

    :raises NothingFits: no wheel runs here, and the index allows no build of the source
    :raises InvalidCpuToken: CPUFIT_CPU or its file cannot be read
    """
    release = read_release()
    cpu = profile_for(None, os.environ, project=release.project, folder=_users_folder(os.environ))
    tags = [str(tag) for tag in sys_tags()]
    transport = Transport(release.api_url, os.environ, agent=f"cpufit-selector/{release.cpufit}")
    found = select(
        (wheel.candidate for wheel in release.wheels),
        cpu.profile,
        tags,
        allow_unknown=release.allow_unknown,
        allow_import_only=os.environ.get("CPUFIT_ALLOW_IMPORT_ONLY") in ("1", "true", "yes"),
    )
    if found.chosen is not None:
        wheel = release.wheel(found.chosen.key)
        narrate(f"{release.project} {release.version} on {cpu.profile.level}: {wheel.filename}{_need_text(wheel)}")
        if wheel.filename in found.import_only and wheel.need is not None:
            missing = missing_features(wheel.need, cpu.profile, wheel.candidate.platform_tags)
            narrate(f"import only, as CPUFIT_ALLOW_IMPORT_ONLY asks: what needs {', '.join(sorted(missing))} dies here")
        if settings:
            narrate(f"these settings have no effect on a wheel that is built already: {', '.join(sorted(settings))}")
        return Plan(release, cpu, transport, wheel, None)
    if release.source is not None:
        narrate(f"no wheel of {release.project} {release.version} runs here; the index allows building its source")
        return Plan(release, cpu, transport, None, release.source)
    raise _refusal(release, cpu, transport, found, tags)


def _refusal(
    release: Release, cpu: DetectedCpu, transport: Transport, found: Selection, tags: Sequence[str]
) -> NothingFits:
    """Return the refusal, with what fits instead; the index is told of it meanwhile where it counts refusals."""
    python = platform.python_version()
    report = None
    if may_report(release, os.environ):
        report = begin_report(release, transport, cpu.profile, found.refusals, tags[0], python)
    alternative, answered = _alternative(release, transport, Taker(cpu.profile, tags, python))
    instead = Instead(
        release=alternative,
        index_answered=answered,
        import_only=_import_only(release, cpu, tags),
        counted=report is not None and report.arrived(),
    )
    quote = '"' if os.name == "nt" else "'"
    return NothingFits(explain(release, cpu, found.refusals, tags[0], instead, quote))


def _import_only(release: Release, cpu: DetectedCpu, tags: Sequence[str]) -> str | None:
    """Return the wheel of this release that can be imported though not wholly used; None where there is none."""
    wheels = (wheel.candidate for wheel in release.wheels)
    chosen = select(wheels, cpu.profile, tags, allow_import_only=True).chosen
    return None if chosen is None else chosen.filename


def _users_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder in which the installer was started, where the shell tells.

    The backend's own is a temporary one, below folders into which others may write.
    """
    told = environ.get("PWD", "")
    return Path(told) if Path(told).is_absolute() else None


def _need_text(wheel: WheelFile) -> str:
    if wheel.need is None:
        return " (what it needs is unknown; the index lets it pass)"
    return f" (needs {wheel.need.key})" if wheel.need.by_arch else ""


def _project(release: Release, name: str, transport: Transport) -> Mapping[str, Any]:
    url = f"{release.api_url}/api/v1/projects/{canonicalize_name(name)}"
    with transport.get(url, {"Accept": "application/json"}, timeout=API_TIMEOUT) as response:
        document: Mapping[str, Any] = json.loads(response.read(API_LIMIT))
    return document


def _alternative(release: Release, transport: Transport, taker: Taker) -> tuple[Alternative | None, bool]:
    """Return the newest release that fits, None where there is none; and whether the index told its releases."""
    try:
        document = _project(release, release.project, transport)
        own = newest_fitting(document, release.project, release.version, taker)
        if own is not None or not document.get("instead"):
            return own, True
        return newest_of_other(_project(release, document["instead"], transport), taker), True
    except (BrokenConnection, DownloadFailed, OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        # a refusal without advice is still a refusal
        return None, False
