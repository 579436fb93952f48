"""The three views of a project: from what is stored, and who asks, to the page. Values in, values out.

plain
    Ordinary wheels and source distributions; for a release whose CPU-specific wheels leave some platform without an
    ordinary one, the selector in place of the source distribution.
profile
    What fits one CPU, one file for each name, and of two wheels that go to the same machines the more demanding.
    No selector and no label.
variant
    The plain view, and beside it the labelled wheels with the release's ``-variants.json`` (PEP 825).

A wheel whose need is unknown is in no view, unless the project's policy says ``unknown = allow``. Yanked files stand
there marked, and so does what was made of them (PEP 592). A quarantined project has no file in any view (PEP 792).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.version import Version

from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_wheel_filename, version_in
from cpufit_wheelhouse.offers import (
    fitting_wheels,
    imports_only,
    offered_sources,
    plain_wheels,
    selectable_release,
)
from cpufit_wheelhouse.releases import Release, releases_of, yanked_together
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cpufit_resolver.profile import CpuProfile
    from cpufit_wheelhouse.catalog import DerivedFile, ProjectSnapshot, StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How a page addresses files: relative to itself, so that no host name is needed."""

    root: str
    """From the page to the root of the server: ``../../`` on ``/simple/{project}/``."""
    fresh: str
    """The path segment that makes a selector's address new in each response."""
    base_url: str = ""
    """The server's own address, without a slash at its end."""

    def file(self, sha256: str, filename: str) -> str:
        """Return the address of a stored or labelled file, which never changes."""
        return f"{self.root}files/{sha256}/{quote(filename)}"

    def provenance(self, file: StoredFile) -> str | None:
        """Return the address of a file's provenance object, in full as PEP 740 asks for; None where it has none."""
        if file.attestations_sha256 is None:
            return None
        return f"{self.base_url}/files/{file.sha256}/{file.attestations_sha256}/{quote(file.filename)}.provenance"

    def selector(self, sha256: str, filename: str) -> str:
        """Return an address of a selector that no cache has seen: the caches of installers have no CPU in their key."""
        return f"{self.root}selectors/{sha256}/{self.fresh}/{quote(filename)}"


def plain_page(
    snapshot: ProjectSnapshot, links: Links, selectors: Mapping[str, DerivedFile], sidecars: Sequence[DerivedFile] = ()
) -> ProjectPage:
    """Return the plain view, or with ``sidecars`` the variant view.

    :param selectors: by version, the selector of each release that wants one
        (:func:`cpufit_wheelhouse.offers.selectable_release`)
    :param sidecars: what the variant view lists besides: labelled wheels and ``-variants.json`` files
    """
    page: list[tuple[str, PageFile]] = []
    releases = releases_of(snapshot.files)
    for release in releases:
        selector = selectors.get(release.version)
        wheels = plain_wheels(release, snapshot.project)
        if selector is None:
            page.extend((release.version, _entry(file, links)) for file in (*wheels, *release.sdists))
            continue
        choices = _choices_of_selector(release, snapshot)
        # one that is yanked is for pins alone, and takes no place of what is there for all
        if snapshot.project.plain == "ordinary" or yanked_together(choices.wheels) is not None:
            page.extend((release.version, _entry(file, links)) for file in wheels)
        page.append((release.version, _selector_entry(selector, choices, links)))
    by_id = {file.id: file for file in snapshot.files}
    page.extend((derived.version, _derived_entry(derived, by_id, links)) for derived in sidecars)
    return _page(snapshot, releases, page)


def profile_page(
    snapshot: ProjectSnapshot, links: Links, profile: CpuProfile, *, import_only: bool = False
) -> ProjectPage:
    """Return the profile view for one CPU.

    :param import_only: also list, where no other wheel goes, those of which only the import fits
    """
    project = snapshot.project
    page: list[tuple[str, PageFile]] = []
    releases = releases_of(snapshot.files)
    for release in releases:
        page.extend(
            (release.version, _entry(file, links, import_only=imports_only(file, profile)))
            for file in fitting_wheels(release, project, profile, import_only=import_only)
        )
        page.extend((release.version, _entry(file, links)) for file in offered_sources(release, project))
    return _page(snapshot, releases, page)


def quarantined_page(snapshot: ProjectSnapshot) -> ProjectPage:
    """Return what every view of a quarantined project is: its status, and no file.

    PEP 792, ``quarantined``: the index offers none of its files for download; the versions stay known, as in the
    PEP's own example.
    """
    return _page(snapshot, releases_of(snapshot.files), ())


