"""Which CPU is meant: the one that somebody names, by token or microarchitecture, else the one that is here."""

# ruff: noqa: TID252  # inside the selector this package has another name, so its parent must be relative
from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Mapping

from ..errors import CpufitError
from ..microarchitectures import close_microarchitecture, named_profile
from ..profile import CpuProfile
from .decide import DetectedCpu

VARIABLE = "CPUFIT_CPU"
FILE_VARIABLE = "CPUFIT_CPU_FILE"


def override_path(environ: Mapping[str, str], platform: str, home: Path) -> Path:
    """Return where the file that names a CPU stands: ``CPUFIT_CPU_FILE``, else ``cpufit/cpu`` in the user's settings.

    :param platform: as :data:`sys.platform`
    :param home: the user's home folder
    """
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    return settings_folder(environ, platform, home) / "cpu"


def settings_folder(environ: Mapping[str, str], platform: str, home: Path) -> Path:
    """Return cpufit's folder among the user's settings.

    :param platform: as :data:`sys.platform`
    :param home: the user's home folder
    """
    if platform == "win32":
        settings = environ.get("APPDATA") or home / "AppData" / "Roaming"
    elif platform == "darwin":
        settings = home / "Library" / "Application Support"
    else:
        settings = environ.get("XDG_CONFIG_HOME") or home / ".config"
    return Path(settings) / "cpufit"


def read_override_file(path: Path) -> str | None:
    """Return the text of a file; None where there is none that may be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def overriding_profile(
    argument: str | None, environ: Mapping[str, str], read_file: Callable[[], tuple[str, str | None]]
) -> DetectedCpu | None:
    """Return the CPU that somebody names: an argument before ``CPUFIT_CPU`` before the file; None if nobody does.

    :param read_file: gives the file's place and its text; asked only where nothing comes before it. In the file,
        empty lines and lines that begin with ``#`` say nothing; the first other line is the token.
    :raises InvalidCpuToken: what was named cannot be read
    :raises UnknownCpuFeature: it names a level or a feature that nobody knows
    """
    if argument is not None:
        return named_cpu(argument, "--cpu", "argument")
    if environ.get(VARIABLE, "").strip():
        return named_cpu(environ[VARIABLE], VARIABLE, "environment")
    path, text = read_file()
    lines = (line.strip() for line in (text or "").splitlines())
    token = next((line for line in lines if line and not line.startswith("#")), None)
    return None if token is None else named_cpu(token, path, "file")


def named_cpu(token: str, where: str, source: str) -> DetectedCpu:
    """Return the CPU that a token or a microarchitecture's name stands for.

    :param where: where it stands, for the error
    :raises InvalidCpuToken: it cannot be read
    """
    try:
        found = named_profile(token)
        if found is not None:
            return DetectedCpu(profile=found[1], source=source, brand=found[0])
        return DetectedCpu(profile=CpuProfile.parse(token), source=source)
    except CpufitError as error:
        error.where = where
        meant = close_microarchitecture(token)
        if meant is not None:
            error.hint = f"did you mean {meant!r}?"
        raise


def profile_for(argument: str | None, environ: Mapping[str, str], detect: Callable[[], DetectedCpu]) -> DetectedCpu:
    """Return the CPU that is meant: see :func:`overriding_profile`; else what ``detect`` finds."""

    def read_file() -> tuple[str, str | None]:
        path = override_path(environ, sys.platform, home_folder(environ))
        return str(path), read_override_file(path)

    return overriding_profile(argument, environ, read_file) or detect()


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return the user's home folder, also where a container runs under a user id without a name."""
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or "~")
