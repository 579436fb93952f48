"""An arm64 Debian with its Python, unpacked into a folder: what a probe of arm64 wheels runs under qemu.

apt works for another architecture with a state of its own, so nothing of this machine's packages changes, and packages
are only unpacked: none of their scripts runs.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cpufit_resolver.errors import CpufitError


class Arm64Unavailable(CpufitError):
    """The arm64 root could not be made."""

    code = "arm64-root-unavailable"
    usual_hint = "it needs apt-get and dpkg-deb with Debian's package lists reachable; or unpack one elsewhere"


def make_arm64_root(folder: Path) -> int:
    """Unpack Debian's arm64 ``python3`` with all that it depends on into a new folder; return how many packages.

    :raises Arm64Unavailable: a tool is missing, or the packages cannot be fetched
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Arm64Unavailable(f"{program} is not installed", where=str(folder))
    if folder.exists() and any(folder.iterdir()):
        raise Arm64Unavailable("the folder is not empty", where=str(folder), hint="name a new folder")
    with tempfile.TemporaryDirectory(prefix="cpufit-arm64-") as scratch:
        options = _private_state(Path(scratch))
        _run(["apt-get", *options, "update"], folder)
        _run(["apt-get", *options, "--yes", "--no-install-recommends", "--download-only", "install", "python3"], folder)
        packages = sorted(Path(scratch).glob("cache/archives/*.deb"))
        folder.mkdir(parents=True, exist_ok=True)
        for package in packages:
            _run(["dpkg-deb", "--extract", str(package), str(folder)], folder)
    return len(packages)


def _private_state(scratch: Path) -> list[str]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    (scratch / "state" / "status").touch()
    chosen = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "state" / "status",
        "Dir::Cache": scratch / "cache",
        "Debug::NoLocking": "1",
    }
    return ["-qq", *(word for name, value in chosen.items() for word in ("-o", f"{name}={value}"))]


def _run(command: Sequence[str], folder: Path) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # apt, with our options
    if ended.returncode != 0:
        last = [line for line in ended.stderr.splitlines() if line.strip()][-1:] or ["no word of why"]
        raise Arm64Unavailable(f"{command[0]} failed: {last[0][:300]}", where=str(folder))
