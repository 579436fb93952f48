"""Judging one run: it ended well, or died by the wheel's own doing, or by another's; where, at which instruction."""

from __future__ import annotations

from pathlib import Path

from cpufit_resolver.errors import CpufitError

from .report import Fault, Run
from .run import SITE, Attempt

_INSIDE = f"{SITE}/"


def judged(
    model: str, attempt: Attempt, modules: tuple[str, ...], smoke: str, *, members: frozenset[str], site: Path
) -> Run:
    """Return what a run tells of the wheel.

    :param modules: what had to be imported; all of it could be, on the control
    :param members: the wheel's members, to tell its files from its dependencies'
    :param site: where the files lie outside the sandbox
    """
    wanted = {*modules, ""} if smoke else set(modules)
    if attempt.complete and wanted <= attempt.done and attempt.ended.status == 0:
        return Run(model=model, result="ok", seconds=attempt.seconds)
    if attempt.ended.timed_out:
        told = f"it did not end in {attempt.seconds:.0f} s"
        return Run(model=model, result="inconclusive", seconds=attempt.seconds, told=told)
    fault = _fault(attempt, site)
    owner = _owner(attempt, fault)
    if owner is not None and owner not in members:
        told = f"a dependency dies there: {fault.text}, in {owner}"
        return Run(model=model, result="inconclusive", seconds=attempt.seconds, fault=fault, told=told)
    return Run(model=model, result="died", seconds=attempt.seconds, fault=fault)


def _fault(attempt: Attempt, site: Path) -> Fault:
    trace = attempt.trace
    if attempt.complete or trace.signal is None:
        how = str(attempt.failed[0]["how"]) if attempt.failed else f"exit status {attempt.ended.status}"
        return Fault(how=how)
    place = trace.at(trace.address) if trace.address is not None and trace.signal == "SIGILL" else None
    if place is None:
        return Fault(how=trace.signal)
    path, offset = place
    inside = path.removeprefix(_INSIDE)
    real = site / inside if path.startswith(_INSIDE) else Path(path)
    instruction, function, features = _instruction(real, offset)
    return Fault(
        how=trace.signal,
        library=inside,
        offset=offset,
        function=function,
        instruction=instruction,
        features=features,
    )


def _owner(attempt: Attempt, fault: Fault) -> str | None:
    """Return the file in the environment that a death belongs to; None where nothing tells."""
    if fault.library:  # an absolute path is the interpreter's or the system's
        return fault.library
    frames = attempt.fatal_frames
    if attempt.failed and not frames:
        told = attempt.failed[0].get("frames")
        frames = tuple(str(frame) for frame in reversed(told)) if isinstance(told, list) else ()
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
