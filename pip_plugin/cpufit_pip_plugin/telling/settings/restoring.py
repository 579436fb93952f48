"""One settings file that is written so that it can be restored byte for byte.

Beside ``pip.conf`` stand ``pip.conf.cpufit-backup``, the bytes as they were, and ``pip.conf.cpufit-record``, the
digests of those bytes and of what was written. Both are complete before the file changes, so a kill at any instant
leaves a file that is either old or new, and a record that knows both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from .errors import BackupDamaged, ChangedSince, NotAccessible

State = Literal["unset", "set", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was there, and what was written."""

    existed: bool
    original: str
    """SHA-256 of the bytes that were there; of no bytes where no file was."""
    written: list[str]
    """SHA-256 of what was written, the newest last; the one before is still there where a write was killed."""
    folders: list[str]
    """Folders that were made for the file, innermost first."""
    index: str
    """Without credentials."""
    cpu: str


class SettingsFile:
    """A settings file with its backup and its record. Links are followed: what they lead to is changed."""

    def __init__(self, path: Path) -> None:
        """Take the file's place; nothing need be there."""
        self.path = path
        self.backup = path.with_name(path.name + ".cpufit-backup")
        self._record = path.with_name(path.name + ".cpufit-record")

    def record(self) -> Record | None:
        """Return the record; None where nothing is set.

        :raises BackupDamaged: it cannot be read
        """
        raw = _read(self._record)
        if raw is None:
            return None
        try:
            return Record(**json.loads(raw))
        except (ValueError, TypeError) as error:
            raise BackupDamaged(
                "this record cannot be read", where=str(self._record), hint=f"compare {self.path} with {self.backup}"
            ) from error

    def state(self) -> State:
        """Tell whether the file is as cpufit wrote it, as it was before, or as somebody else left it."""
        record = self.record()
        if record is None:
            return "unset"
        current = _digest(_read(self.path))
        if current in record.written:
            return "set"
        return "unset" if current == record.original else "changed"

    def readable_by_others(self) -> bool:
        """Tell whether other users of the machine may read the file."""
        return os.name == "posix" and self.path.exists() and bool(self.path.stat().st_mode & 0o077)

    def original(self) -> bytes | None:
        """Return the bytes that were there before cpufit wrote; None where no file was.

        :raises ChangedSince: somebody else changed the file since
        :raises BackupDamaged: the backup is not what was there
        """
        record, state = self.record(), self.state()
        if record is None or state == "unset":
            return _read(self.path)
        if state == "changed":
            raise self._changed()
        return self._backed_up(record)

    def write(self, content: bytes, *, index: str, cpu: str, secret: bool) -> None:
        """Write the file; what was there before the first write is kept until :meth:`undo`.

        :param secret: the content holds credentials, so that a new file is for its owner alone
        """
        before, old = self.original(), self.record()
        kept = old if old is not None and self.state() == "set" else None
        record = Record(
            existed=before is not None,
            original=_digest(before),
            # the one that is there stays known until the file has changed
            written=[*([_digest(_read(self.path))] if kept else []), _digest(content)],
            folders=old.folders if old else [str(one) for one in _missing_folders(self.path.parent)],
            index=index,
            cpu=cpu,
        )
        with _explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if kept is None and before is not None:
                _write(self.backup, before, 0o600)
            _write(self._record, json.dumps(asdict(record), indent=2).encode() + b"\n", 0o600)
            _write(self.path, content, 0o600 if secret else 0o644)

    def undo(self, *, force: bool = False) -> bool:
        """Restore the file and return whether there was anything to restore.

        :param force: even where somebody else changed it since
        :raises ChangedSince: somebody else did
        :raises BackupDamaged: the backup is not what was there
        """
        record = self.record()
        if record is None:
            return False
        state = self.state()
        if state == "changed" and not force:
            raise self._changed()
        with _explained(self.path):
            if state != "unset":
                before = self._backed_up(record)
                if before is None:
                    Path(os.path.realpath(self.path)).unlink(missing_ok=True)
                else:
                    _write(self.path, before, 0o600)
            self._record.unlink()
            self.backup.unlink(missing_ok=True)
            for folder in record.folders:
                with contextlib.suppress(OSError):  # somebody else has something in it
                    Path(folder).rmdir()
        return True

    def _backed_up(self, record: Record) -> bytes | None:
        if not record.existed:
            return None
        content = _read(self.backup)
        if content is None or _digest(content) != record.original:
            raise BackupDamaged("the backup is not what was there before", where=str(self.backup))
        return content

    def _changed(self) -> ChangedSince:
        return ChangedSince(
            "the file is not as cpufit wrote it",
            where=str(self.path),
            hint=f"what was there before is {self.backup}; cpufit config undo --force restores that and loses the "
            f"changes; to keep the file as it is, remove {self._record}",
        )


def _missing_folders(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _digest(content: bytes | None) -> str:
    return "no file" if content is None else hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes | None:
    with _explained(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _write(path: Path, content: bytes, usual_mode: int) -> None:
    """Replace a file in one step; its mode and, as far as allowed, its owner stay."""
    real = Path(os.path.realpath(path))
    there = real.stat() if real.exists() else None
    handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if there is not None and hasattr(os, "chown"):
            with contextlib.suppress(OSError):  # only the superuser gives files away
                os.chown(temporary, there.st_uid, there.st_gid)
        temporary.chmod(usual_mode if there is None else stat.S_IMODE(there.st_mode))
        temporary.replace(real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotAccessible(
            f"{error.strerror or error}", where=str(error.filename or path), hint="is it yours, and a file?"
        ) from error


Edit = Callable[[str], str]
"""From a settings file's text to the text to write."""


def edited(before: bytes | None, edit: Edit) -> bytes:
    """Return changed bytes; what is no UTF-8 comes through as it is."""
    return edit((before or b"").decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
