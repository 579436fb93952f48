"""The home: one folder with everything that an embedded index keeps.

::

    catalog.sqlite3    the catalog, unless a database URL puts it elsewhere
    blobs/ staging/    the files (cpufit_wheelhouse.blobs)
    quarantine/        blobs that were found damaged (cpufit_wheelhouse.upkeep.repair)
    held/              uploads whose verdict takes longer (cpufit_wheelhouse.holding)
    inspecting/        links to the wheels under inspection (cpufit_wheelhouse.inspection.workers)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import final

from sqlalchemy import URL

from .archive_limits import DEFAULT_LIMITS, ArchiveLimits
from .blobs import BlobStore
from .catalog import Catalog
from .catalog.reading import CATALOG
from .catalog.records import BelowVerdict
from .errors import StorageFailed
from .ingest import Ingest
from .judgement import Inspector
from .signatures import SignatureVerifier
from .storage_failures import storage_failures_told

_log = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """An open home; close it, or use it as a context manager."""

    path: Path
    catalog: Catalog
    blobs: BlobStore
    ingest: Ingest

    def close(self) -> None:
        """Close the catalog's connections."""
        self.catalog.close()

    def __enter__(self) -> Home:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_home(
    path: Path,
    *,
    database_url: str | None = None,
    inspector: Inspector | None = None,
    limits: ArchiveLimits = DEFAULT_LIMITS,
    below_verdict: BelowVerdict = "refuse",
    signatures: SignatureVerifier | None = None,
    sweep: bool = True,
) -> Home:
    """Open a home, making it where it is missing, and remove what killed processes left in its staging folder.

    Several processes may have one home open at once.

    :param database_url: where the catalog is, in SQLAlchemy's form; None for a file in the home
    :param inspector: reads the machine code of wheels that come in; without one their needs stay unknown
    :param below_verdict: what becomes of a declared need or a label below the verdict
    :param signatures: verifies attestations; without it their form is checked alone
    :param sweep: False leaves the staging folder as it is
    :raises StoreError: a newer cpufit wrote the catalog
    :raises OSError: the folder cannot be made or written
    """
    path.mkdir(parents=True, exist_ok=True)
    blobs = BlobStore(path)
    if sweep:
        _swept(blobs)
    # built, not written: a path may hold characters that mean something in a URL
    own = URL.create("sqlite", database=str(path / CATALOG))
    catalog = Catalog.open(own if database_url is None else database_url)
    ingest = Ingest(catalog, blobs, inspector, limits, below_verdict=below_verdict, signatures=signatures)
    return Home(path=path, catalog=catalog, blobs=blobs, ingest=ingest)


def _swept(blobs: BlobStore) -> None:
    """Remove what killed processes left. A disk that is read-only by now can still be read."""
    try:
        with storage_failures_told():
            blobs.sweep()
    except StorageFailed as error:
        _log.warning("what killed processes left stays until the next start: %s", error.in_full)
