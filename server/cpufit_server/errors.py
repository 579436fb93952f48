"""The errors that only the server raises; what each becomes in HTTP is told in :mod:`cpufit_server.problems`.

::

    CpufitError
    └── ServerError
        ├── InvalidSetting            a CPUFIT_* value that cannot be used
        │   └── MissingPublicUrl      off loopback, nobody told the address that clients use
        ├── InvalidForm               an upload form that cannot be read or contradicts its file
        ├── UploadTooLarge            more bytes than this server takes
        ├── UploadsDisabled           the settings turn uploads off
        ├── ActionGone                what the upload API did in former times
        ├── AuthenticationRequired    no token was sent
        ├── NotAllowed                a token that is unknown, or not for this project
        │   ├── TokenExpired          … whose time is over
        │   └── TokenLacksScope       … that is for something else
        ├── NotAcceptable             the client takes none of the page formats
        ├── InvalidReport             a report of a refusal that cannot be read, or that the catalog does not bear out
        ├── ReportTooLarge            … with more bytes than this server reads
        ├── TooManyReports            … in too short a time
        ├── NotFrozen                 a release that cannot be frozen, or is not
        ├── NotFound                  nothing is served at this address
        ├── Quarantined               a file of a project that an operator has put into quarantine
        └── UpstreamFailed            the upstream index did not answer with a page
"""

from __future__ import annotations

from cpufit_resolver.errors import CpufitError


class ServerError(CpufitError):
    """Base of the errors that only the server raises."""

    code = "server-error"


class InvalidSetting(ServerError):
    """A setting that cannot be used."""

    code = "invalid-setting"


class MissingPublicUrl(InvalidSetting):
    """The server listens beyond loopback and nobody told it the address that clients use."""

    code = "public-url-required"


class InvalidForm(ServerError):
    """An upload form that cannot be read, lacks a field or contradicts the file that it brings."""

    code = "invalid-form"
    usual_hint = "send one wheel or .tar.gz as twine upload or uv publish do"


class UploadTooLarge(ServerError):
    """An upload with more bytes than the settings allow."""

    code = "upload-too-large"
    usual_hint = (
        "the settings CPUFIT_MAX_UPLOAD_BYTES, CPUFIT_MAX_FORM_BYTES, CPUFIT_MAX_FORM_FIELD_BYTES and "
        "CPUFIT_MAX_FORM_FIELDS set the limits"
    )


class UploadsDisabled(ServerError):
    """An upload to a server whose settings turn uploads off."""

    code = "uploads-disabled"
    usual_hint = "the setting CPUFIT_UPLOADS turns them off; nothing was read"


class ActionGone(ServerError):
    """What the upload API did in former times: registering a project, or uploading its documentation."""

    code = "action-gone"
    usual_hint = "upload a file: the first one makes the project"


class AuthenticationRequired(ServerError):
    """A request without a token for what needs one."""

    code = "authentication-required"


class NotAllowed(ServerError):
    """A token that nobody issued, or that was issued for other projects."""

    code = "token-not-valid"


class TokenExpired(NotAllowed):
    """A token whose time is over."""

    code = "token-expired"
    usual_hint = "cpufit-server token create makes a new one"


class TokenLacksScope(NotAllowed):
    """A token that was not issued for what is asked with it."""

    code = "token-lacks-scope"


class NotAcceptable(ServerError):
    """A request for a page whose ``Accept`` leaves out every format that there is."""

    code = "not-acceptable"


class InvalidReport(ServerError):
    """A report of a refusal that cannot be read, or that the catalog does not bear out."""

    code = "invalid-report"


class ReportTooLarge(ServerError):
    """A report with more bytes than the settings allow."""

    code = "report-too-large"


class TooManyReports(ServerError):
    """More reports in a minute than the settings allow."""

    code = "too-many-reports"


class NotFrozen(ServerError):
    """A release that cannot be frozen, or is not."""

    code = "not-frozen"


class NotFound(ServerError):
    """A request for a project or a file that is not here."""

    code = "not-found"
    usual_hint = "projects are at /simple/{name}/, and their pages name the files"


class Quarantined(ServerError):
    """A request for a file of a project that an operator has put into quarantine (PEP 792)."""

    code = "project-quarantined"


class UpstreamFailed(ServerError):
    """The upstream index cannot be reached, or what it sent is not a project page."""

    code = "upstream-failed"
