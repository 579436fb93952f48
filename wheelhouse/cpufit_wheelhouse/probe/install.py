"""pip, held to unpacking: what puts a wheel and its dependencies into a folder, outside the sandbox.

``--only-binary`` binds what comes from an index alone. A dependency that names an address (``x @ https://…``) is built
from source where the address holds one, and building runs its code. So pip runs with a hook that lets it start no
process, and with addresses refused before anything is asked of them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .options import ProbeOptions
from .report import printable

# distro and rustc, of which pip speaks to the index, are looked for in the same way and not missed
_PIP = """
import os, runpy, sys
sys.path.insert(0, sys.argv.pop(1))
from pip._vendor.packaging import requirements
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"}
def unpack_alone(event, _):
    if event in STARTS:
        raise PermissionError("nothing is started for a probe's dependencies")
class Named(requirements.Requirement):
    def __init__(self, *words, **named):
        super().__init__(*words, **named)
        if self.url:
            sys.stderr.write(f"ERROR: {self.name} is wanted from an address, not from the index\\n")
            sys.stderr.flush()
            os._exit(1)  # pip would take an exception for its own and tell its whole way
sys.addaudithook(unpack_alone)
requirements.Requirement = Named
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_LOOK_EVERY = 1.0
_LARGEST_FILE = 16 << 30
_TOLD_BYTES = 1 << 16


def install(target: Path, wanted: str, program: Path, pip_options: Sequence[str], options: ProbeOptions) -> str | None:
    """Install something with its dependencies into a folder; return why that could not be done, or None.

    :param target: the folder; its parent is for scratch files, which whoever made it removes
    :param program: the interpreter that pip runs in, and installs for unless its options say otherwise
    """
    spec = importlib.util.find_spec("pip")
    if spec is None or spec.origin is None:
        return "its dependencies cannot be had: pip is not installed"
    scratch = target.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    command = ["prlimit", f"--fsize={_LARGEST_FILE}", "--core=0", "--"]
    command += [str(program), "-I", "-c", _PIP, str(Path(spec.origin).parents[1])]
    command += _arguments(target, wanted, pip_options, options)
    with tempfile.TemporaryFile(dir=scratch) as told:
        environ = _environ(options) | {"TMPDIR": str(scratch)}
        process = subprocess.Popen(  # noqa: S603  # pip, of wheels alone
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told
        )
        try:
            reason = _watched(process, target.parent, options)
        finally:
            process.kill()
            process.wait()
        return reason or (_said(told) if process.returncode != 0 else None)


def _arguments(target: Path, wanted: str, pip_options: Sequence[str], options: ProbeOptions) -> list[str]:
    words = ["--isolated"] if options.index_url is not None else []
    words += ["install", *pip_options, "--quiet", "--no-input", "--disable-pip-version-check"]
    words += ["--only-binary", ":all:", "--no-compile", "--target", str(target), wanted]
    if options.index_url is not None:
        words += ["--index-url", options.index_url]
    if options.find_links is not None:
        words += ["--find-links", str(options.find_links)]
    return words


def _environ(options: ProbeOptions) -> dict[str, str]:
    if options.index_url is None:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def _watched(process: subprocess.Popen[bytes], folder: Path, options: ProbeOptions) -> str | None:
    """Wait for pip's end; return why it was not waited for any longer."""
    end = time.monotonic() + options.install_time_limit
    while time.monotonic() < end:
        try:
            process.wait(min(_LOOK_EVERY, max(0.0, end - time.monotonic())))
        except subprocess.TimeoutExpired:
            if _size(folder) <= options.install_bytes:
                continue
        else:
            if _size(folder) <= options.install_bytes:
                return None
        return f"it takes more than {options.install_bytes} bytes with its dependencies"
    return "its dependencies did not come in time"


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # pip has moved it
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  # for tens of thousands of files
    return total


def _said(told: IO[bytes]) -> str:
    told.seek(max(0, told.seek(0, os.SEEK_END) - _TOLD_BYTES))
    lines = [line for line in told.read().decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ") and line != "ERROR: Exception:"]
    return f"its dependencies cannot be had: {printable((errors or lines or ['pip failed'])[-1])}"
