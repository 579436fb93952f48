"""An upstream's page in the view of whoever asks. Values in, values out.

Files with a SHA-256 get an address of ours, relative to the page; others keep the upstream's, and are not cached. A
wheel that is known not to run on the asker's CPU, or for who told none on every CPU of its platform, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from cpufit_resolver.need import is_ordinary, missing_features
from cpufit_server.client import Asker, View
from cpufit_server.views import without_variants
from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_wheel_filename

from .known import Known, is_native
from .reading import sha256_of

if TYPE_CHECKING:
    from cpufit_resolver.need import Need
    from cpufit_wheelhouse.simple_page import PageFile, ProjectPage


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
    seen = page if asker.view is View.VARIANT else without_variants(page)
    kept = [file for file in seen.files if _offered(file, known, asker, policy)]
    return replace(seen, files=tuple(_addressed(file, page.name, known, policy, root) for file in kept))


def _offered(file: PageFile, known: Known, asker: Asker, policy: Policy) -> bool:
    sha256 = sha256_of(file)
    if policy.cached is not None and (sha256 is None or not is_addressable(file) or not policy.cached(sha256)):
        return False
    if not is_native(file.filename):
        return True
    need = known.need(file.filename, sha256)
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
    return bool(file.filename) and file.filename.isprintable() and not set(file.filename) & set("/\\")


def _addressed(file: PageFile, project: str, known: Known, policy: Policy, root: str) -> PageFile:
    sha256 = sha256_of(file)
    if sha256 is None or not is_addressable(file):
        return file
    metadata = file.core_metadata or known.metadata.get(sha256)
    if metadata is not None and policy.cached is not None and not policy.cached(metadata):
        metadata = None
    need = known.needs.get(sha256)
    return replace(
        file,
        url=f"{root}upstream/{project}/{sha256}/{quote(file.filename)}",
        core_metadata=metadata,
        private={} if need is None else {"_cpufit_need": need.key},
    )
