"""The errors of a selector; each ends the build with its sentence and without a traceback.

::

    CpufitError
    └── SelectorFailure
        ├── NothingFits          no wheel of the release runs here
        ├── DownloadFailed       the index did not hand out the file
        ├── WrongBytes           it handed out other bytes than it promised
        └── SourceBuildFailed    the release's real source did not become a wheel
"""

from __future__ import annotations

from .vendored import CpufitError


class SelectorFailure(CpufitError):
    """Base of what a selector cannot do."""

    code = "selector-failed"


class NothingFits(SelectorFailure):
    """No wheel of the release runs on this machine; the message is the whole block that a person reads."""

    code = "no-wheel-fits"


class DownloadFailed(SelectorFailure):
    """A file could not be had from the index."""

    code = "download-failed"


class WrongBytes(SelectorFailure):
    """A file from the index has another hash or size than the selector says."""

    code = "digest-mismatch"


class SourceBuildFailed(SelectorFailure):
    """The source of the release could not be built."""

    code = "source-build-failed"
