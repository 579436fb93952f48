"""The exit codes of ``cpu-check``, for scripts."""

from __future__ import annotations

FITS, NOTHING_FITS, USAGE, INDEX_CANNOT_ANSWER, NOT_TOLD = 0, 1, 2, 3, 4
"""All is well; something does not fit or cannot run; usage; the index cannot answer; something could not be judged."""
NOBODY_READS = 141
"""As a shell tells of a command that SIGPIPE ended."""

EPILOG = (
    "exit codes: 0 it fits, everything runs, or the CPU was told; 1 something does not fit or cannot run here; "
    "2 usage; 3 the index cannot answer; 4 something could not be judged"
)
