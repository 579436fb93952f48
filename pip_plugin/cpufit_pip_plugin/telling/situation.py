"""What the three commands ask first: which CPU, which indexes, and which of them are cpufit servers. Input, no output.

What a person should know on the way is collected as notes; the commands write them to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cpufit_pip_plugin.cpu_check.index import IndexAddress
from cpufit_pip_plugin.cpu_check.installers import Surroundings, pip_config_paths, read_existing, uv_config_paths
from cpufit_resolver import CpufitError
from cpufit_resolver.detection import DetectedCpu, profile_for

from .checking import NOT_ASKED, Checked, check
from .indexes import ChosenIndex, index_of_pip, index_of_uv
from .variables import Variables, variables_for

DONE, ATTENTION, USAGE, NOT_CPUFIT = 0, 1, 2, 3


class NotACpufitServer(CpufitError):
    """Something answers at the index that was named, and it is no cpufit server."""

    code = "not-a-cpufit-index"
    usual_hint = "pip and uv can use it as it is; cpufit has nothing to tell it"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the commands share."""
    parser.add_argument(
        "--index-url",
        metavar="URL",
        help="the cpufit index, any of its addresses; default: CPUFIT_INDEX, then what pip and uv are set up to use",
    )
    parser.add_argument("--cpu", metavar="TOKEN", help="tell of another CPU, for example x86_64_v2+avx")
    parser.add_argument(
        "--no-check", action="store_true", help="do not ask whether the index is a cpufit server; take it for one"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known before anything is told."""

    cpu: DetectedCpu
    pip: ChosenIndex | None
    uv: ChosenIndex | None
    """The index whose profile URL uv gets; None leaves uv's index alone."""
    checked: Checked
    """What is known of the index that counts: uv's, else pip's."""
    notes: list[str] = field(default_factory=list)

    @property
    def index(self) -> ChosenIndex | None:
        """The index that counts."""
        return self.uv or self.pip

    def variables(self, environ: Mapping[str, str]) -> Variables:
        """Return what to set."""
        return variables_for(self.cpu.profile.token, environ, self.pip, self.uv)


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Return where settings stand on this machine."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "~")
    return Surroundings(environ=environ, platform=sys.platform, home=home, prefix=Path(sys.prefix), folder=Path.cwd())


def situation_of(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Situation:
    """Find out what there is to tell, and to whom.

    :raises InvalidCpuToken: the CPU that somebody names cannot be read
    :raises InvalidIndexUrl: the index that somebody names is none
    :raises NotACpufitServer: the index that somebody names is another kind of server
    """
    cpu = profile_for(arguments.cpu, environ)
    around = surroundings(environ)
    pip_files, uv_files = (read_existing(paths(around)) for paths in (pip_config_paths, uv_config_paths))
    judge = _Judge(environ, trusting=arguments.no_check)
    uv = judge.usable(index_of_uv(arguments.index_url, environ, uv_files, pip_files))
    pip = judge.usable(index_of_pip(arguments.index_url, environ, pip_files))
    if not judge.asked:
        judge.notes.append("no index is set up: name it with --index-url, here or to pip each time")
    return Situation(cpu=cpu, pip=pip, uv=uv, checked=judge.of(uv or pip), notes=judge.notes)


class _Judge:
    """Asks each index once, and says what becomes of it."""

    def __init__(self, environ: Mapping[str, str], *, trusting: bool) -> None:
        self._environ = environ
        self._trusting = trusting
        self.asked: dict[IndexAddress, Checked] = {}
        self.notes: list[str] = []

    def of(self, choice: ChosenIndex | None) -> Checked:
        return NOT_ASKED if choice is None else self.asked[choice.address]

    def usable(self, choice: ChosenIndex | None) -> ChosenIndex | None:
        """Return the index where it may be told a CPU, else None: it is left alone, and a note says so."""
        if choice is None:
            return None
        known = choice.address in self.asked
        if not known:
            self.asked[choice.address] = NOT_ASKED if self._trusting else check(choice.address, self._environ)
        checked, shown = self.of(choice), choice.address.shown
        if checked.kind == "cpufit" or self._trusting:
            return choice
        if checked.kind == "other":
            if choice.explicit:
                raise NotACpufitServer(f"this is not a cpufit server ({checked.reason})", where=shown)
            note = f"{shown} ({choice.where}) is not a cpufit server: left alone"
        elif choice.explicit:
            note = f"{shown} was not checked: {checked.reason}; taken for a cpufit server, as {choice.where} says"
        else:
            note = f"{shown} ({choice.where}) was not checked: {checked.reason}; left alone (--no-check trusts it)"
        if not known:
            self.notes.append(note)
        return choice if checked.kind == "unknown" and choice.explicit else None
