"""The sandbox: bubblewrap around every line of a wheel's code.

Inside there is no network and no home; the system's programs, one interpreter and the wheel's folder are read-only.
What is written goes to memory and ends with the run; what is told comes out by pipes (:mod:`.pipes`). Address space,
processor time, size of files and number of processes are limited, system calls that open more of the kernel are refused
(:mod:`.seccomp`), and where memory runs out the sandbox is what the system ends first. After its time, or where all of
it together takes too much memory, the whole tree of processes is killed, which the process-id namespace makes complete.
As root it runs as a user of its own, since root's processes are not counted.

Where bubblewrap is missing or may not make namespaces, nothing runs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import seccomp
from .pipes import Pipe, Tail
from .usage import memory_of_tree

_NOBODY = 65534
_FIRST_USER, _USERS = 0x70000000, 1 << 24
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
_FILES = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime")
_OUTPUT_BYTES = 1 << 20
_MOST_SIGNALS = 64
_LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLimits:
    """What one run may cost."""

    seconds: float
    memory_bytes: int
    """Of address space for each process, and of memory for all together."""
    file_bytes: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    status: int
    """Exit status; a signal's number is negative."""
    timed_out: bool
    too_large: bool
    """Whether all its processes together took more memory than they may."""
    stdout: str
    stderr: str


def unavailable() -> str | None:
    """Return why nothing can be run in a sandbox here; None where it can."""
    packages = {"bwrap": "bubblewrap", "prlimit": "util-linux", "choom": "util-linux"}
    for program, package in (packages | ({"setpriv": "util-linux"} if _is_root() else {})).items():
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: {package})"
    if not seccomp.known():
        return "there is no filter of system calls for this machine's architecture"
    limits = SandboxLimits(seconds=20, memory_bytes=1 << 30, file_bytes=1 << 20, processes=64)
    ended = run_sandboxed(["/bin/true"], binds={}, environ={}, limits=limits)
    if ended.status != 0:
        return f"bubblewrap cannot make namespaces here: {ended.stderr.strip()[:200]}"
    return None


def another_user() -> int | None:
    """Return whom to run as inside, where that is another than who runs this; pipes opened by name have to be theirs.

    A user of its own for each run: what a run may have is counted by user, and others run as ``nobody`` too.
    """
    if not _is_root():
        return None
    # a container's root has a part of the users alone
    span = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    whole = span[:2] == ["0", "0"] and int(span[2]) > _FIRST_USER + _USERS
    return _FIRST_USER + secrets.randbelow(_USERS) if whole else _NOBODY


def run_sandboxed(
    command: Sequence[str],
    *,
    binds: Mapping[Path, Path],
    environ: Mapping[str, str],
    limits: SandboxLimits,
    channels: Sequence[Pipe] = (),
    user: int | None = None,
) -> Ended:
    """Run a command inside the sandbox and wait for its end.

    :param binds: read-only folders: where each is seen inside, and what it is
    :param environ: the whole environment inside
    :param channels: pipes that the command has besides its output; all of them are read when this returns
    :param user: one of :func:`another_user`, where the channels are that user's
    """
    user = another_user() if user is None else user
    out, err = Tail(_OUTPUT_BYTES), Tail(_OUTPUT_BYTES)
    with contextlib.ExitStack() as stack:
        stdout, stderr = pipes = Pipe(out.feed), Pipe(err.feed)
        for pipe in (*pipes, *channels):
            stack.callback(pipe.close)
        rules = stack.enter_context(_filter())
        words = ["choom", "-n", "1000", "--", "bwrap", *_namespaces(binds, environ, limits), "--seccomp", str(rules)]
        process = subprocess.Popen(  # noqa: S603  # the sandbox itself
            [*words, "--", *_as_user(user), *_limits(limits), *command],
            stdin=subprocess.DEVNULL,
            stdout=stdout.write,
            stderr=stderr.write,
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd="/",
            pass_fds=[rules, *(channel.write for channel in channels)],
            start_new_session=True,
        )
        for pipe in (*pipes, *channels):
            pipe.given()
        exceeded = _waited(process, limits)
    return Ended(
        status=_status(process.returncode),
        timed_out=exceeded == "time",
        too_large=exceeded == "memory",
        stdout=out.text,
        stderr=err.text,
    )


def _waited(process: subprocess.Popen[bytes], limits: SandboxLimits) -> Literal["time", "memory"] | None:
    """Wait for the end, or make it; return which limit made it."""
    end = time.monotonic() + limits.seconds
    try:
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(_LOOK_EVERY, max(0.0, end - time.monotonic())))
                return None
            if memory_of_tree(process.pid) > limits.memory_bytes:
                return "memory"
        return "time"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _status(status: int) -> int:
    """Return what bubblewrap tells as a shell does, a signal as 128 and its number, as :mod:`subprocess` does."""
    return 128 - status if 128 < status <= 128 + _MOST_SIGNALS else status


@contextlib.contextmanager
def _filter() -> Iterator[int]:
    reading, writing = os.pipe()
    try:
        try:
            os.write(writing, seccomp.filter_program())
        finally:
            os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _as_user(user: int | None) -> list[str]:
    if user is None:
        return []
    words = [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    return ["setpriv", *words, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"]


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


def _namespaces(binds: Mapping[Path, Path], environ: Mapping[str, str], limits: SandboxLimits) -> list[str]:
    words = ["--die-with-parent", "--new-session", "--clearenv", "--unshare-net", "--unshare-pid", "--unshare-ipc"]
    words += ["--unshare-uts", "--unshare-cgroup-try", "--cap-drop", "ALL"]
    # root becomes another user inside, for which it needs these two until then; anybody else gets a user namespace
    words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if _is_root() else ["--unshare-user"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for name in ("/tmp", "/dev/shm"):  # noqa: S108  # inside; locks between processes are made in the second
        words += ["--perms", "1777", "--size", str(max(limits.file_bytes, 1 << 20)), "--tmpfs", name]
    for name in _SYSTEM:
        place = Path(name)
        if place.is_symlink():
            words += ["--symlink", str(place.readlink()), name]
        elif place.is_dir():
            words += ["--ro-bind", name, name]
    # bubblewrap would make the folders above for its own user alone
    above = {parent for inside in (*binds, *map(Path, _FILES)) for parent in inside.parents}
    for parent in sorted(above - {Path("/"), Path("/usr")}):
        words += ["--perms", "0755", "--dir", str(parent)]
    for name in _FILES:
        words += ["--ro-bind-try", name, name]
    for inside, outside in binds.items():
        words += ["--ro-bind", str(outside), str(inside)]
    for name, value in {"HOME": "/tmp", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **environ}.items():  # noqa: S108  # inside
        words += ["--setenv", name, value]
    # both belong to whom the sandbox belongs to, and have no size
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108  # inside