def merged(page: ProjectPage, others: Iterable[PageFile], hosted: Collection[Version]) -> ProjectPage:
    """Return a hosted page with another index's files behind its own.

    A version that is hosted here is hosted here alone: at an equal version an ordinary wheel from elsewhere would beat
    the selector, and an installer could be led to bytes that nobody here has seen. A file whose name tells no version
    is left out, since it might be of a hosted one.

    :param hosted: the versions of which some file is hosted, listed or not
    """
    own = {file.filename for file in page.files}
    versions = {file.filename: version_in(file.filename) for file in others}
    taken = [file for file in others if file.filename not in own and versions[file.filename] not in (None, *hosted)]
    told = sorted({*map(Version, page.versions or ()), *(versions[file.filename] or Version("0") for file in taken)})
    return replace(page, files=(*page.files, *taken), versions=tuple(map(str, told)))


def is_of_variants(filename: str) -> bool:
    """Tell whether a file is a labelled wheel or a ``-variants.json``, for clients that understand labels alone.

    pip up to 22.2.2 takes a labelled wheel with a compressed platform-tag set for an ordinary one, on any CPU.
    """
    if not filename.endswith(".whl"):
        return filename.endswith("-variants.json")
    if filename.count("-") < 5:  # a name with a label has six parts: most files of a large page need no closer look
        return False
    try:
        return parse_wheel_filename(filename).label is not None
    except InvalidWheelName:
        return False  # an odd old name, which every installer passes over by itself


def _entry(file: StoredFile, links: Links, *, import_only: bool = False) -> PageFile:
    private: dict[str, object] = {"_cpufit_need": file.need_key} if file.kind == "wheel" else {}
    if import_only:
        private["_cpufit_import_only"] = True
    return PageFile(
        filename=file.filename,
        url=links.file(file.sha256, file.filename),
        hashes={"sha256": file.sha256},
        requires_python=file.requires_python,
        # PEP 658 lets a page announce the metadata of any file; clients ask for a wheel's alone.
        core_metadata=file.metadata_sha256 if file.kind == "wheel" else None,
        size=file.size,
        upload_time=file.uploaded_at,
        yanked=_yank(file.yanked),
        provenance=links.provenance(file),
        private=private,
    )


def _yank(reason: str | None) -> bool | str:
    return False if reason is None else reason or True


def _choices_of_selector(release: Release, snapshot: ProjectSnapshot) -> Release:
    """Return the files that the release's selector knows: a frozen one those of its day, any other all it may choose.

    Of a yanked wheel a frozen one still knows: it is yanked with it, for locks go on with it and nobody else begins.
    """
    freeze = snapshot.frozen(release.version)
    if freeze is None:
        return selectable_release(release, snapshot.project) or release
    known = {sha256 for sha256, _ in freeze.candidates}
    return replace(release, wheels=tuple(file for file in release.wheels if file.sha256 in known))


def _selector_entry(selector: DerivedFile, choices: Release, links: Links) -> PageFile:
    # No core-metadata here: installers must ask the backend, which says early that nothing fits.
    return PageFile(
        filename=selector.filename,
        url=links.selector(selector.sha256, selector.filename),
        hashes={"sha256": selector.sha256},
        requires_python=choices.cpu_specific[0].requires_python,
        size=selector.size,
        # of what it knows: a lock that leaves out newer files must go on finding a frozen one
        upload_time=max(file.uploaded_at for file in choices.wheels),
        yanked=_yank(yanked_together(choices.wheels)),
        private={"_cpufit_selector": True},
    )


def _derived_entry(derived: DerivedFile, by_id: Mapping[int, StoredFile], links: Links) -> PageFile:
    source = by_id.get(derived.file_id) if derived.file_id is not None else None
    return PageFile(
        filename=derived.filename,
        url=links.file(derived.sha256, derived.filename),
        hashes={"sha256": derived.sha256},
        requires_python=None if source is None else source.requires_python,
        core_metadata=derived.metadata_sha256,
        size=derived.size,
        upload_time=derived.created_at if source is None else source.uploaded_at,
        yanked=False if source is None else _yank(source.yanked),
        private={} if source is None else {"_cpufit_need": source.need_key},
    )


def _page(
    snapshot: ProjectSnapshot, releases: Iterable[Release], entries: Iterable[tuple[str, PageFile]]
) -> ProjectPage:
    # PEP 700, "Versions": all that were uploaded, also those of which this view has no file.
    versions = [release.version for release in releases]
    order = {version: index for index, version in enumerate(versions)}
    listed = sorted(entries, key=lambda entry: (order[entry[0]], entry[1].filename))
    return ProjectPage(
        name=snapshot.project.name,
        files=tuple(file for _, file in listed),
        versions=tuple(versions),
        status=snapshot.project.status,
        status_reason=snapshot.project.status_reason,
    )
