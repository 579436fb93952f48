"""What can be wrong with a native library."""

from __future__ import annotations

from cpufit_resolver.errors import CpufitError


class UnreadableLibrary(CpufitError):
    """A native library breaks a rule of its format, so that nobody can say what is in it."""

    code = "unreadable-machine-code"
    usual_hint = "the loader of an operating system would refuse it too, or it was made to mislead"
