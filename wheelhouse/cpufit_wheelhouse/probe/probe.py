"""The probe itself: controls first, then the CPUs of the plan."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.archive import open_archive
from cpufit_wheelhouse.filename import WheelFilename, parse_wheel_filename
from cpufit_wheelhouse.inspection.siblings import names_a_cpu
from cpufit_wheelhouse.inspection.verdict import Verdict

from . import sandbox
from .environment import EnvironmentUnavailable, Interpreter, add, arm64_interpreter, fill, interpreter_for
from .faults import Subject, judged
from .models import CONTROL, EMULATORS, LADDERS, Model
from .modules import extension_module, importable_modules, installed_members, neighbours
from .options import ProbeOptions
from .plan import Result, next_model
from .report import ProbeReport, Run, printable
from .run import Attempt, Failure, Runner

MAX_FURTHER = 4
"""How many extension modules are imported besides what the top-level modules import."""
MAX_TOLD = 5
"""How many of the places that code was mapped from are told."""


def probe_wheel(path: Path, filename: str, static: Verdict, options: ProbeOptions) -> ProbeReport:
    """Import a wheel on emulated CPUs around its static verdict, and report.

    Whatever stands in the way (no emulator, no sandbox, no interpreter, a dependency that cannot be had) makes a report
    without runs, with the reason.

    :param path: the wheel, under any name
    :raises WheelError: the file is no wheel
    """
    name = parse_wheel_filename(filename)
    arch = next((one for one in ("x86_64", "aarch64") if one in name.architectures()), "x86_64")
    options = _with_smoke(name, options)
    reason = _obstacle(name, arch, options)
    if reason is not None:
        return ProbeReport(arch=arch, reasons=(reason,))
    with open_archive(path, filename) as archive:
        members = frozenset(archive.files)
    installed = installed_members(members)
    modules = importable_modules(installed)
    if not modules:
        return ProbeReport(arch=arch, reasons=("there is nothing to import in it",))
    with tempfile.TemporaryDirectory(prefix="cpufit-probe-") as folder:
        site = Path(folder) / "site"
        site.mkdir()
        wheel = Path(folder) / filename
        shutil.copyfile(path, wheel)
        try:
            interpreter = _interpreter(name, arch, options)
            fill(site, wheel, interpreter, options)
        except EnvironmentUnavailable as error:
            return ProbeReport(arch=arch, modules=modules, reasons=(str(error),))
        wheel.unlink()
        let_others_read(Path(folder))
        runner = Runner(arch=arch, site=site, interpreter=interpreter, options=options)
        subject = Subject(members=installed, site=site, prefix=interpreter.prefix)
        return _Probe(runner=runner, subject=subject, modules=modules, arch=arch).run(static)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    runner: Runner
    subject: Subject
    modules: tuple[str, ...]
    arch: str

    def run(self, static: Verdict) -> ProbeReport:
        """Run the controls and the plan."""
        smoke = self.runner.options.smoke or ""
        asked = self.modules
        control = self._control(asked, smoke)
        further = self._further(static, control)
        if further and control.complete:
            more = self.runner.run(CONTROL, modules=(*asked, *further), smoke=smoke)
            if more.complete and control.done <= more.done:
                asked, control = (*asked, *further), more
        modules = tuple(name for name in asked if name in control.done)
        if not control.complete or not modules or (smoke and "" not in control.done):
            return ProbeReport(arch=self.arch, modules=self.modules, reasons=(_control_failed(control),))
        return self._along(_need(static, self.arch), control, modules)

    def _along(self, need: frozenset[str], control: Attempt, modules: tuple[str, ...]) -> ProbeReport:
        """Ask the CPUs of the plan."""
        results: dict[str, Result] = {}
        runs: list[Run] = []
        ladder = self._where_python_runs()
        while (model := next_model(ladder, need, results, self.runner.options.max_probes)) is not None:
            runs.append(self._asked(model.name, control, modules))
            results[model.name] = runs[-1].result
        skipped = [f"{name} cannot be imported on any CPU here" for name in self.modules if name not in modules]
        skipped += [] if ladder else ["Python itself runs on none of the CPUs"]
        good = [self.subject.libraries(control), *(run.libraries for run in runs if run.result == "ok")]
        return ProbeReport(
            arch=self.arch,
            runs=tuple(runs),
            modules=modules,
            libraries=tuple(dict.fromkeys(library for libraries in good for library in libraries)),
            elsewhere=tuple(map(printable, self.runner.elsewhere(control)[:MAX_TOLD])),
            reasons=tuple(skipped),
        )

    def _asked(self, model: str, control: Attempt, modules: tuple[str, ...]) -> Run:
        """Ask one CPU; where the import dies, whether Python itself runs there."""
        smoke = self.runner.options.smoke or ""
        own = {path.partition("/")[0].partition(".")[0] for path in self.subject.members}
        others = tuple(name for name in control.loaded if name not in own)
        attempt = self.runner.run(model, modules=modules, smoke=smoke, others=others)
        wanted = frozenset({*modules, ""} if smoke else modules)
        run = judged(model, attempt, wanted, self.subject.libraries(control), self.subject)
        if run.result == "died" and not self.runner.bare(model):
            return replace(run, result="inconclusive", told="Python itself does not run there")
        return run

    def _further(self, static: Verdict, control: Attempt) -> tuple[str, ...]:
        """Return extension modules that the verdict speaks of and that no import of the top-level modules maps.

        ``import lxml`` loads nothing; everybody imports ``lxml.etree``. What is named for a CPU is chosen by the CPU.
        """
        mapped = self.subject.libraries(control)
        told = dict.fromkeys(
            one.library for one in static.evidence if one.weight == "requires" and one.arch == self.arch
        )
        where = {member: installed for installed, member in self.subject.members.items()}
        names: list[str] = []
        for one in told:
            if one not in mapped and not names_a_cpu(one):
                installed = where.get(one, one)
                own = extension_module(installed)
                names += neighbours(installed, self.subject.members) if own is None else (own,)
        return tuple(dict.fromkeys(name for name in names if name not in self.modules))[:MAX_FURTHER]

    def _control(self, modules: tuple[str, ...], smoke: str) -> Attempt:
        """Run on the CPU that has everything; with setuptools where an import wants it and nothing declares it.

        Virtual environments held it until Python 3.12, and there are wheels that count on that.
        """
        control = self.runner.run(CONTROL, modules=modules, smoke=smoke)
        wanted = any(_wants_setuptools(one) for one in control.failed)
        if not wanted or not add(self.runner.site, "setuptools", self.runner.interpreter, self.runner.options):
            return control
        let_others_read(self.runner.site)
        return self.runner.run(CONTROL, modules=modules, smoke=smoke)

    def _where_python_runs(self) -> tuple[Model, ...]:
        ladder = LADDERS[self.arch]
        for index in range(len(ladder)):
            if self.runner.bare(ladder[index].name):
                return ladder[index:]
        return ()


def _need(static: Verdict, arch: str) -> frozenset[str]:
    part = None if static.need is None else static.need.on(arch)
    return architecture(arch).floor if part is None else part.features


def _obstacle(name: WheelFilename, arch: str, options: ProbeOptions) -> str | None:
    if not any("linux" in platform for platform in name.platforms) and name.platforms != ("any",):
        return "only Linux wheels can be run here"
    if arch == "aarch64" and options.arm64_root is None:
        return "no arm64 Python is unpacked for the probe"
    if shutil.which(EMULATORS[arch]) is None:
        return f"{EMULATORS[arch]} is not installed (Debian: qemu-user)"
    return sandbox.unavailable()


def _with_smoke(name: WheelFilename, options: ProbeOptions) -> ProbeOptions:
    if options.smoke_folder is None:
        return options
    snippet = options.smoke_folder / f"{canonicalize_name(name.name)}.py"
    return replace(options, smoke=snippet.read_text(encoding="utf-8")) if snippet.is_file() else options


def _interpreter(name: WheelFilename, arch: str, options: ProbeOptions) -> Interpreter:
    if arch == "aarch64" and options.arm64_root is not None:
        return arm64_interpreter(name, options.arm64_root)
    return interpreter_for(name, options)


def _control_failed(control: Attempt) -> str:
    if control.ended.timed_out:
        return f"the import did not end in time on a CPU that has everything ({control.seconds:.0f} s)"
    if control.ended.too_large:
        return "the import wants more memory than it may have"
    if control.failed:
        first = control.failed[0]
        return f"the import fails on a CPU that has everything: {first.how}: {first.said}"
    last = control.ended.stderr.strip().splitlines()[-1:] or [f"status {control.ended.status}"]
    return f"the import fails on a CPU that has everything: {printable(last[0])}"


def _wants_setuptools(failed: Failure) -> bool:
    return failed.how == "ModuleNotFoundError" and "'setuptools'" in failed.said


def let_others_read(folder: Path) -> None:
    """Let the sandbox's user read what was installed; pip keeps a umask's or a wheel's modes."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else path.stat().st_mode & 0o777 | 0o444)
