"""The form of a store's copy, in a folder or in a tar: the same names either way.

::

    backup.json                 what is in it; written last, so that without it there is no copy
    catalog-<hash>.sqlite3      the catalog as it was at one instant
    blobs/ab/cd/abcd…           every blob that this catalog names
    held/abcd…                  uploads that wait for their verdict
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from cpufit_wheelhouse.blobs import fsync_folder
from cpufit_wheelhouse.errors import StoreError

MANIFEST = "backup.json"
FORMAT = 1
_FOLDERS = ("blobs", "held")
PART = ".part"
"""How the name of what is not finished ends."""


class NotABackup(StoreError):
    """A folder or file that is no copy of a store."""

    code = "not-a-backup"
    usual_hint = "name what `cpufit-server backup` wrote, or for a backup an empty folder or a new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a copy says of itself."""

    cpufit: str
    """The version that wrote it."""
    created_at: str
    catalog: str
    """The name of the catalog's file in the copy."""
    catalog_sha256: str
    files: int
    """Blobs and held files."""
    size: int
    """What these take, in bytes."""
    format: int = FORMAT

    def as_json(self) -> bytes:
        """Return the bytes of ``backup.json``."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read ``backup.json``.

        :raises NotABackup: it is something else, or of a newer cpufit
        """
        try:
            told: dict[str, Any] = json.loads(data)
            manifest = cls(**{name: told[name] for name in cls.__dataclass_fields__})
        except (ValueError, TypeError, KeyError):
            raise NotABackup("its backup.json cannot be read") from None
        if manifest.format != FORMAT or "/" in manifest.catalog:
            raise NotABackup("its backup.json is of a form that this cpufit does not know")
        return manifest


def blob_name(sha256: str) -> str:
    """Return a blob's name in a copy."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def held_name(sha256: str) -> str:
    """Return a held file's name in a copy."""
    return f"held/{sha256}"


class CopySource(Protocol):
    """A copy that is read."""

    def manifest(self) -> Manifest:
        """Return what it says of itself.

        :raises NotABackup: it is none
        """

    def open(self, name: str) -> IO[bytes] | None:
        """Open one of its files; None where it is not there."""


class CopyTarget(Protocol):
    """A copy that is written."""

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file that is in it already; None where it is not."""

    def add(self, name: str, source: Path) -> None:
        """Take a file in, in place of one of the same name.

        :raises FileNotFoundError: the file is gone
        """

    def finish(self, manifest: Manifest, catalog: Path, names: frozenset[str]) -> None:
        """Make it whole, and let go of what an older one had beyond these names."""


class FolderSource:
    """A copy in a folder, which is only read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> Manifest:
        """Return what it says of itself."""
        stream = self.open(MANIFEST)
        if stream is None:
            raise NotABackup(f"{self._folder} has no {MANIFEST}: it is no backup, or one that was not finished")
        with stream:
            return Manifest.parse(stream.read())

    def open(self, name: str) -> IO[bytes] | None:
        """Open one of its files."""
        with suppress(FileNotFoundError):
            return (self._folder / name).open("rb")
        return None


class FolderCopy(FolderSource):
    """A copy in a folder; one that is there already is brought up to date, and stays as it was until the end."""

    def __init__(self, folder: Path, *, link: bool) -> None:
        """Take a folder, making it where it is missing.

        :param link: let its files be those of the store where both are on one file system: they never change
        :raises NotABackup: something else is in it
        """
        super().__init__(folder)
        self._link = link
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        foreign = [path.name for path in folder.iterdir() if not _is_ours(path.name)]
        if foreign:
            raise NotABackup(f"{folder} holds something else: {min(foreign)}")

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file that is there; None where it is not."""
        with suppress(FileNotFoundError):
            return (self._folder / name).stat().st_size
        return None

    def add(self, name: str, source: Path) -> None:
        """Link or copy a file: whole or not at all."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{target.name}{PART}"
        part.unlink(missing_ok=True)
        if not (self._link and _linked(source, part)):
            _copied(source, part)
        part.replace(target)
        part.unlink(missing_ok=True)  # a rename of one link of a file onto another one does nothing
        fsync_folder(target.parent)

    def finish(self, manifest: Manifest, catalog: Path, names: frozenset[str]) -> None:
        """Bring the catalog in, then the manifest, which makes this the copy; then remove what is left of the older."""
        _copied(catalog, self._folder / manifest.catalog)
        part = self._folder / f"{MANIFEST}{PART}"
        with part.open("wb") as stream:
            stream.write(manifest.as_json())
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._folder / MANIFEST)
        fsync_folder(self._folder)
        kept = names | {MANIFEST, manifest.catalog}
        for path in sorted(self._folder.rglob("*"), reverse=True):
            if path.is_dir():
                with suppress(OSError):  # it is not empty
                    path.rmdir()
            elif path.relative_to(self._folder).as_posix() not in kept:
                path.unlink()


class TarCopy:
    """A copy in a new tar file, which appears when it is whole. Wheels are compressed already, so it is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}{PART}")
        self._sizes: dict[str, int] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")
        # closed by finish, or with its stream by close
        self._tar = tarfile.TarFile(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file that this run took in already; None where it did not."""
        return self._sizes.get(name)

    def add(self, name: str, source: Path) -> None:
        """Append a file."""
        with source.open("rb") as stream:
            told = os.fstat(stream.fileno())
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = told.st_size, int(told.st_mtime), 0o600
            self._tar.addfile(member, stream)
        self._sizes[name] = told.st_size

    def finish(self, manifest: Manifest, catalog: Path, names: frozenset[str]) -> None:
        """Append catalog and manifest and let the tar appear; what it has beyond the names does no harm."""
        del names
        self.add(manifest.catalog, catalog)
        data = manifest.as_json()
        member = tarfile.TarInfo(MANIFEST)
        member.size, member.mode = len(data), 0o600
        self._tar.addfile(member, io.BytesIO(data))
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._part.replace(self._path)
        fsync_folder(self._path.parent)

    def close(self) -> None:
        """Remove what is not finished."""
        self._stream.close()
        self._part.unlink(missing_ok=True)


class TarSource:
    """A copy in a tar file, which is read and never unpacked as a whole."""

    def __init__(self, tar: tarfile.TarFile, path: Path) -> None:
        self._tar = tar
        self._path = path
        self._members = {member.name: member for member in tar.getmembers() if member.isreg()}

    def manifest(self) -> Manifest:
        """Return what it says of itself."""
        stream = self.open(MANIFEST)
        if stream is None:
            raise NotABackup(f"{self._path} has no {MANIFEST}: it is no backup")
        with stream:
            return Manifest.parse(stream.read())

    def open(self, name: str) -> IO[bytes] | None:
        """Open one of its files."""
        member = self._members.get(name)
        return None if member is None else self._tar.extractfile(member)


@contextmanager
def open_source(path: Path) -> Iterator[CopySource]:
    """Open a copy for reading.

    :raises NotABackup: there is none
    """
    if path.is_dir():
        yield FolderSource(path)
        return
    try:
        tar = tarfile.TarFile.open(path, "r:")
    except (tarfile.TarError, FileNotFoundError):
        raise NotABackup(f"{path} is neither a folder nor a tar") from None
    with tar:
        yield TarSource(tar, path)


def _is_ours(name: str) -> bool:
    return name in (*_FOLDERS, MANIFEST) or name.startswith("catalog-") or name.endswith(PART)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        return False
    return True


def _copied(source: Path, target: Path) -> None:
    with source.open("rb") as data, target.open("wb") as copy:
        shutil.copyfileobj(data, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
