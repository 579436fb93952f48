"""What a probe found: values, kept with the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plan import Result

_LONGEST_TEXT = 300


def printable(text: str) -> str:
    """Return what code inside the sandbox told, so that it can stand in a note: in one line, without control codes."""
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST_TEXT]).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a run died, as far as that could be told."""

    how: str
    """``SIGILL``, ``SIGABRT``, ``ImportError``, ``exit status 1``."""
    said: str = ""
    """What an exception says."""
    library: str = ""
    """The member of the wheel, or the path of a dependency's library."""
    offset: int = 0
    """In that file."""
    function: str = ""
    instruction: str = ""
    """The mnemonic."""
    features: tuple[str, ...] = ()
    """What that instruction needs."""

    @property
    def text(self) -> str:
        """Return ``SIGILL at vmovdqa in f of pkg/_core.so+0x1234``, ``RuntimeError: this CPU has no AVX``."""
        if not self.library:
            return f"{self.how}: {self.said}" if self.said else self.how
        what = f" at {self.instruction}" if self.instruction else ""
        where = f" in {self.function}" if self.function else ""
        return f"{self.how}{what}{where} of {self.library}+{self.offset:#x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One import on one CPU."""

    model: str
    result: Result
    seconds: float
    fault: Fault | None = None
    told: str = ""
    """Why it is inconclusive."""
    libraries: tuple[str, ...] = ()
    """The wheel's own libraries that it maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """All runs of one probe. ``reasons`` says why there are none that count."""

    arch: str
    runs: tuple[Run, ...] = ()
    modules: tuple[str, ...] = ()
    """What was imported."""
    libraries: tuple[str, ...] = ()
    """The wheel's own libraries that the import maps, on any CPU on which it ends well."""
    elsewhere: tuple[str, ...] = ()
    """Code that it maps from other places: with any, what is not among ``libraries`` may be mapped all the same."""
    reasons: tuple[str, ...] = ()

    @property
    def conclusive(self) -> bool:
        """Whether some run tells something of this wheel."""
        return any(run.result != "inconclusive" for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "arch": self.arch,
            "conclusive": self.conclusive,
            "modules": list(self.modules),
            "libraries": list(self.libraries),
            "elsewhere": list(self.elsewhere),
            "reasons": list(self.reasons),
            "runs": [
                {
                    "cpu": run.model,
                    "result": run.result,
                    "seconds": round(run.seconds, 2),
                    "fault": None if run.fault is None else run.fault.text,
                    "told": run.told,
                }
                for run in self.runs
            ],
        }
