"""Which environment is meant, where its packages lie, and on which CPU its Python runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cpufit_resolver
from cpufit_resolver import CpufitError, CpuProfile
from cpufit_resolver.detection import DetectedCpu, HiddenFeatures
from cpufit_wheelhouse.installed import Place

ASKED = Path(__file__).with_name("asked.py")
TIME_LIMIT = 60
"""Seconds for a Python to start and tell its folders; an emulated one takes two."""


_PROGRAMS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")


class NoEnvironment(CpufitError):
    """What was given is no Python, and no folder with packages in it."""

    code = "no-environment"
    usual_hint = "give the path of a Python, of a virtual environment or of a site-packages folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Packages that belong together, and the Python that imports them."""

    shown: str
    """What a person calls it: the path of its Python or of its folder."""
    places: tuple[Place, ...]
    python: Path | None = None
    """The program; None where there is only a folder."""
    version: str | None = None
    """``3.11``; None where nobody tells."""
    own: bool = False
    """Whether it is the Python that runs this command."""
    cpu: DetectedCpu | None = None
    """The CPU on which its Python runs, where that was told."""


def find_environment(given: str, environ: Mapping[str, str]) -> Environment:
    """Return the environment that is meant.

    :param given: a Python's path, or a folder; empty for the active virtual environment, else this process's own
    :raises NoEnvironment: there is none, or its Python does not start
    """
    path = Path(given or environ.get("VIRTUAL_ENV") or sys.prefix)
    if path.is_dir():
        program = next(
            (one for one in (path / "bin" / "python", path / "Scripts" / "python.exe") if one.exists()), None
        )
        if program is None:
            return _folder(path)
        path = program
    elif not path.is_file():
        raise NoEnvironment("no Python and no folder is here", where=str(path))
    if _is_own(path):
        return _own()
    return _asked(path)


def same_cpu(environment: Environment, profile: CpuProfile) -> bool:
    """Tell whether the environment's Python, started anew, runs on that CPU: it may leave an emulator, or be in one."""
    if environment.python is None:
        return False
    told = environment.cpu if not environment.own else _asked(environment.python).cpu
    return told is not None and told.profile == profile


def _is_own(python: Path) -> bool:
    """Tell by the environment, not by the program: those of all virtual environments are links to one."""
    own = Path(sys.executable)
    return python.parent.resolve() == own.parent.resolve() and python.resolve() == own.resolve()


def _own() -> Environment:
    paths = sysconfig.get_paths()
    sites = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    sites += [paths["purelib"], paths["platlib"]]
    return Environment(
        shown=sys.executable,
        places=_places(sites, sys.prefix, paths["scripts"]),
        python=Path(sys.executable),
        version=f"{sys.version_info.major}.{sys.version_info.minor}",
        own=True,
    )


def _places(sites: list[str], prefix: str, scripts: str) -> tuple[Place, ...]:
    unique = {os.path.realpath(site): Path(site) for site in reversed(sites) if Path(site).is_dir()}
    return tuple(
        Place(site=site, prefix=Path(prefix), scripts=Path(scripts)) for site in reversed(tuple(unique.values()))
    )


def _asked(python: Path) -> Environment:
    command = [str(python), "-I", str(ASKED), str(Path(cpufit_resolver.__file__).parents[1])]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_LIMIT, check=False)  # noqa: S603  # the person's own Python
        told = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise NoEnvironment(f"this Python does not start: {error}", where=str(python)) from error
    if not isinstance(told, dict):
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise NoEnvironment(f"this Python does not start: {last[0]}", where=str(python))
    return Environment(
        shown=str(python),
        places=_places(told["sites"], told["prefix"], told["scripts"]),
        python=python.absolute(),
        version=told["version"],
        cpu=_cpu(told["cpu"]),
    )


def _cpu(told: dict[str, Any] | None) -> DetectedCpu | None:
    if told is None:
        return None
    hidden = tuple(HiddenFeatures(by, frozenset(features), sentence) for by, features, sentence in told["hidden"])
    return DetectedCpu(profile=CpuProfile.parse(told["token"], strict=False), source=told["source"], hidden=hidden)


def _folder(folder: Path) -> Environment:
    """Return the packages of a folder: a site-packages, or an environment whose Python is gone."""
    sites = [folder] if any(folder.glob("*.dist-info")) else sorted(folder.glob("lib/python3*/site-packages"))
    sites = sites or [site for site in (folder / "Lib" / "site-packages",) if site.is_dir()]
    if not sites:
        raise NoEnvironment("no installed packages are in this folder", where=str(folder))
    prefix = folder if sites != [folder] else folder.parents[min(2, len(folder.absolute().parents) - 1)]
    places = _places([str(site) for site in sites], str(prefix), str(prefix / "bin"))
    return Environment(shown=str(folder), places=places)
