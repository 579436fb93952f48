"""Whether a folder is on a network file system, where machines with other CPUs may read it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

# fmt: off
NETWORK = frozenset(
    {
        "9p", "acfs", "afs", "auristorfs", "beegfs", "ceph", "cifs", "coda", "cvmfs2", "davfs", "fhgfs", "gfs",
        "gfs2", "glusterfs", "gpfs", "lustre", "mapr", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs",
        "pan_fs", "panfs", "pvfs2", "quobyte", "smb", "smb2", "smb3", "smbfs", "webdav", "wekafs",
    }
)
# fmt: on
"""File system types as Linux and macOS name them, without ``fuse.`` and the like before them."""

_FUSE = frozenset(
    {"sshfs", "glusterfs", "ceph-fuse", "s3fs", "rclone", "moosefs", "mfs", "juicefs", "curlftpfs", "davfs2"}
)


def network_file_system(folder: Path) -> str | None:
    """Return the type of the network file system that a folder is on; None where it is on none, or nobody tells."""
    real = folder.resolve()
    kind = _kind_of(real)
    return kind if kind is not None and is_network(kind) else None


def is_network(kind: str) -> bool:
    """Tell whether a type of file system reaches over a network."""
    name = kind.lower()
    for prefix in ("fuse.", "fuseblk.", "fuse-"):
        if name.startswith(prefix):
            return name.removeprefix(prefix) in _FUSE | NETWORK
    return name in NETWORK or name in _FUSE


def _kind_of(real: Path) -> str | None:
    if sys.platform == "win32":  # pragma: no cover  # not testable here
        return "smb" if str(real).startswith("\\\\") or _is_remote_drive(real.drive) else None
    try:
        return kind_by_mountinfo(real, Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:  # no Linux, or no /proc
        try:
            told = subprocess.run(["mount"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607
        except (OSError, subprocess.TimeoutExpired):
            return None
        return kind_by_mount(real, told.stdout)


def _is_remote_drive(drive: str) -> bool:  # pragma: no cover  # not testable here
    import ctypes  # noqa: PLC0415  # for Windows alone

    windows: Any = getattr(ctypes, "windll", None)
    return windows is not None and windows.kernel32.GetDriveTypeW(f"{drive}\\") == 4


def kind_by_mountinfo(folder: PurePath, mountinfo: str) -> str | None:
    """Return the type of the file system that holds a folder, from the text of ``/proc/self/mountinfo``.

    proc_pid_mountinfo(5): the mount point is the fifth field, the type stands after a lone ``-``; blanks and
    backslashes are written in octal.
    """
    mounts = []
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) >= 5 and after:
            mounts.append((_unescaped(fields[4]), after.split(" ")[0]))
    return _innermost(folder, mounts)


def kind_by_mount(folder: PurePath, told: str) -> str | None:
    """Return the same from what ``mount`` prints: ``it on /there (nfs, …)``, on Linux ``it on /there type nfs (…)``."""
    lines = (re.fullmatch(r".* on (.+?)(?: type (\S+))? \(([^,)]+).*\)", line) for line in told.splitlines())
    return _innermost(folder, [(found[1], found[2] or found[3]) for found in lines if found is not None])


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _innermost(folder: PurePath, mounts: Sequence[tuple[str, str]]) -> str | None:
    """Return the type of the mount whose point is nearest; of several on one point the last hides the others."""
    holding = [(len(PurePath(point).parts), number) for number, (point, _) in enumerate(mounts)
               if PurePath(point) == folder or PurePath(point) in folder.parents]  # fmt: skip
    return mounts[max(holding)[1]][1] if holding else None
