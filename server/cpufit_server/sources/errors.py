"""What can go wrong between naming a wheel and having its bytes.

::

    CpufitError
    └── SourceError
        ├── UnreadableSpec         what was asked for is none of the forms
        ├── UrlWithoutHash         a URL to a file that does not say what its bytes are
        ├── PipSettingsUnreadable  pip does not tell which index it uses
        ├── PageUnreadable         a page cannot be had or read
        ├── NothingMatches         the page has no file like that
        └── DownloadFailed         the bytes did not come, or are other bytes than promised
            └── DownloadBroke      … for a reason that may have passed when it is tried again
"""

from __future__ import annotations

from cpufit_resolver import CpufitError


class SourceError(CpufitError):
    """A file to import cannot be found or had."""

    code = "import-failed"


class UnreadableSpec(SourceError):
    """What was asked for is neither a release, a folder, a file, a page nor a URL with a hash."""

    code = "unreadable-spec"


class UrlWithoutHash(SourceError):
    """A URL to a file without the hash of its bytes."""

    code = "url-without-hash"


class PipSettingsUnreadable(SourceError):
    """Pip is not there, or does not tell which index it uses."""

    code = "pip-settings-unreadable"


class PageUnreadable(SourceError):
    """A project page or a page of links cannot be had or read."""

    code = "page-unreadable"


class NothingMatches(SourceError):
    """There is no file as asked for."""

    code = "nothing-matches"


class DownloadFailed(SourceError):
    """The bytes of a file did not come, or are not those that were promised."""

    code = "download-failed"


class DownloadBroke(DownloadFailed):
    """The bytes did not come, or stopped coming; they may come another time."""
