"""One import on one emulated CPU."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .environment import ARM64_INSIDE, Interpreter
from .models import EMULATORS
from .options import ProbeOptions
from .pipes import Head, Pipe
from .report import printable
from .sandbox import Ended, SandboxLimits, another_user, run_sandboxed
from .trace import Trace, TraceReader

SITE = Path("/probe/site")
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64")
_TOLD_BYTES = 4 << 20
_LONGEST_NAME = 100

# What runs inside. Each module is told as soon as it is imported; an exception is told with the files of its frames,
# and of those that it came from, the first cause last. The folder comes after the standard library, as site-packages
# does.
_BOOTSTRAP = """
import faulthandler, json, os, sys, traceback
faulthandler.enable()
channel, modules, smoke, others = int(sys.argv[1]), *map(json.loads, sys.argv[2:])
sys.argv[:] = [""]
sys.path[:] = [*filter(None, sys.path), "/probe/site"]
os.set_inheritable(channel, False)
def tell(**told):
    line = (json.dumps(told) + "\\n").encode()
    while line:
        line = line[os.write(channel, line):]
def frames(error):
    chain = []
    while error is not None and len(chain) < 10:
        chain.append([one.filename for one in traceback.extract_tb(error.__traceback__)])
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return sum(chain, [])
def attempt(name, work, **more):
    try:
        work()
    except BaseException as error:
        tell(failed=name, how=type(error).__name__, said=str(error)[:300], frames=frames(error)[-100:], **more)
        return False
    if not more:
        tell(done=name)
    return True
def here(module):
    try:  # some modules import more when they are asked for anything
        return str(object.__getattribute__(module, "__dict__").get("__file__")).startswith("/probe/site/")
    except Exception:
        return False
failed = [name for name in modules if not attempt(name, lambda: __import__(name))]
if smoke and not attempt("", lambda: exec(compile(smoke, "<smoke>", "exec"), {})):
    failed.append("")
for name in others if failed else ():
    attempt(name, lambda: __import__(name), dependency=True)
loaded = {name.partition(".")[0] for name, module in list(sys.modules.items()) if here(module)}
tell(end=True, loaded=sorted(loaded)[:200])
os._exit(0)
"""
_FRAME = re.compile(r'^  File "([^"]+)", line \d+', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception that ended an import."""

    module: str
    """The empty text stands for the smoke snippet."""
    how: str
    """The exception's name."""
    said: str
    frames: tuple[str, ...]
    """The files of its frames, the innermost of its first cause last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of a run, unjudged."""

    ended: Ended
    trace: Trace
    done: frozenset[str]
    """The modules whose import ended well; the empty text stands for the smoke snippet."""
    failed: tuple[Failure, ...]
    dependencies: tuple[str, ...]
    """After an exception: those of the dependencies that cannot be imported either."""
    loaded: tuple[str, ...]
    """At the end: the top-level modules that came from the folder."""
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

    def run(self, model: str, *, modules: tuple[str, ...], smoke: str, others: tuple[str, ...] = ()) -> Attempt:
        """Import modules and run the smoke snippet on a CPU, inside the sandbox.

        :param others: top-level modules of dependencies; where an import fails it is asked whether they work
        """
        traced, told, user = TraceReader(), Head(_TOLD_BYTES), another_user()
        channels = (Pipe(traced.feed, owner=user), Pipe(told.feed))
        words = [str(channels[1].write), *map(json.dumps, (modules, smoke, others))]
        begun = time.monotonic()
        ended = run_sandboxed(
            [*self._emulator(model, channels[0].inside), str(self.interpreter.program), "-S", "-c", _BOOTSTRAP, *words],
            binds=self._binds(),
            environ={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"},
            limits=SandboxLimits(
                seconds=self.options.time_limit,
                memory_bytes=self.options.memory_bytes,
                file_bytes=self.options.file_bytes,
                processes=self.options.processes,
            ),
            channels=channels,
            user=user,
        )
        return _attempt(ended, traced.trace(), told.text, time.monotonic() - begun)

    def elsewhere(self, attempt: Attempt) -> tuple[str, ...]:
        """Return where code was mapped from besides the folder, the interpreter and the system."""
        return attempt.trace.elsewhere((str(SITE), str(self.interpreter.prefix), str(ARM64_INSIDE), *_SYSTEM))

    def _emulator(self, model: str, trace: str) -> list[str]:
        words = [f"/usr/bin/{EMULATORS[self.arch]}", "-cpu", model, "-strace", "-D", trace]
        if self.options.arm64_root is not None and self.arch == "aarch64":
            words += ["-L", str(ARM64_INSIDE)]
        return words

    def _binds(self) -> dict[Path, Path]:
        binds = {SITE: self.site}
        prefix = self.interpreter.prefix
        if self.arch == "aarch64" and self.options.arm64_root is not None:
            binds[ARM64_INSIDE] = self.options.arm64_root
        elif not prefix.is_relative_to("/usr") or prefix.is_relative_to("/usr/local"):
            binds[prefix] = prefix
        return binds


def _attempt(ended: Ended, trace: Trace, told: str, seconds: float) -> Attempt:
    lines = [line for text in told.splitlines() if (line := _line(text))]
    failed = [line for line in lines if "failed" in line]
    loaded = next((_texts(line.get("loaded")) for line in lines if line.get("end")), None)
    return Attempt(
        ended=ended,
        trace=trace,
        done=frozenset(str(line["done"]) for line in lines if "done" in line),
        failed=tuple(_failure(line) for line in failed if not line.get("dependency")),
        dependencies=tuple(_failure(line).module for line in failed if line.get("dependency")),
        loaded=tuple(name for name in loaded or () if name.isidentifier() and len(name) < _LONGEST_NAME),
        complete=loaded is not None,
        seconds=seconds,
    )


def _failure(line: Mapping[str, object]) -> Failure:
    texts = {name: printable(str(line.get(name, ""))) for name in ("failed", "how", "said")}
    return Failure(
        module=texts["failed"], how=texts["how"], said=texts["said"], frames=tuple(_texts(line.get("frames")))
    )


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _line(text: str) -> dict[str, object]:
    """Return what a line tells; nothing where it is none of ours, since the wheel's code can write there too."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(name): value for name, value in told.items()} if isinstance(told, dict) else {}
