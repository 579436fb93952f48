"""Judging one run: it ended well, or died by the wheel's own doing, or by another's; where, at which instruction."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cpufit_resolver.errors import CpufitError

from .report import Fault, Run, printable
from .run import SITE, Attempt

_INSIDE = f"{SITE}/"
_LIBRARY_SAID = re.compile(rf"({_INSIDE}[^:]+): ")
_NOT_BY_A_CPU = frozenset(
    {signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGINT, signal.SIGHUP}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is judged: a wheel, installed."""

    members: Mapping[str, str]
    """Where each file of the wheel was installed, in the folder, and its name in the wheel."""
    site: Path
    """Where the folder lies outside the sandbox."""
    prefix: Path
    """The interpreter's."""

    def libraries(self, attempt: Attempt) -> tuple[str, ...]:
        """Return the wheel's own libraries that an attempt maps."""
        installed = (path.removeprefix(_INSIDE) for path in attempt.trace.libraries)
        return tuple(self.members[path] for path in installed if path in self.members)

    def owns(self, path: str) -> bool:
        """Tell whether a file, by its name in the folder or the wheel, is the wheel's own."""
        return path in self.members or path in self.members.values()


def judged(model: str, attempt: Attempt, wanted: frozenset[str], control: tuple[str, ...], subject: Subject) -> Run:
    """Return what a run tells of the wheel.

    :param wanted: what had to be imported, the empty text for the smoke snippet; all of it could be, on the control
    :param control: the libraries that the control mapped
    """
    libraries = subject.libraries(attempt)
    run = Run(model=model, result="inconclusive", seconds=attempt.seconds, libraries=libraries)
    if attempt.complete and wanted <= attempt.done and attempt.ended.status == 0:
        if control and not set(control) & set(libraries):
            return replace(run, told="it ends well there without any of the libraries that it loads elsewhere")
        return replace(run, result="ok")
    limit = _limit(attempt)
    if limit is not None:
        return replace(run, told=limit)
    fault = _fault(attempt, subject)
    owner = _owner(attempt, fault)
    if owner is not None and not subject.owns(owner):
        return replace(run, fault=fault, told=f"a dependency dies there: {fault.text}, in {printable(owner)}")
    return replace(run, result="died", fault=fault)


def _limit(attempt: Attempt) -> str | None:
    """Return which limit ended a run, or somebody else; no CPU does that."""
    if attempt.ended.timed_out:
        return f"it did not end in {attempt.seconds:.0f} s"
    if attempt.ended.too_large or any(one.how == "MemoryError" for one in attempt.failed):
        return "it wants more memory than it may have"
    if -attempt.ended.status in _NOT_BY_A_CPU:
        return f"it was ended by {signal.Signals(-attempt.ended.status).name}"
    return None


def _fault(attempt: Attempt, subject: Subject) -> Fault:
    trace = attempt.trace
    # a signal that was caught, or that struck another process, is not what ended this one
    if trace.signal is None or attempt.ended.status != -signal.Signals[trace.signal]:
        if attempt.failed:
            return Fault(how=attempt.failed[0].how, said=attempt.failed[0].said)
        return Fault(how=f"exit status {attempt.ended.status}")
    place = trace.at(trace.address) if trace.address is not None and trace.signal == "SIGILL" else None
    if place is None:
        return Fault(how=trace.signal)
    path, offset = place
    inside = path.removeprefix(_INSIDE)
    real = _outside(path, subject)
    instruction, function, features = ("", "", ()) if real is None else _instruction(real, offset)
    return Fault(
        how=trace.signal,
        library=printable(subject.members.get(inside, inside)),
        offset=offset,
        function=function,
        instruction=instruction,
        features=features,
    )


def _outside(path: str, subject: Subject) -> Path | None:
    """Return the file that a trace speaks of; none where it lies elsewhere, since a trace can be forged."""
    if path.startswith(_INSIDE):
        real = subject.site / path.removeprefix(_INSIDE)
    elif any(Path(path).is_relative_to(place) for place in ("/usr", "/lib", "/lib64", subject.prefix)):
        real = Path(path)
    else:
        return None
    return real if real.is_file() else None


def _owner(attempt: Attempt, fault: Fault) -> str | None:
    """Return the file in the environment that a death belongs to; None where nothing tells."""
    if fault.library:  # an absolute path is the interpreter's or the system's
        return fault.library
    frames = attempt.fatal_frames
    if attempt.failed and not frames:
        if attempt.dependencies:
            return attempt.dependencies[0]
        refused = _LIBRARY_SAID.match(attempt.failed[0].said)  # by the loader, for its level of the ISA
        frames = (refused[1],) if refused else tuple(reversed(attempt.failed[0].frames))
    for frame in frames:
        if frame.startswith(_INSIDE):
            return frame.removeprefix(_INSIDE)
    return None


def _instruction(path: Path, offset: int) -> tuple[str, str, tuple[str, ...]]:
    """Return mnemonic, function and needed features of an instruction in a library; empty where they cannot be told."""
    import numpy as np  # noqa: PLC0415  # where something died alone

    from cpufit_wheelhouse.machine_code.bits import names_of  # noqa: PLC0415  # as above
    from cpufit_wheelhouse.machine_code.containers import read_images  # noqa: PLC0415  # as above
    from cpufit_wheelhouse.machine_code.x86_64 import instruction_at, instruction_mask  # noqa: PLC0415  # as above

    try:
        (image,) = read_images(np.fromfile(path, np.uint8), path.name)
    except (OSError, ValueError, CpufitError):
        return "", "", ()
    code = next((one for one in image.code if one.offset <= offset < one.offset + one.size), None)
    if code is None or image.arch != "x86_64":
        return "", "", ()
    address = offset - code.offset + code.address
    _, mask = instruction_mask(image.data[offset : offset + 16].tobytes())
    features = tuple(sorted(name for name in names_of("x86_64", mask) if not name.startswith(":")))
    return instruction_at(image, address) or "", image.name_at(address) or "", features
