"""The sandbox: bubblewrap around every line of a wheel's code.

Inside there is no network and no home; the system's programs, one interpreter and the wheel's folder are read-only.
What is written goes to memory and ends with the run. Address space, processor time, size of files and number of
processes are limited, and after its time the whole tree of processes is killed, which the process-id namespace makes
complete. As root it runs as the user ``nobody``, since root's processes are not counted.

Where bubblewrap is missing or may not make namespaces, nothing runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
_OUTPUT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one run may cost."""

    seconds: float
    memory_bytes: int
    file_bytes: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    status: int
    """Exit status; a signal's number is negative."""
    timed_out: bool
    stdout: str
    stderr: str


def unavailable() -> str | None:
    """Return why nothing can be run in a sandbox here; None where it can."""
    for program in ("bwrap", "prlimit"):
        if shutil.which(program) is None:
            package = {"bwrap": "bubblewrap", "prlimit": "util-linux"}[program]
            return f"{program} is not installed (Debian: {package})"
    limits = SandboxLimits(seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20, processes=64)
    ended = run_sandboxed(["/bin/true"], binds={}, environ={}, limits=limits)
    if ended.status != 0:
        return f"bubblewrap cannot make namespaces here: {ended.stderr.strip()[:200]}"
    return None


def run_sandboxed(
    command: Sequence[str],
    *,
    binds: Mapping[Path, Path],
    environ: Mapping[str, str],
    limits: SandboxLimits,
    writable: Path | None = None,
) -> Ended:
    """Run a command inside the sandbox and wait for its end.

    :param binds: read-only folders: where each is seen inside, and what it is
    :param environ: the whole environment inside
    :param writable: one folder that may be written, seen as ``/probe/out``; its owner must let others write
    """
    words = [*_limits(limits), "bwrap", *_namespaces(binds, environ, writable), "--", *_as_nobody(), *command]
    process = subprocess.Popen(  # noqa: S603  # the sandbox itself
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        start_new_session=True,
    )
    timed_out = False
    try:
        out, err = process.communicate(timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    status = process.returncode
    if status > 128:  # bubblewrap tells of a signal as a shell does
        status = 128 - status
    return Ended(
        status=status,
        timed_out=timed_out,
        stdout=out[-_OUTPUT_BYTES:].decode("utf-8", "replace"),
        stderr=err[-_OUTPUT_BYTES:].decode("utf-8", "replace"),
    )


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _as_nobody() -> list[str]:
    if not _is_root():
        return []
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *user, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]


def _limits(limits: SandboxLimits) -> list[str]:
    return [
        "prlimit",
        f"--as={limits.memory_bytes}",
        f"--cpu={int(limits.seconds) + 1}",
        f"--fsize={limits.file_bytes}",
        f"--nproc={limits.processes}",
        "--nofile=1024",
        "--core=0",
        "--",
    ]


def _namespaces(binds: Mapping[Path, Path], environ: Mapping[str, str], writable: Path | None) -> list[str]:
    words = ["--die-with-parent", "--new-session", "--clearenv", "--unshare-net", "--unshare-pid", "--unshare-ipc"]
    words += ["--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"]
    # root becomes another user inside, for which it needs these two until then; anybody else gets a user namespace
    words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if _is_root() else ["--unshare-user"]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--size", str(1 << 30), "--tmpfs", "/tmp"]  # noqa: S108  # inside
    for name in _SYSTEM:
        place = Path(name)
        if place.is_symlink():
            words += ["--symlink", str(place.readlink()), name]
        elif place.is_dir():
            words += ["--ro-bind", name, name]
    for name in _FILES:
        words += ["--ro-bind-try", name, name]
    # bubblewrap would make the folders above for its own user alone
    above = {parent for inside in (*binds, Path("/probe/out")) for parent in inside.parents}
    for parent in sorted(above - {Path("/"), Path("/usr")}):
        words += ["--perms", "0755", "--dir", str(parent)]
    for inside, outside in binds.items():
        words += ["--ro-bind", str(outside), str(inside)]
    if writable is not None:
        words += ["--bind", str(writable), "/probe/out"]
    for name, value in {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environ}.items():  # noqa: S108  # inside
        words += ["--setenv", name, value]
    return [*words, "--chdir", "/tmp"]  # noqa: S108  # inside
