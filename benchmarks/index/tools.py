"""What a run needs besides this repository: each rival in an environment of its own, wrk and nginx from Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

RIVALS = {
    "devpi-server": ("devpi-server",),
    "pypiserver": ("pypiserver[passlib]", "gunicorn", "waitress"),
    "simple-repository-server": ("simple-repository-server",),
    "proxpi": ("proxpi",),
    "simpleindex": ("simpleindex",),
    "raw": ("uvicorn", "httptools", "uvloop"),
}
"""What pip installs into the environment of each."""


class Tools:
    """A folder of environments, filled as they are needed and kept for the next run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, rival: str, name: str) -> Path | None:
        """Return a program of a rival's environment; None where it cannot be had."""
        home = self.folder / rival
        if not (home / "complete").exists() and not _install(home, RIVALS[rival]):
            return None
        return home / "bin" / name

    def version(self, rival: str) -> str:
        """Return which version of a rival is installed."""
        name = "uvicorn" if rival == "raw" else rival
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        ended = subprocess.run(
            [self.folder / rival / "bin" / "python", "-c", code], capture_output=True, text=True, check=False
        )
        return ended.stdout.strip()


def _install(home: Path, requirements: tuple[str, ...]) -> bool:
    venv.create(home, with_pip=True, clear=True)
    command: list[str | Path] = [
        home / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *requirements,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if ended.returncode != 0:
        print(f"cannot be installed: {' '.join(requirements)}", file=sys.stderr)
        return False
    (home / "complete").touch()
    return True


def system_program(name: str, package: str) -> Path | None:
    """Return a program of the system; where this is root on Debian, it is installed when it is missing."""
    found = shutil.which(name, path=os.defpath + ":/usr/sbin:" + os.environ.get("PATH", ""))
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", package]
        subprocess.run(
            command, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=False
        )
        found = shutil.which(name, path=os.defpath + ":/usr/sbin")
    return None if found is None else Path(found)
