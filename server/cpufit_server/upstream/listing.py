"""An upstream's page in the view of whoever asks. Values in, values out.

Files with a SHA-256 get an address of ours, relative to the page; others keep the upstream's, and are not cached. A
wheel that is known not to run on the asker's CPU, or for who told none on every CPU of its platform, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from cpufit_resolver.need import is_ordinary, missing_features
from cpufit_server.client import Asker, View
from cpufit_server.views import is_of_variants
from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.simple_page import render_entry, render_json

from .known import Known, is_native
from .reading import sha256_of

if TYPE_CHECKING:
    from cpufit_resolver.need import Need
    from cpufit_wheelhouse.simple_page import PageFile, ProjectPage

_UNRESERVED = re.compile(r"[A-Za-z0-9._-]+")
"""Names that stand in an address as they are: nearly all, and quoting takes five times as long as this look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides about a page besides who asks."""

    hold_unknown: bool
    """Whether wheels with a platform are left out until their need is known."""
    cached: Callable[[str], bool] | None
    """Offline: tells of a SHA-256 whether its file is here; None while the upstream may be asked."""


def listed(page: ProjectPage, known: Known, asker: Asker, policy: Policy, root: str) -> ProjectPage:
    """Return the page as it is sent.

    :param page: with absolute addresses
    :param root: the way from the page to the root of the server, such as ``../../``
    """
    kept = _offered_files(page, known, asker, policy)
    return replace(page, files=tuple(_addressed(file, page.name, known, policy, root) for _, file in kept))


def listed_as_json(
    page: ProjectPage, known: Known, asker: Asker, policy: Policy, root: str, texts: list[str | None]
) -> str:
    """Return the page as it is sent, in JSON.

    Of nearly all files on a page nothing is known but what the upstream tells, so what is written of them is the same
    in every view and after everything that is found out.

    :param texts: what was written of each file of the page, in its order; what is missing is filled in
    """
    entries, kept = [], _offered_files(page, known, asker, policy)
    for place, file in kept:
        sha256 = file.hashes.get("sha256")
        if policy.cached is not None or sha256 in known.metadata or sha256 in known.needs:
            text = render_entry(_addressed(file, page.name, known, policy, root))
        else:
            text = texts[place] or render_entry(_addressed(file, page.name, known, policy, root))
            texts[place] = text
        entries.append(text)
    return render_json(replace(page, files=tuple(file for _, file in kept)), entries)


def _offered_files(page: ProjectPage, known: Known, asker: Asker, policy: Policy) -> list[tuple[int, PageFile]]:
    """Return the files that are listed, each with its place on the page."""
    variants = asker.view is View.VARIANT
    return [
        (place, file)
        for place, file in enumerate(page.files)
        if (variants or not is_of_variants(file.filename)) and _offered(file, known, asker, policy)
    ]


def _offered(file: PageFile, known: Known, asker: Asker, policy: Policy) -> bool:
    if policy.cached is not None:
        sha256 = sha256_of(file)
        if sha256 is None or not is_addressable(file) or not policy.cached(sha256):
            return False
    if not is_native(file.filename):
        return True
    need = known.need(file.filename, sha256_of(file))
    return not policy.hold_unknown if need is None else _runs(file.filename, need, asker)


def _runs(filename: str, need: Need, asker: Asker) -> bool:
    try:
        platforms = parse_wheel_filename(filename).platforms
    except InvalidWheelName:
        return False
    if asker.profile is None:
        return is_ordinary(need, platforms)
    return not missing_features(need, asker.profile, platforms)


def is_addressable(file: PageFile) -> bool:
    """Tell whether a file's name can stand in an address of ours."""
    name = file.filename
    return bool(name) and name.isprintable() and "/" not in name and "\\" not in name


def _addressed(file: PageFile, project: str, known: Known, policy: Policy, root: str) -> PageFile:
    sha256, name = sha256_of(file), file.filename
    if sha256 is None or not is_addressable(file):
        return file
    metadata = file.core_metadata or known.metadata.get(sha256)
    if metadata is not None and policy.cached is not None and not policy.cached(metadata):
        metadata = None
    need = known.needs.get(sha256)
    return file.passed_on(
        f"{root}upstream/{project}/{sha256}/{name if _UNRESERVED.fullmatch(name) else quote(name)}",
        metadata,
        {} if need is None else {"_cpufit_need": need.key},
    )
