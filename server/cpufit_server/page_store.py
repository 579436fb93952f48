"""What pages are made of: the part of a home that they need, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cpufit_wheelhouse.blobs import BlobStore
    from cpufit_wheelhouse.catalog import DerivedFile, NewDerived, ProjectSnapshot, StoredFile


class PageCatalog(Protocol):
    """Tells of the hosted projects, as :class:`cpufit_wheelhouse.catalog.Catalog` does."""

    def serial(self, name: str) -> int | None:
        """Return a number that grows with each change of a project; None if it is not hosted."""

    def snapshot(self, name: str, known: Iterable[StoredFile] = ()) -> ProjectSnapshot | None:
        """Return a project as it is at one instant; None if it is not hosted.

        :param known: its files as they were once, of which those that are the same still are taken again
        """

    def names(self) -> tuple[str, ...]:
        """Return the normalised name of every hosted project, in order."""

    def add_derived(
        self, project: str, new: NewDerived, *, before_commit: Callable[[], object] = lambda: None
    ) -> DerivedFile:
        """Add what a page lists and was made for it.

        :raises CatalogChanged: it cannot be added now
        """


class PageStore(Protocol):
    """A home, for pages."""

    @property
    def catalog(self) -> PageCatalog:
        """What is hosted."""

    @property
    def blobs(self) -> BlobStore:
        """The files."""
