"""What is set up around this command: the index that is meant, and what a person should be warned of."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cpufit_pip_plugin.telling.user_data import VARIABLE, token_in
from cpufit_resolver import CpufitError, CpuProfile, InvalidCpuToken
from cpufit_resolver.detection import DetectedCpu
from cpufit_resolver.detection.decide import EMULATOR
from cpufit_resolver.features import architecture

from .installers import (
    Surroundings,
    Warned,
    extra_index_warnings,
    pip_config_paths,
    pip_index,
    read_existing,
    uv_config_paths,
)

if TYPE_CHECKING:
    from .index import IndexAddress


_MOST_NAMED = 3


class NoIndex(CpufitError):
    """A project was asked for, and nobody says where."""

    code = "no-index"


def pip_files() -> list[tuple[str, str]]:
    """Return the places and texts of pip's settings."""
    return read_existing(pip_config_paths(_surroundings()))


def _surroundings() -> Surroundings:
    home = Path(os.environ.get("HOME") or os.environ.get("USERPROFILE") or "~")
    return Surroundings(
        environ=os.environ, platform=sys.platform, home=home, prefix=Path(sys.prefix), folder=Path.cwd()
    )


def index_address(given: str | None) -> IndexAddress:
    """Return the index that is meant: the one given, CPUFIT_INDEX, or the one that pip is told to use.

    :raises NoIndex: nobody names one
    :raises InvalidIndexUrl: what names one is no URL
    """
    from .index import read_address  # noqa: PLC0415  # the report on a CPU needs no index

    url = given or os.environ.get("CPUFIT_INDEX") or pip_index(os.environ, pip_files())
    if not url:
        raise NoIndex("no index to ask", hint="give --index URL, or set CPUFIT_INDEX, or pip's index-url")
    return read_address(url)


def warnings_for(cpu: DetectedCpu, address: IndexAddress | None) -> list[Warned]:
    """Return what a person on this machine should know."""
    own = None if address is None else f"{address.base}/simple"
    uv_files = read_existing(uv_config_paths(_surroundings()))
    found = extra_index_warnings(os.environ, pip_files(), uv_files, own)
    told = token_in(os.environ.get(VARIABLE, ""))
    claims = [(VARIABLE, told), ("the index URL", address.token if address is not None else None)]
    found += _uv_warning(cpu)
    return found + [warning for where, token in claims for warning in _overclaims(cpu, where, token)]


def _overclaims(cpu: DetectedCpu, where: str, token: str | None) -> list[Warned]:
    if not token or cpu.source in ("argument", "environment", "file", "cpufit.toml"):
        return []
    try:
        told = CpuProfile.parse(token, strict=False)
    except InvalidCpuToken:
        told = cpu.profile
    missing = told.features - cpu.profile.features
    if told.arch == cpu.profile.arch and not missing:
        return []
    lacking = ", ".join(sorted(missing)) if told.arch == cpu.profile.arch else told.arch
    message = f"{where} tells of another CPU, with {lacking}: wheels that die here may be installed"
    return [Warned(code="profile-of-another-cpu", message=message, where=where)]


def _uv_warning(cpu: DetectedCpu) -> list[Warned]:
    """Warn where uv's preview of wheel variants would detect wrongly.

    It reads ``/proc/cpuinfo``, which an emulator leaves as the host has it.
    """
    beyond = frozenset[str]().union(*(hidden.features for hidden in cpu.hidden if hidden.by == EMULATOR))
    if not beyond or cpu.profile.arch != "x86_64":
        return []
    telling = sorted(beyond & architecture("x86_64").levels[-1].features) or sorted(beyond)
    more = f" and {len(telling) - _MOST_NAMED} more" if len(telling) > _MOST_NAMED else ""
    names = ", ".join(telling[:_MOST_NAMED]) + more
    message = (
        f"uv --preview-features wheel-variants takes this CPU for its host's, with {names}: "
        "it would install wheels that die here; let it ask an index URL that names the CPU "
        f"(/cpu/{cpu.profile.token}/simple/) without that preview"
    )
    return [Warned(code="uv-detects-another-cpu", message=message, where="uv")]
