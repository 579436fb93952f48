"""One import on one emulated CPU."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .environment import ARM64_INSIDE, Interpreter
from .models import EMULATORS
from .options import ProbeOptions
from .sandbox import Ended, SandboxLimits, run_sandboxed
from .trace import Trace, read_trace

SITE = Path("/probe/site")
_OUT = Path("/probe/out")
_MARK = "cpufit-probe:"
_MAX_TRACE = 512 << 20

# What runs inside. Each module is told as soon as it is imported; an exception is told with the files of its frames.
_BOOTSTRAP = """
import faulthandler, json, sys, traceback
faulthandler.enable()
sys.path.insert(0, "/probe/site")
mark, modules, smoke = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
def tell(**told):
    sys.stdout.write("\\n" + mark + json.dumps(told) + "\\n"); sys.stdout.flush()
def attempt(name, work):
    try:
        work()
    except BaseException as error:
        frames = [f.filename for f in traceback.extract_tb(error.__traceback__)]
        tell(failed=name, how=type(error).__name__, said=str(error)[:300], frames=frames)
        return False
    tell(done=name)
    return True
for name in modules:
    attempt(name, lambda: __import__(name))
if smoke:
    attempt("", lambda: exec(compile(smoke, "<smoke>", "exec"), {}))
tell(end=True)
sys.stdout.flush()
import os
os._exit(0)
"""
_FRAME = re.compile(r'^  File "([^"]+)", line \d+', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of a run, unjudged."""

    ended: Ended
    trace: Trace
    done: frozenset[str]
    """The modules whose import ended well; the empty text stands for the smoke snippet."""
    failed: tuple[dict[str, object], ...]
    """The exceptions: ``failed``, ``how``, ``said``, ``frames``."""
    complete: bool
    """Whether the process came to its end."""
    seconds: float

    @property
    def fatal_frames(self) -> tuple[str, ...]:
        """The files of the Python frames in which a signal struck, innermost first."""
        _, _, told = self.ended.stderr.rpartition("(most recent call first)")
        return tuple(_FRAME.findall(told)) if told != self.ended.stderr else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs imports of one environment."""

    arch: str
    site: Path
    """The folder with the wheel and its dependencies."""
    interpreter: Interpreter
    options: ProbeOptions

    def bare(self, model: str) -> bool:
        """Tell whether Python itself runs on a CPU."""
        attempt = self.run(model, modules=(), smoke="")
        return attempt.complete and attempt.ended.status == 0

    def run(self, model: str, *, modules: tuple[str, ...], smoke: str) -> Attempt:
        """Import modules and run the smoke snippet on a CPU, inside the sandbox."""
        with tempfile.TemporaryDirectory(prefix="cpufit-probe-") as folder:
            out = Path(folder) / "out"
            out.mkdir()
            out.chmod(0o777)
            Path(folder).chmod(0o755)
            begun = time.monotonic()
            ended = run_sandboxed(
                self._command(model, modules, smoke),
                binds=self._binds(),
                environ={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"},
                limits=SandboxLimits(
                    seconds=self.options.time_limit,
                    memory_bytes=self.options.memory_bytes,
                    file_bytes=self.options.file_bytes,
                    processes=self.options.processes,
                ),
                writable=out,
            )
            seconds = time.monotonic() - begun
            trace = _trace(out / "trace")
        return _attempt(ended, trace, seconds)

    def _command(self, model: str, modules: tuple[str, ...], smoke: str) -> list[str]:
        emulator = [f"/usr/bin/{EMULATORS[self.arch]}", "-cpu", model, "-strace", "-D", str(_OUT / "trace")]
        if self.options.arm64_root is not None and self.arch == "aarch64":
            emulator += ["-L", str(ARM64_INSIDE)]
        python = [str(self.interpreter.program), "-S", "-c", _BOOTSTRAP, _MARK, json.dumps(list(modules)), smoke]
        return [*emulator, *python]

    def _binds(self) -> dict[Path, Path]:
        binds = {SITE: self.site}
        prefix = self.interpreter.prefix
        if self.arch == "aarch64" and self.options.arm64_root is not None:
            binds[ARM64_INSIDE] = self.options.arm64_root
        elif not prefix.is_relative_to("/usr") or prefix.is_relative_to("/usr/local"):
            binds[prefix] = prefix
        return binds


def _trace(path: Path) -> Trace:
    try:
        with path.open("r", encoding="utf-8", errors="replace") as file:
            return read_trace(file.read(_MAX_TRACE))
    except OSError:
        return Trace()


def _attempt(ended: Ended, trace: Trace, seconds: float) -> Attempt:
    done: set[str] = set()
    failed: list[dict[str, object]] = []
    complete = False
    for line in ended.stdout.splitlines():
        if not line.startswith(_MARK):
            continue
        try:
            told = json.loads(line[len(_MARK) :])
        except ValueError:
            continue
        if "done" in told:
            done.add(str(told["done"]))
        elif "failed" in told:
            failed.append(told)
        complete = complete or bool(told.get("end"))
    return Attempt(
        ended=ended, trace=trace, done=frozenset(done), failed=tuple(failed), complete=complete, seconds=seconds
    )
