"""``cpufit-server project``: a project's policy, what is stored of it, and what of that is hidden."""

from __future__ import annotations

import argparse
import json

from cpufit_server.administration.policy import policy_as_dict, set_policy
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import Catalog, Freeze, Hiding, PolicyChange, Project, StoredFile
from cpufit_wheelhouse.errors import NoSuchProject
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_json_option, freezing, hiding, lifecycle, project_name, who_of

_SWITCH = {"on": True, "off": False}


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand and its own."""
    parser = subparsers.add_parser("project", help="set and show a project's policy")
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    change = actions.add_parser("set", help="change a project's policy; what is not named stays")
    change.add_argument("name", type=project_name, metavar="NAME")
    change.add_argument("--variants", choices=_SWITCH, help="let files of one name and other needs live side by side")
    change.add_argument("--unknown", choices=("allow", "refuse"), help="show wheels whose need nobody judged")
    change.add_argument(
        "--plain", choices=("ordinary", "selector"), help="what plain installers see of a release with variants"
    )
    change.add_argument("--build-sdist", choices=_SWITCH, help="let the selector build the sdist where no wheel fits")
    change.add_argument(
        "--instead",
        type=lambda text: project_name(text) if text else text,
        metavar="OTHER",
        help="the project to name where nothing of this one fits a CPU; '' for none",
    )
    change.add_argument(
        "--upstream",
        choices=("never", "merge"),
        help="whether the upstream's releases stand beside those hosted here; merge trusts it with this name",
    )
    change.add_argument("--create", action="store_true", help="make the project where it is not there yet")
    add_home_option(change)
    change.set_defaults(execute=execute_set)
    show = actions.add_parser("show", help="show a project's policy and its files")
    show.add_argument("name", type=project_name, metavar="NAME")
    add_json_option(show)
    add_home_option(show)
    show.set_defaults(execute=execute_show)
    hiding.configure_parser(actions)
    freezing.configure_parser(actions)
    lifecycle.configure_parser(actions)


def execute_set(arguments: argparse.Namespace) -> int:
    """Change what is named of a project's policy.

    A project that is not there is made only when asked for: from then on its name is hosted here, and the upstream
    index is not asked for it any more.

    :raises NoSuchProject: it is not there
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        if arguments.create:
            home.catalog.ensure_project(arguments.name)
        _project(home.catalog, arguments.name, hint="--create makes it")
        change = PolicyChange(
            variants=_SWITCH.get(arguments.variants),
            unknown=arguments.unknown,
            plain=arguments.plain,
            build_sdist=_SWITCH.get(arguments.build_sdist),
            instead=arguments.instead,
            upstream=arguments.upstream,
        )
        project = set_policy(home, arguments.name, change, who=who_of(arguments), why="cpufit-server project set")
    print(_policy_line(project))
    return 0


def execute_show(arguments: argparse.Namespace) -> int:
    """Show a project.

    :raises NoSuchProject: it is not there
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        project = _project(home.catalog, arguments.name)
        files = sorted(home.catalog.files(arguments.name), key=lambda file: (file.version, file.filename))
        hidings = home.catalog.hidings.of(arguments.name)
        freezes = home.catalog.freezes.of(arguments.name)
    if arguments.json:
        print(json.dumps(_as_dict(project, files, hidings, freezes), indent=2))
        return 0
    in_force = {one.sha256: one for one in hidings if one.ended_at is None}
    print(_policy_line(project))
    if project.status != "active":
        print(f"  {project.status}: {project.status_reason}")
    for file in files:
        need = "unknown" if file.need is None else f"{file.need_key} ({file.need_source})"
        print(f"  {file.filename}  needs {need}" if file.kind == "wheel" else f"  {file.filename}")
        if file.yanked is not None:
            print(f"    yanked: {file.yanked}")
        if file.sha256 in in_force:
            print(f"    {hiding.sentence(in_force[file.sha256])}")
    for freeze in freezes:
        if freeze.ended_at is None:
            print(f"  {_freeze_line(freeze, files)}")
    return 0


def _freeze_line(freeze: Freeze, files: list[StoredFile]) -> str:
    told = f"{freeze.who}, {freeze.created_at:%Y-%m-%d %H:%M} UTC: {freeze.why}"
    if freeze.holds(files):
        return f"{freeze.version} is frozen with the selector {freeze.selector_sha256} ({told})"
    return f"{freeze.version} was frozen ({told}), but what its selector says of a wheel's need is not true any more"


def _project(catalog: Catalog, name: str, hint: str | None = None) -> Project:
    project = catalog.project(name)
    if project is None:
        raise NoSuchProject(f"there is no project {name} here", hint=hint)
    return project


def _policy_line(project: Project) -> str:
    variants, build = ("on" if switch else "off" for switch in (project.variants, project.build_sdist))
    return (
        f"{project.display_name}: variants {variants}, unknown {project.unknown}, plain {project.plain}, "
        f"build-sdist {build}"
        + ("" if project.instead is None else f", instead {project.instead}")
        + ("" if project.upstream == "never" else f", upstream {project.upstream}")
    )


def _as_dict(
    project: Project, files: list[StoredFile], hidings: tuple[Hiding, ...], freezes: tuple[Freeze, ...]
) -> dict[str, object]:
    hidden = {one.sha256 for one in hidings if one.ended_at is None}
    return {
        "name": project.name,
        "policy": policy_as_dict(project),
        "instead": project.instead,
        "status": project.status,
        "status_reason": project.status_reason,
        "files": [
            {
                "filename": file.filename,
                "version": file.version,
                "kind": file.kind,
                "sha256": file.sha256,
                "size": file.size,
                "need": None if file.need is None else file.need.as_dict(),
                "provenance": dict(file.provenance),
                "hidden": file.sha256 in hidden,
                "yanked": file.yanked,
            }
            for file in files
        ],
        "hidings": [one.as_dict() for one in hidings],
        "freezes": [{**freeze.as_dict(), "holds": freeze.holds(files)} for freeze in freezes],
    }
