"""Judging installed packages by trying them: each imported by the environment's own Python, in a process of its own.

This is for CPUs that cannot run what reads machine code. It runs the packages, as any program in that environment
would; it says which library kills the process, and knows the missing features only where the package states them.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cpufit_resolver import CpuProfile
from cpufit_wheelhouse.inspection.statements import stated_features
from cpufit_wheelhouse.installed import Installed, statement_texts
from cpufit_wheelhouse.probe.modules import extension_module, importable_modules

from .blame import Ending, blamed
from .interpreter import Environment
from .judged import JudgedPackage

TRIED = Path(__file__).with_name("tried.py")
TIME_LIMIT = 180
"""Seconds for one package; emulation is ten times slower than the machine."""
_MOST_MODULES = 24


def try_packages(
    environment: Environment,
    everything: Sequence[Installed],
    packages: Sequence[Installed],
    profile: CpuProfile,
    tell: Callable[[str], None],
) -> tuple[JudgedPackage, ...]:
    """Return what each package is on the CPU of its own Python.

    :param everything: all that is installed: who owns a file that a process died in
    :param packages: those to try
    :param tell: hears of each before it is tried
    """
    owners = {os.path.realpath(path): one.name for one in everything for path in one.files.values()}
    judged = []
    for number, package in enumerate(packages, start=1):
        tell(f"{package.name} {package.version} ({number} of {len(packages)})")
        judged.append(_tried(environment, package, owners, profile))
    return tuple(judged)


def _tried(environment: Environment, package: Installed, owners: dict[str, str], profile: CpuProfile) -> JudgedPackage:
    modules = modules_of(package)
    if not modules:
        reason = "it has no module that can be imported"
        return JudgedPackage(
            name=package.name, version=package.version, state="not-told", method="trial", reason=reason
        )
    with tempfile.TemporaryDirectory(prefix="cpu-check-") as folder:
        ending = _ending(environment, modules, Path(folder))
    return blamed(package, ending, owners, _stated(package, profile))


def modules_of(package: Installed) -> tuple[str, ...]:
    """Return what to import of a package: what its users import first, then its extension modules by themselves."""
    members = [name for name in package.files if ".data/" not in name and ".dist-info/" not in name]
    extensions = (extension_module(name) for name in package.natives if "test" not in name.lower())
    found = [*importable_modules(members), *(name for name in extensions if name is not None)]
    return tuple(dict.fromkeys(found))[:_MOST_MODULES]


def _ending(environment: Environment, modules: Sequence[str], folder: Path) -> Ending:
    record, stack, output = folder / "record", folder / "stack", folder / "output"
    sites = json.dumps([str(place.site) for place in environment.places])
    command = [str(environment.python), "-I", str(TRIED), str(record), str(stack), sites, *modules]
    with output.open("wb") as out:
        try:
            # not in the folder of whoever asks: what lies there is no part of the environment
            done = subprocess.run(  # noqa: S603  # the person's own Python and packages
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder, timeout=TIME_LIMIT, check=False
            )
            status: int | None = done.returncode
        except subprocess.TimeoutExpired:
            status = None
    return Ending(
        status=status,
        rows=tuple(_rows(record)),
        stack=_text(stack),
        output=_text(output),
    )


def _rows(record: Path) -> list[tuple[str, str]]:
    rows = []
    for line in _text(record).splitlines():
        try:
            what, subject = json.loads(line)
        except ValueError:  # a process that died while it wrote
            break
        rows.append((str(what), str(subject)))
    return rows


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _stated(package: Installed, profile: CpuProfile) -> frozenset[str]:
    """Return the features that the package itself says it was compiled for, and that this CPU lacks."""
    texts = statement_texts(package.files)
    stated = (stated_features(name, text, profile.arch) for name, text in texts)
    return frozenset[str]().union(*stated) - profile.features
