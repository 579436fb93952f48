"""Hide and unhide: a file in no view, with who said so, when and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpufit_wheelhouse.errors import NoSuchFile

from .finding import find_file, snapshot_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import Hiding, StoredFile
    from cpufit_wheelhouse.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A file that is hidden now."""

    file: StoredFile
    hiding: Hiding
    """The one in force: where it was hidden already, the earlier one."""
    already: bool
    last: bool
    """Whether nothing of its release is left in any view."""


def hide(home: Home, name: str, text: str, *, who: str, why: str) -> Hidden:
    """Hide a file; one that is hidden already stays so, for the reason on record.

    :param text: the file's name, or the beginning of its SHA-256
    :raises NoSuchProject: the project is not hosted
    :raises NoSuchFile: it has no such file
    :raises StoreError: the name is that of several files
    """
    file = find_file(snapshot_of(home, name), text)
    hiding = home.catalog.hidings.hide(name, file.sha256, who=who, why=why)
    snapshot = snapshot_of(home, name)
    in_force = hiding or next(one for one in snapshot.hidings if one.sha256 == file.sha256)
    left = any(other.version == file.version for other in snapshot.shown().files)
    return Hidden(file=file, hiding=in_force, already=hiding is None, last=not left)


def unhide(home: Home, name: str, text: str, *, who: str, why: str) -> StoredFile:
    """End the hiding of a file; parameters and errors as for :func:`hide`.

    :raises NoSuchFile: also where it is not hidden
    """
    file = find_file(snapshot_of(home, name), text)
    if not home.catalog.hidings.show(name, file.sha256, who=who, why=why):
        raise NoSuchFile(f"{file.filename} is not hidden", where=name, code="not-hidden")
    return file
