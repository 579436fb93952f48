"""``cpu-check -r requirements.txt``: for each project that a file names, which release an index has that fits.

Of pip's format ("Requirements File Format") what names projects is read: requirements with their markers, further files
(``-r``), comments and continued lines. Options are passed over; a path or a URL names a file that no index judged.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cpufit_resolver import CpufitError
from cpufit_resolver.detection import detect

from .asked import asked_cpu
from .bodies import cpu_body
from .exits import FITS, NOT_TOLD, NOTHING_FITS
from .index import IndexAddress, NoSuchProject, fetch_project
from .judge import newest_fit
from .project import judge_releases
from .report import shown_cpu
from .surroundings import index_address, warnings_for
from .table import GREEN, RED, YELLOW, table

if TYPE_CHECKING:
    import argparse

    from cpufit_resolver.detection import DetectedCpu

    from .output import Output

_WORDS = {"fits": ("fits", GREEN), "does-not-fit": ("does not fit", RED), "not-told": ("not told", YELLOW)}
_DEEPEST = 8
"""Files that name files that name files: no deeper than this."""


class UnreadableRequirements(CpufitError):
    """A requirements file that is not there, or is none."""

    code = "unreadable-requirements"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRequirement:
    """One requirement and what the index has for it."""

    requirement: str
    state: str
    """``fits``, ``does-not-fit`` or ``not-told``."""
    version: str | None = None
    """The newest release that fits both the requirement and the CPU."""
    sentence: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "requirement": self.requirement,
            "state": self.state,
            "version": self.version,
            "sentence": self.sentence,
        }


def run(arguments: argparse.Namespace, cpu: DetectedCpu, output: Output) -> int:
    """Judge each requirement, report, and return the exit code."""
    address = index_address(arguments.index)
    lines = list(requirement_lines(Path(arguments.requirement)))
    detected = functools.cache(detect)
    of_this = functools.partial(asked_cpu, arguments.cpu, detector=detected)
    judged = [one for line in lines if (one := _judged(line, address, of_this, arguments)) is not None]
    warnings = warnings_for(cpu, address)
    if output.as_json:
        about = {"index": address.shown, "requirements": [one.as_dict() for one in judged]}
        output.json({**cpu_body(cpu, warnings), **about})
    else:
        rows = [(_WORDS[one.state][0], one.requirement, one.sentence) for one in judged]
        body = table(rows, [_WORDS[one.state][1] for one in judged], colour=output.colour)
        head = [f"{arguments.requirement} from {address.shown}", f"for {shown_cpu(cpu)}", ""]
        output.lines([*head, *body], warnings)
    states = {one.state for one in judged}
    return NOTHING_FITS if "does-not-fit" in states else NOT_TOLD if "not-told" in states else FITS


def requirement_lines(path: Path, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a file that name something to install, and those of the files that it names.

    :raises UnreadableRequirements: a file cannot be read, or they name each other without end
    """
    if depth > _DEEPEST:
        raise UnreadableRequirements("requirements files name each other without end", where=str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableRequirements(f"cannot be read: {error}", where=str(path)) from error
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        words = re.sub(r"(^|\s)#.*$", "", line).strip()
        further = re.fullmatch(r"(?:-r|--requirement)[ =]*(\S+)", words)
        if further:
            yield from requirement_lines(path.parent / further.group(1), depth + 1)
        elif words and (not words.startswith("-") or words.startswith(("-e", "--editable"))):
            yield re.split(r"\s+--\w", words)[0].strip()


def _judged(
    line: str, address: IndexAddress, cpu_for: Callable[[str], DetectedCpu], arguments: argparse.Namespace
) -> JudgedRequirement | None:
    try:
        wanted = Requirement(line)
    except InvalidRequirement:
        return JudgedRequirement(requirement=line, state="not-told", sentence="names no project of an index")
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    if wanted.url is not None:
        return JudgedRequirement(requirement=line, state="not-told", sentence="is a file elsewhere")
    name = canonicalize_name(wanted.name)
    try:
        found = fetch_project(address, name, os.environ)
    except NoSuchProject:
        return JudgedRequirement(requirement=line, state="not-told", sentence="the index does not host it")
    judged = judge_releases(found, cpu_for(name).profile, everything=False, import_only=arguments.import_only)
    releases = [one for one in judged if wanted.specifier.contains(one.version, prereleases=True)]
    newest = newest_fit(releases)
    if newest is not None:
        return JudgedRequirement(requirement=line, state="fits", version=newest, sentence=f"{name}=={newest}")
    otherwise = newest_fit(judged)
    told = next(
        (refusal.sentence for one in releases for refusal in one.refusals), "no release is asked for that it has"
    )
    also = "" if otherwise is None else f" (another release fits: {otherwise})"
    return JudgedRequirement(requirement=line, state="does-not-fit", sentence=told + also)
