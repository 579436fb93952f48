"""The throw-away environment: the wheel and its dependencies in one folder, and the interpreter that it wants.

Only wheels are installed, so nothing of them runs here: pip unpacks (:mod:`.install`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cpufit_wheelhouse.filename import WheelFilename

from .install import install
from .options import ProbeOptions

_ASK = (
    "import sys, sysconfig; print(sys.base_prefix, sys.executable, sysconfig.get_config_var('SOABI') or '', sep='\\n')"
)

ARM64_INSIDE = Path("/probe/root")
"""Where an unpacked arm64 Debian is seen inside the sandbox."""


class EnvironmentUnavailable(Exception):
    """There is no environment for the wheel; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that a probe can run."""

    program: Path
    """The real program: not a shim, not a virtual environment's."""
    prefix: Path
    for_pip: Path
    """The Python that pip runs in: the same one, unless it is another architecture's."""
    pip_options: tuple[str, ...] = ()
    """What pip is told to install for it, where that is not what it runs in."""


def interpreter_for(name: WheelFilename, options: ProbeOptions) -> Interpreter:
    """Return the interpreter that a wheel's tags want.

    :raises EnvironmentUnavailable: none of those wanted is here
    """
    wanted = list(dict.fromkeys(_wanted(name, sys.version_info[:2])))
    for tag in wanted:
        for candidate in _candidates(tag, options.interpreters):
            found = _asked(candidate)
            if found is not None:
                return found
    raise EnvironmentUnavailable(f"no interpreter for {', '.join(wanted) or 'its tags'} is installed")


def _wanted(name: WheelFilename, running: tuple[int, int]) -> Iterable[str]:
    own = f"cp{running[0]}{running[1]}"
    tags = sorted({tuple(tag.split("-", 2)[:2]) for tag in name.tags}, reverse=True)
    for interpreter, abi in tags:
        if interpreter.startswith("py") or (abi == "abi3" and _version(interpreter) <= running):
            yield own
        elif abi in {interpreter, "none", "abi3"}:
            yield interpreter


def _version(tag: str) -> tuple[int, int]:
    digits = tag.removeprefix("cp")
    return (int(digits[:1]), int(digits[1:] or 0)) if tag.startswith("cp") and digits.isdigit() else (99, 0)


def _candidates(tag: str, given: Mapping[str, Path]) -> Iterable[str]:
    if tag in given:
        yield str(given[tag])
    major, minor = _version(tag)
    if (major, minor) == sys.version_info[:2]:
        yield sys.executable
    found = shutil.which(f"python{major}.{minor}")
    if found:
        yield found


def _asked(program: str) -> Interpreter | None:
    try:
        told = subprocess.run(  # noqa: S603  # an interpreter of this machine
            [program, "-I", "-c", _ASK], capture_output=True, text=True, timeout=60, check=True
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    prefix, executable = Path(told[0]).resolve(), Path(told[1]).resolve()
    if Path.home().resolve().is_relative_to(prefix):  # the sandbox would show all of it
        return None
    return Interpreter(program=executable, prefix=prefix, for_pip=executable)


def fill(target: Path, wheel: Path, interpreter: Interpreter, options: ProbeOptions) -> None:
    """Install a wheel with its dependencies into a folder; the wheel lies under its real file name.

    :raises EnvironmentUnavailable: pip cannot, with the end of what it says
    """
    reason = install(target, str(wheel), interpreter.for_pip, interpreter.pip_options, options)
    if reason is not None:
        raise EnvironmentUnavailable(reason)


def add(target: Path, requirement: str, interpreter: Interpreter, options: ProbeOptions) -> bool:
    """Install one thing more, where it can be had."""
    return install(target, requirement, interpreter.for_pip, interpreter.pip_options, options) is None


def arm64_interpreter(name: WheelFilename, root: Path) -> Interpreter:
    """Return the Python of an unpacked arm64 Debian.

    :raises EnvironmentUnavailable: there is none, or the wheel wants another
    """
    found = sorted(root.glob("usr/bin/python3.[0-9]*[0-9]"))
    if not found:
        raise EnvironmentUnavailable("no arm64 Python is unpacked for the probe")
    version = found[-1].name.removeprefix("python")
    running = (3, int(version.partition(".")[2]))
    tag = f"cp3{running[1]}"
    if tag not in _wanted(name, running):
        raise EnvironmentUnavailable(f"the arm64 Python is {version}, and the wheel wants another")
    options = ["--python-version", version, "--implementation", "cp", "--abi", tag, "--abi", "abi3", "--abi", "none"]
    # the glibc of the machine that emulates says nothing of the one in there; Debian 12 has 2.36
    options += [word for minor in range(36, 16, -1) for word in ("--platform", f"manylinux_2_{minor}_aarch64")]
    options += ["--platform", "manylinux2014_aarch64", "--platform", "any"]
    return Interpreter(
        program=ARM64_INSIDE / found[-1].relative_to(root),
        prefix=ARM64_INSIDE / "usr",
        for_pip=Path(sys.executable),
        pip_options=tuple(options),
    )
