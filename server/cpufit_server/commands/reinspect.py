"""``cpufit-server reinspect``: read the machine code of stored wheels anew, and mend what they are said to need."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

from cpufit_server.progress import Narrated, Reporter, make_reporter
from cpufit_server.settings import load_settings
from cpufit_server.store import Store, open_store
from cpufit_wheelhouse.errors import NoSuchProject
from cpufit_wheelhouse.judgement import NoInspector
from cpufit_wheelhouse.reinspection import Reinspected, Reinspection

from . import Subparsers, add_home_option, add_json_option, project_name


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "reinspect",
        help="read stored wheels anew, after the rules changed",
        description="Inspect every stored wheel with machine code that has no verdict by the rules of this version, "
        "and change what it needs where the verdict asks for it. Works beside a server.",
    )
    parser.add_argument("projects", nargs="*", type=project_name, metavar="PROJECT", help="these alone (default: all)")
    parser.add_argument(
        "--all", action="store_true", help="also wheels that have a verdict by the rules of this version"
    )
    add_home_option(parser)
    add_json_option(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Inspect, and tell what became of each file; 1 if one is in conflict or could not be inspected.

    :raises NoSuchProject: a named project is not hosted
    """
    settings = load_settings(home=arguments.home, inspect=True)
    reporter = make_reporter()
    outcomes = []
    with open_store(settings) as store:
        for done in _reinspected(store, arguments.projects, reporter, everything=arguments.all):
            outcomes.append(done)
            if not arguments.json:
                print(sentence(done), flush=True)
    if arguments.json:
        print(json.dumps({"files": [done.as_dict() for done in outcomes]}, indent=2))
    return 1 if any(done.outcome in ("conflict", "failed") for done in outcomes) else 0


def _reinspected(
    store: Store, projects: Sequence[str], reporter: Reporter, *, everything: bool
) -> Iterator[Reinspected]:
    catalog = store.home.catalog
    for name in projects:
        if catalog.project(name) is None:
            raise NoSuchProject(f"there is no project {name} here")
    use_case = Reinspection(
        catalog=catalog,
        blobs=store.home.blobs,
        inspector=store.inspector(progress=Narrated(reporter)) or NoInspector(),
    )
    for name in projects or [project.name for project in catalog.projects()]:
        for file in tuple(use_case.outdated(name, everything=everything)):
            reporter.step(f"inspecting {file.filename}")
            yield use_case.run(file)


def sentence(done: Reinspected) -> str:
    """Return what became of a file, for a person."""
    before = "unknown" if done.before is None else done.before.key
    now = "unknown" if done.file.need is None else done.file.need.key
    need = now if before == now else f"{before} -> {now}"
    told = f": {done.told}" if done.told else ""
    return f"{done.outcome:9} {done.file.project} {done.file.filename} (needs {need}){told}"
