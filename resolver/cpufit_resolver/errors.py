"""The root of the error tree, and the errors of the CPU domain.

::

    CpufitError                      everything that cpufit raises on purpose
    ├── InvalidCpuToken              a CPU profile or need that cannot be read
    │   └── UnknownCpuFeature        … because it names a feature or level nobody knows
    └── DetectionFailed              this machine's CPU cannot be told
    (wheels, blobs and the catalog: ``cpufit_wheelhouse.errors``)

Every error has a stable kebab-case ``code``, a sentence, and where it helps ``where`` (the place in the input) and a
``hint`` (what to do about it). The command line and the server print the same four things.
This module travels inside the selector: Python 3.8, standard library alone.
"""

from __future__ import annotations


class CpufitError(Exception):
    """Base of every error that cpufit raises on purpose."""

    code = "cpufit-error"
    usual_hint: str | None = None
    """What to do, where the place that raises the error knows no better."""

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint or self.usual_hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        """Return one line: where, what, and the hint."""
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return text if self.hint is None else f"{text} ({self.hint})"

    def as_dict(self) -> dict[str, str]:
        """Return what a machine reads: ``code``, ``message`` and, where known, ``where`` and ``hint``."""
        body = {"code": self.code, "message": self.message}
        if self.where is not None:
            body["where"] = self.where
        if self.hint is not None:
            body["hint"] = self.hint
        return body


class InvalidCpuToken(CpufitError):
    """A CPU token or a need that does not follow the grammar."""

    code = "invalid-cpu-token"


class UnknownCpuFeature(InvalidCpuToken):
    """A CPU token or a need that names a feature or a level which is in no table."""

    code = "unknown-cpu-feature"


class DetectionFailed(CpufitError):
    """What this process may execute cannot be told from the evidence."""

    code = "cpu-detection-failed"
