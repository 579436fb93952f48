"""``cpufit-server import``: wheels from an index, a folder, a page of links or a URL."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from packaging.tags import sys_tags

from cpufit_resolver import CpufitError
from cpufit_server.progress import Narrated, Reporter, make_reporter, megabytes
from cpufit_server.settings import load_settings
from cpufit_server.sources.choosing import Interpreter, SourceFile, Wishes
from cpufit_server.sources.errors import PipSettingsUnreadable
from cpufit_server.sources.fetcher import Fetcher
from cpufit_server.sources.importing import Imported, Importer
from cpufit_server.sources.listing import Origin, folder_origin, index_origin, list_files
from cpufit_server.sources.pip_settings import PipSettings, read_pip_settings
from cpufit_server.sources.spec import HashedUrl, LinksPage, NamedRelease, Spec, parse_spec
from cpufit_server.store import open_store
from cpufit_wheelhouse.errors import StorageFailed
from cpufit_wheelhouse.home import Home
from cpufit_wheelhouse.storage_failures import storage_failures_told

from . import Subparsers, add_home_option, add_json_option, project_name

PIP = "pip"
"""The value of ``--from`` that stands for the index which pip uses on this machine."""

_MOST_REASONS = 3
"""How many libraries are named that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be imported, and as what."""

    specs: tuple[str, ...]
    origin: str = PIP
    """``pip``, an index's address, or a folder."""
    as_project: str | None = None
    needs: str | None = None
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One thing that was asked for and not imported."""

    what: str
    """A file's name, or the text as it was written where no file was found."""
    error: CpufitError

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {"source": self.what, "status": "refused", "error": self.error.as_dict()}


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "import",
        help="take wheels from an index, a folder, a page of links or a URL",
        description="Take wheels in. A second run fetches nothing that is there already. Works beside a server.",
    )
    parser.add_argument(
        "specs", nargs="+", metavar="SPEC", help="NAME==VERSION, a folder, a file, a page of links, URL#sha256=HEX"
    )
    parser.add_argument(
        "--from",
        dest="origin",
        type=_origin_text,
        default=PIP,
        metavar="URL|DIR|pip",
        help="where releases come from: an index, a folder, or the index that pip uses (default)",
    )
    parser.add_argument(
        "--as", dest="as_project", type=project_name, metavar="PROJECT", help="give the wheels this project's name"
    )
    parser.add_argument(
        "--needs", metavar="NEED", help="what they need: x86_64_v3, x86_64_v2+avx; for wheels of that architecture"
    )
    parser.add_argument("--all-files", action="store_true", help="every file of the release, not pip's choice alone")
    parser.add_argument("--platform", metavar="GLOB", help="wheels of these platforms: 'manylinux*_x86_64'")
    parser.add_argument("--python", metavar="TAG", help="wheels that this interpreter can use: cp311")
    add_home_option(parser)
    add_json_option(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Import everything that is asked for; what is refused does not keep the rest from coming in."""
    request = Request(
        specs=tuple(arguments.specs),
        origin=arguments.origin,
        as_project=arguments.as_project,
        needs=arguments.needs,
        wishes=Wishes(all_files=arguments.all_files, platform=arguments.platform, python=arguments.python),
    )
    outcomes = []
    settings = load_settings(home=arguments.home)
    reporter = make_reporter()
    with open_store(settings, progress=Narrated(reporter)) as store:
        for outcome in import_files(request, store.home, reporter):
            outcomes.append(outcome)
            if not arguments.json:
                print(sentence(outcome), flush=True)
    if arguments.json:
        print(json.dumps({"files": [outcome.as_dict() for outcome in outcomes]}, indent=2))
    return 1 if any(isinstance(outcome, Refused) for outcome in outcomes) else 0


def import_files(request: Request, home: Home, reporter: Reporter) -> Iterator[Imported | Refused]:
    """Import what a request asks for, and give what became of each file as it is done.

    :param home: where to; a server may run on it at the same time
    :raises PipSettingsUnreadable: pip's index is needed and pip does not tell it
    """
    parsed = [(text, _parsed(text)) for text in request.specs]
    settings = _settings(request, [spec for _, spec in parsed])
    index_url = _index_url(request, settings)
    with closing(
        Fetcher(
            certificate=None if settings is None else settings.certificate,
            proxy=None if settings is None else settings.proxy,
            index_url=index_url,
        )
    ) as fetcher:
        origin = folder_origin(Path(request.origin)) if index_url is None else index_origin(index_url, fetcher)
        importer = Importer(
            catalog=home.catalog, blobs=home.blobs, ingest=home.ingest.restoring(), fetcher=fetcher, reporter=reporter
        )
        for text, spec in parsed:
            if isinstance(spec, CpufitError):
                yield Refused(what=text, error=spec)
            else:
                yield from _import_spec(text, spec, request, importer, origin)


def _import_spec(
    text: str, spec: Spec, request: Request, importer: Importer, origin: Origin
) -> Iterator[Imported | Refused]:
    interpreter = Interpreter(tags=tuple(sys_tags()), version=platform.python_version())
    try:
        files = list_files(
            spec, origin=origin, fetcher=importer.fetcher, wishes=request.wishes, interpreter=interpreter
        )
    except CpufitError as error:
        yield Refused(what=text, error=error)
        return
    for file in files:
        yield _import_file(file, request, importer, alone=len(files) == 1)


def _import_file(file: SourceFile, request: Request, importer: Importer, *, alone: bool) -> Imported | Refused:
    try:
        with storage_failures_told():
            return importer.run(file, as_project=request.as_project, needs=request.needs, alone=alone)
    except CpufitError as error:
        return Refused(what=file.filename, error=error)


def sentence(outcome: Imported | Refused) -> str:
    """Return what became of a file, for a person."""
    if isinstance(outcome, Refused):
        error = outcome.error
        hint = "" if error.hint is None else f"\n  hint: {error.hint}"
        if isinstance(error, StorageFailed) and error.reason is not None:
            hint = f"\n  the system says: {error.reason}{hint}"
        where = "" if error.where in (None, outcome.what) else f"{error.where}: "
        return f"refused  {outcome.what}: {where}{error.message} [{error.code}]{hint}"
    file = outcome.file
    need = "" if file.kind == "sdist" else f", needs {file.need_key}"
    name = (
        file.filename if file.filename == outcome.source.filename else f"{outcome.source.filename} as {file.filename}"
    )
    unused = "; the declared need is for other architectures" if outcome.need_ignored else ""
    lines = [f"{outcome.status:8} {name} ({megabytes(file.size)}{need}{unused})"]
    lines += [f"  undetermined: {reason}" for reason in outcome.undetermined[:_MOST_REASONS]]
    if file.need is None:
        lines.append(
            "  hint: it is in no view; declare what it needs (--needs), or see 'cpufit-server reinspect --help'"
        )
    return "\n".join(lines)


def _origin_text(text: str) -> str:
    if text == PIP or text.startswith(("http://", "https://", "file://")) or Path(text).is_dir():
        return text
    raise argparse.ArgumentTypeError(f"neither 'pip', an address nor a folder: {text!r}")


def _parsed(text: str) -> Spec | CpufitError:
    try:
        return parse_spec(text)
    except CpufitError as error:
        return error


def _settings(request: Request, specs: Sequence[Spec | CpufitError]) -> PipSettings | None:
    """Ask pip, but only where something is fetched: a folder needs no pip, and no pip is needed to read an address."""
    releases = any(isinstance(spec, NamedRelease) for spec in specs)
    try:
        if releases and request.origin == PIP:
            return read_pip_settings()
        addresses = any(isinstance(spec, HashedUrl | LinksPage) for spec in specs)
        remote = addresses or (releases and request.origin.startswith(("http://", "https://")))
        return read_pip_settings() if remote else None
    except PipSettingsUnreadable:
        if releases and request.origin == PIP:
            raise
        return None


def _index_url(request: Request, settings: PipSettings | None) -> str | None:
    """Return the index's address; None where releases come from a folder, or no release is asked for."""
    if request.origin == PIP:
        return None if settings is None else settings.index_url
    return request.origin if "://" in request.origin else None
