"""``cpufit-server backup`` and ``restore``: a store's copy, taken while it is served, and a home made of it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cpufit_server.progress import make_reporter, megabytes
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.home import open_home
from cpufit_wheelhouse.upkeep.backup import Backup
from cpufit_wheelhouse.upkeep.restoring import restore

from . import Subparsers, add_home_option, add_json_option, existing_home


def configure_parser(subparsers: Subparsers) -> None:
    """Add the two subcommands."""
    backup = subparsers.add_parser(
        "backup",
        help="copy the index, also while it is served",
        description="Copy catalog, files and held uploads into a folder or a tar, beside a running server. A folder "
        "with an older backup is brought up to date. Exit codes: 0 done; 1 failed, or bytes are lost that the "
        "catalog names; 2 wrong usage.",
    )
    backup.add_argument("target", type=Path, metavar="TARGET", help="a folder, or a file whose name ends with .tar")
    backup.add_argument(
        "--copy", action="store_true", help="copy files even where links to them would do (one file system)"
    )
    add_json_option(backup)
    add_home_option(backup)
    backup.set_defaults(execute=execute_backup)
    back = subparsers.add_parser(
        "restore",
        help="make a home of a backup",
        description="Make a new home of a backup. Exit codes: 0 done; 1 refused, or bytes are lost; 2 wrong usage.",
    )
    back.add_argument("source", type=Path, metavar="SOURCE", help="what backup wrote")
    add_json_option(back)
    add_home_option(back)
    back.set_defaults(execute=execute_restore)


def execute_backup(arguments: argparse.Namespace) -> int:
    """Back up, and tell; 1 where the catalog names what the copy does not have whole.

    :raises NotABackup: the target holds something else
    :raises StoreError: there is no such home
    """
    settings = load_settings(home=arguments.home)
    with open_home(existing_home(settings.home), sweep=False) as home:
        reporter = make_reporter()
        files, size = home.blobs.extent()
        # each byte twice: copied, then checked
        with reporter.transfer(f"copying and checking {files} files", 2 * size) as advance:
            done = Backup(home=home, target=arguments.target, link=not arguments.copy).run(advance)
    if arguments.json:
        print(json.dumps(done.as_dict(), indent=2))
    else:
        print(f"{arguments.target}: {done.files} files, {megabytes(done.size)}, {done.added} of them new; checked")
    for name in done.lost:
        reporter.step(f"lost: {name}")
    if done.lost:
        reporter.step("the catalog names files that are not whole: cpufit-server verify --repair")
    return 1 if done.lost else 0


def execute_restore(arguments: argparse.Namespace) -> int:
    """Restore, and tell; 1 where the copy lacks bytes that its catalog names.

    :raises NotABackup: the source is none
    :raises StoreError: the home is not empty
    """
    settings = load_settings(home=arguments.home)
    reporter = make_reporter()
    with reporter.transfer(f"restoring {arguments.source}", None) as advance:
        done = restore(arguments.source, settings.home, advance)
    if arguments.json:
        print(json.dumps(done.as_dict(), indent=2))
    else:
        print(f"{settings.home}: {done.files} files, {megabytes(done.size)}, as of {done.manifest.created_at}")
    for name in done.lost:
        reporter.step(f"lost: {name}")
    return 1 if done.lost else 0
