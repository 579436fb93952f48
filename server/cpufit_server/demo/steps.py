"""The story: one index address, two CPUs, two different wheels, and both imports run.

polars 1.33.1 needs x86-64-v3: on an older CPU its import dies with "Illegal instruction". Its authors publish the same
release for x86-64-v2 under another name, polars-lts-cpu. Here the two become variants of one project, and plain pip
installs the right one.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cpufit_server.commands.import_ import Refused, Request, import_files, sentence
from cpufit_server.machines import (
    base_interpreter,
    emulated_command,
    find_emulator,
    make_emulated_venv,
    make_venv,
)
from cpufit_server.progress import Narrated, Reporter
from cpufit_server.settings import load_settings
from cpufit_server.sources.pip_settings import read_pip_settings
from cpufit_server.store import open_store

from .environment import pip_environment, server_environment
from .processes import DemoFailed, run, run_to_any_end, running_server, status_name

PROJECT = "polars"
WHEELS = (
    Request(specs=("polars==1.33.1",)),
    Request(specs=("polars-lts-cpu==1.33.1",), as_project=PROJECT),
)
"""Nobody declares what they need: it is read from their machine code."""
NEW_CPU = "x86_64_v3"
"""What the first of them needs."""
OLD_CPU = "Nehalem"
"""A processor of 2008, x86-64-v2: no AVX."""

_CPU_CHECK = "from cpufit_pip_plugin.cpu_check.cli import main; raise SystemExit(main())"
# which of the two wheels was installed, the processor's own answer, and a computation with it
_USE_IT = """
import importlib.metadata, json
import polars
origin = importlib.metadata.distribution("polars").read_text("cpufit-provenance.json")
print("installed:", json.loads(origin)["filename"] if origin else "the wheel published as polars")
frame = polars.DataFrame({"cpu": ["old", "new", "new"], "seconds": [40, 7, 6]})
print(frame.group_by("cpu").agg(polars.col("seconds").sum()).sort("cpu"))
"""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Where the demonstration plays."""

    folder: Path
    url: str
    pip_environ: Mapping[str, str]
    reporter: Reporter

    def say(self, line: str) -> None:
        """Put a child's line on standard output."""
        print(f"    {line}", flush=True)


def play(reporter: Reporter, *, keep: bool = False) -> None:
    """Play the demonstration from the empty folder to the last import, and clean up, whatever happens.

    :param keep: leave the folder with the home and the environments behind
    :raises CpufitError: a step did not work
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        raise DemoFailed("the two wheels of the demonstration are for x86-64 processors, and this is none")
    started = time.monotonic()
    with _terminated_as_interrupted(), _temporary_folder(reporter, keep=keep) as folder:
        temporary = folder / "tmp"
        temporary.mkdir()
        settings = read_pip_settings()
        reporter.step("1. An empty home and a server on the loopback")
        with running_server(folder / "home", folder / "server.log", server_environment(os.environ, temporary)) as url:
            stage = _Stage(
                folder=folder,
                url=url,
                pip_environ=pip_environment(os.environ, settings, temporary),
                reporter=reporter,
            )
            reporter.step(f"   {url}/simple/")
            _import_wheels(stage)
            _on_the_old_cpu(stage, _on_this_machine(stage))
    reporter.step(f"Done in {time.monotonic() - started:.0f} s.")


def _import_wheels(stage: _Stage) -> None:
    stage.reporter.step("2. Two wheels of polars 1.33.1, from the index that pip uses, as variants of one project")
    settings = load_settings(home=stage.folder / "home")
    with open_store(settings, progress=Narrated(stage.reporter)) as store:
        for request in WHEELS:
            for outcome in import_files(request, store.home, stage.reporter):
                if isinstance(outcome, Refused):
                    raise outcome.error
                stage.say(sentence(outcome))


def _on_this_machine(stage: _Stage) -> Path:
    """Return the Python of the environment made here."""
    stage.reporter.step("3. What cpu-check says of them on this machine")
    _cpu_check(stage, [sys.executable])
    stage.reporter.step("4. Plain pip in a fresh virtual environment on this machine")
    python = make_venv(stage.folder / "venv")
    _install_and_use(stage, python)
    return python


def _on_the_old_cpu(stage: _Stage, python: Path) -> None:
    if sys.platform != "linux" or find_emulator() is None:
        stage.reporter.step("qemu-x86_64 is not here (Debian: qemu-user), so there is no older CPU to show it on.")
        return
    stage.reporter.step(f"5. What cpu-check says on an emulated {OLD_CPU}, where the import of the first wheel dies")
    _cpu_check(stage, emulated_command(OLD_CPU, base_interpreter(), shown_as=Path(sys.executable)))
    stage.reporter.step(f"6. The same pip command in a virtual environment on the emulated {OLD_CPU}")
    emulated = make_emulated_venv(stage.folder / OLD_CPU.lower(), OLD_CPU).python
    _install_and_use(stage, emulated)
    stage.reporter.step(f"7. For comparison: the wheel of the first machine, imported on the emulated {OLD_CPU}")
    _import_what_does_not_fit(stage, python, emulated)


def _cpu_check(stage: _Stage, python: list[str]) -> None:
    command = [*python, "-c", _CPU_CHECK, PROJECT, "--index", f"{stage.url}/simple/"]
    # as isolated from pip's further indexes as the pip that follows, of which it would warn; but it runs where we run
    own = {name: os.environ[name] for name in ("PYTHONPATH", "PYTHONHOME") if name in os.environ}
    run(command, environ={**stage.pip_environ, **own}, tell=stage.say, what="cpu-check")


def _install_and_use(stage: _Stage, python: Path) -> None:
    index = f"{stage.url}/simple/"
    stage.reporter.step(f"   pip install --index-url {index} {PROJECT}")
    install: list[str | Path] = [python, "-m", "pip", "install", "--index-url", index, PROJECT]
    run(install, environ=stage.pip_environ, tell=stage.say, what="pip install")
    stage.reporter.step(f"   import {PROJECT}")
    run([python, "-c", _USE_IT], environ=stage.pip_environ, tell=stage.say, what=f"import {PROJECT}")


def _import_what_does_not_fit(stage: _Stage, python: Path, emulated: Path) -> None:
    """Show what cpufit spares people: fetch the wheel by the address for another CPU, and import it all the same."""
    folder = stage.folder / "does-not-fit"
    index = f"{stage.url}/cpu/{NEW_CPU}/simple/"
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        folder,
        "--index-url",
        index,
        PROJECT,
    ]
    run(install, environ=stage.pip_environ, tell=stage.say, what="pip install --target")
    environ = {**stage.pip_environ, "PYTHONPATH": str(folder)}
    status = run_to_any_end([emulated, "-W", "ignore", "-c", f"import {PROJECT}"], environ=environ, tell=stage.say)
    if status == 0:
        raise DemoFailed(f"the import of the {NEW_CPU} wheel ended well on {OLD_CPU}: this proves nothing")
    stage.say(f"the import ended with {status_name(status)}")


@contextlib.contextmanager
def _temporary_folder(reporter: Reporter, *, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cpufit-demo-"))
    try:
        yield folder
    finally:
        if keep:
            reporter.step(f"Kept: {folder}")
        else:
            shutil.rmtree(folder)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM clean up as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
