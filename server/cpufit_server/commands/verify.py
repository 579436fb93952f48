"""``cpufit-server verify``: every stored byte held against the catalog, and mended where that loses nothing."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack

from cpufit_server.progress import make_reporter, megabytes
from cpufit_server.settings import Settings, load_settings
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.upkeep.repair import Repair, Repaired
from cpufit_wheelhouse.upkeep.verification import Finding, Verification

from . import Subparsers, add_home_option, add_json_option, at_least_one, existing_home

WELL, WRONG = 0, 1
"""The exit codes: nothing is wrong, or nothing any more; something is."""


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "verify",
        help="hold every stored byte against the catalog",
        description="Hash every stored file and hold it against the catalog, beside a running server. Exit codes: "
        "0 all is well, but for harmless leftovers; 1 something is wrong; 2 wrong usage.",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="mend what can be mended without loss, and keep the rest from clients: moved aside and hidden",
    )
    parser.add_argument("--jobs", type=at_least_one, metavar="N", help="threads that hash (default: one for each CPU)")
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="as serve has it: a selector made anew holds it (default: CPUFIT_PUBLIC_URL)",
    )
    add_json_option(parser)
    add_home_option(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Verify, with ``--repair`` mend, and tell.

    :raises StoreError: there is no such home, or a newer cpufit wrote its catalog
    """
    settings = load_settings(home=arguments.home, public_url=arguments.public_url)
    jobs = arguments.jobs or os.cpu_count() or 1
    done: list[Repaired] = []
    with open_home(existing_home(settings.home), sweep=False) as home, ExitStack() as kept:
        reporter = make_reporter()
        files, size = home.blobs.extent()
        advance = kept.enter_context(reporter.transfer(f"hashing {files} files", size))
        repair = _repair(settings, home) if arguments.repair else None
        for finding in Verification(home=home, jobs=jobs).findings(advance):
            done.append(Repaired(finding=finding, outcome="kept") if repair is None else repair.run(finding))
            if not arguments.json:
                reporter.step(sentence(done[-1]))
    if arguments.json:
        print(json.dumps(_as_dict(done, files, size), indent=2))
    else:
        print(_summary(done, files, size))
    return WRONG if any(_wrong(done)) else WELL


def _repair(settings: Settings, home: Home) -> Repair:
    from cpufit_server.remaking import Remaking  # noqa: PLC0415 - packing selectors is for repairs alone

    return Repair(home=home, remade=Remaking(home=home, base_url=settings.base_url))


def sentence(done: Repaired) -> str:
    """Return what a person reads of a finding, and of its repair."""
    finding: Finding = done.finding
    where = finding.sha256 or (finding.path.name if finding.path is not None else "")
    told = f" -> {done.outcome}" if done.outcome != "kept" else ""
    more = f"{told}: {done.told}" if done.told else told
    return f"{finding.kind:13} {where[:64]} {finding.told}{more}"


def _wrong(done: list[Repaired]) -> Iterator[Repaired]:
    return (one for one in done if not one.finding.harmless and one.outcome in ("kept", "quarantined"))


def _summary(done: list[Repaired], files: int, size: int) -> str:
    wrong = len(list(_wrong(done)))
    mended = sum(one.outcome in ("mended", "removed") for one in done)
    harmless = sum(one.finding.harmless and one.outcome == "kept" for one in done)
    said = f"{files} files, {megabytes(size)}: "
    said += "all is well" if not wrong else f"{wrong} wrong"
    said += f", {mended} mended" if mended else ""
    return said + (f", {harmless} harmless leftovers" if harmless else "")


def _as_dict(done: list[Repaired], files: int, size: int) -> dict[str, object]:
    return {
        "ok": not any(_wrong(done)),
        "files": files,
        "bytes": size,
        "findings": [one.as_dict() for one in done],
    }
