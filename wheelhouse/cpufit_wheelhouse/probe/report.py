"""What a probe found: values, kept with the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plan import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where a run died, as far as that could be told."""

    how: str
    """``SIGILL``, ``SIGABRT``, ``ImportError``, ``exit status 1``."""
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
        """Return ``SIGILL at vmovdqa in f of pkg/_core.so+0x1234``."""
        if not self.library:
            return self.how
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """All runs of one probe. ``reasons`` says why there are none that count."""

    arch: str
    runs: tuple[Run, ...] = ()
    modules: tuple[str, ...] = ()
    """What was imported."""
    libraries: tuple[str, ...] = ()
    """The wheel's own libraries that the import maps."""
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
