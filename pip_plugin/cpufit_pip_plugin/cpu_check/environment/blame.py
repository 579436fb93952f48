"""From how a trial ended to what it says of the package: pure."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from cpufit_wheelhouse.installed import Installed

from .judged import Culprit, JudgedPackage

_ILLEGAL = frozenset({-4, 128 + 4, 0xC000001D})
"""SIGILL, the same as a shell tells it, and Windows' STATUS_ILLEGAL_INSTRUCTION."""
_FRAME = re.compile(r'^  File "([^"<][^"]*)", line \d+', re.MULTILINE)
_REFUSES = re.compile(
    r"built with baseline optimizations|compiled to use \S+ instructions|doesn't support: \(|CPU does not support|"
    r"requires a CPU",
    re.IGNORECASE,
)
"""What packages say that ask the CPU themselves: NumPy, TensorFlow, …"""
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a process ended that imported a package's modules."""

    status: int | None
    """As :mod:`subprocess` counts; None where its time was up."""
    rows: tuple[tuple[str, str], ...]
    """What it wrote down: ``loading``, ``loaded``, ``raised``, ``imported``, and of what."""
    stack: str
    """What faulthandler wrote when it died."""
    output: str

    @property
    def illegal(self) -> bool:
        """Whether an instruction killed it that this CPU does not have."""
        return self.status in _ILLEGAL

    def place(self) -> str | None:
        """Return the file in which it died: a library while it was loaded, else the Python file that was running."""
        open_ones: list[str] = []
        for what, subject in self.rows:
            if what == "loading":
                open_ones.append(subject)
            elif what == "loaded" and subject in open_ones:
                open_ones.remove(subject)
        if open_ones:
            return open_ones[-1]
        frame = _FRAME.search(self.stack)
        return frame.group(1) if frame else None


def blamed(package: Installed, ending: Ending, owners: Mapping[str, str], stated: frozenset[str]) -> JudgedPackage:
    """Return what a trial says of a package.

    :param owners: to whom each installed file belongs
    :param stated: the features that this CPU lacks by the package's own word
    """
    missing = tuple(sorted(stated))
    dead = JudgedPackage(
        name=package.name, version=package.version, state="cannot-run", method="trial", missing=missing
    )
    place = ending.place()
    owner = package.name if place is None else owners.get(os.path.realpath(place))
    if ending.illegal and owner == package.name:
        return _with_library(dead, package, place)
    refusal = _refusal(ending)
    if refusal is not None and package.name.replace("-", "") in refusal.lower().replace("-", "").replace("_", ""):
        return _told(dead, "cannot-run", f"it refuses: {refusal}")
    if ending.illegal:
        other = f"{owner}, which it imports," if owner else f"{place}, which belongs to no package here,"
        return _told(dead, "not-told", f"{other} dies first by an illegal instruction")
    return _alive(dead, ending, refusal)


def _with_library(dead: JudgedPackage, package: Installed, place: str | None) -> JudgedPackage:
    died = "an illegal instruction ends the process when it is imported"
    path = None if place is None else os.path.realpath(place)
    library = next((name for name in package.natives if os.path.realpath(package.files[name]) == path), None)
    if library is None:
        return _told(dead, "cannot-run", died)
    culprit = Culprit(library=library, missing=dead.missing, reason="an illegal instruction while it was loaded")
    return JudgedPackage(
        name=dead.name,
        version=dead.version,
        state="cannot-run",
        method="trial",
        missing=dead.missing,
        culprits=(culprit,),
        reason=died,
    )


def _told(dead: JudgedPackage, state: str, reason: str) -> JudgedPackage:
    known = state == "cannot-run"
    return JudgedPackage(
        name=dead.name,
        version=dead.version,
        state="cannot-run" if known else "runs" if state == "runs" else "not-told",
        method="trial",
        missing=dead.missing if known else (),
        reason=reason,
    )


def _alive(dead: JudgedPackage, ending: Ending, refusal: str | None) -> JudgedPackage:
    imported = [subject for what, subject in ending.rows if what == "imported"]
    raised = [subject for what, subject in ending.rows if what == "raised"]
    if ending.status is None:
        return _told(dead, "not-told", "importing it took too long")
    if ending.status != 0:
        return _told(dead, "not-told", f"importing it ends the process: {_how(ending.status)}")
    if imported:
        return _told(dead, "runs", f"{len(imported)} of its modules can be imported; what it does then was not tried")
    return _told(dead, "not-told", refusal or (raised[0][:_LONGEST] if raised else "nothing of it was imported"))


def _how(status: int) -> str:
    try:
        return f"by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    except ValueError:
        return f"status {status}"


def _refusal(ending: Ending) -> str | None:
    texts = [subject for what, subject in ending.rows if what == "raised"]
    if ending.status != 0:
        texts += [line for line in ending.output.splitlines() if "uncaught target signal" not in line]
    found = next((text for text in texts if _REFUSES.search(text)), None)
    return None if found is None else " ".join(found.split())[:_LONGEST]
