"""Ask a cpufit index about one project, over its JSON API (``GET /api/v1/projects/{name}``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from cpufit_resolver import CpufitError, Need

from .installers import without_credentials

TIMEOUT_SECONDS = 20


class IndexCannotAnswer(CpufitError):
    """The index does not answer, or its answer is of no use."""

    code = "index-cannot-answer"


class NotACpufitIndex(IndexCannotAnswer):
    """Something answers there, but it is no cpufit index."""

    code = "not-a-cpufit-index"


class NoSuchProject(IndexCannotAnswer):
    """The index does not host the project."""

    code = "no-such-project"


class InvalidIndexUrl(CpufitError):
    """What was given as an index is no http or https address."""

    code = "invalid-index-url"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAddress:
    """A cpufit index, and the CPU that its URL names where it is a profile URL."""

    base: str
    """Without the slash at the end; may hold credentials: show :attr:`shown` instead."""
    token: str | None

    @property
    def shown(self) -> str:
        """The address without credentials."""
        return without_credentials(self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file of a release, as the index describes it."""

    filename: str
    kind: str
    tags: frozenset[str]
    build: str
    requires_python: str | None
    need: Need | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProject:
    """A project with its releases, newest first, as the index gives them."""

    name: str
    releases: tuple[tuple[str, tuple[IndexFile, ...]], ...]
    allow_unknown: bool
    instead: str | None = None
    """The project that has builds for CPUs which this one has nothing for, as the index's operator says."""


def read_address(url: str) -> IndexAddress:
    """Return the index behind any of its URLs: ``/``, ``/simple/``, ``/cpu/TOKEN/simple/``.

    :raises InvalidIndexUrl: it is not an absolute http or https URL
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidIndexUrl(
            f"not an index URL: {without_credentials(url)!r}", hint="for example http://localhost:8000/simple/"
        )
    match = re.fullmatch(r"(.*?)(?:/cpu/([^/]+))?(?:/simple)?/*", parts.path)
    path, token = match.groups() if match else (parts.path, None)
    base = urlunsplit((parts.scheme, parts.netloc, path, "", "")).rstrip("/")
    return IndexAddress(base=base, token=token)


def fetch_project(address: IndexAddress, project: str, environ: Mapping[str, str]) -> IndexProject:
    """Ask the index about a project.

    :param project: its normalised name
    :raises IndexCannotAnswer: see the classes of this module
    """
    url = f"{address.base}/api/v1/projects/{quote(project, safe='')}"
    shown = without_credentials(url)
    status, body = ask(url, environ)
    return read_project(_body(status, body, shown, project), shown)


def ask(
    url: str, environ: Mapping[str, str], *, seconds: float = TIMEOUT_SECONDS, follow_redirects: bool = False
) -> tuple[int, dict[str, Any]]:
    """Ask for a JSON object; return the HTTP status and the object, empty where the answer is none.

    Certificates, proxies and credentials are taken from where pip takes them.

    :raises IndexCannotAnswer: there is no answer
    """
    import json  # noqa: PLC0415  # not every mode reads JSON

    import httpx  # noqa: PLC0415  # 100 ms that only this mode pays

    try:
        with httpx.Client(
            verify=certificates(environ),
            timeout=seconds,
            # an own word comes before netrc, as it does for pip
            auth=None if "@" in urlsplit(url).netloc else _netrc(environ),
            proxy=environ.get("PIP_PROXY") or None,
            follow_redirects=follow_redirects,
        ) as client:
            answer = client.get(url, headers={"Accept": "application/json"})
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise IndexCannotAnswer(
            f"no answer: {error}",
            where=without_credentials(url),
            hint="is the server running, and is the address right?",
        ) from error
    try:
        data = json.loads(answer.content)
    except (ValueError, RecursionError):
        data = None
    return answer.status_code, data if isinstance(data, dict) else {}


def certificates(environ: Mapping[str, str]) -> Any:  # an ssl context or True, as httpx takes it
    """Return what httpx takes as the certificates to trust: those that pip was told to trust.

    :raises IndexCannotAnswer: they cannot be read
    """
    import ssl  # noqa: PLC0415  # as httpx

    names = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    name = next((name for name in names if environ.get(name)), None)
    if name is None:
        return True
    chosen = environ[name]
    try:
        if Path(chosen).is_dir():
            return ssl.create_default_context(capath=chosen)
        return ssl.create_default_context(cafile=chosen)
    except OSError as error:  # it names no file
        raise IndexCannotAnswer(
            f"the certificates in {chosen} cannot be read: {error}",
            where=name,
            hint="name a file in PEM form, or unset it",
        ) from error


def _netrc(environ: Mapping[str, str]) -> Any:  # httpx's own class, or None where there is no netrc
    import netrc  # noqa: PLC0415  # as httpx

    import httpx  # noqa: PLC0415  # as in the caller

    try:
        return httpx.NetRCAuth(environ.get("NETRC") or None)
    except (OSError, netrc.NetrcParseError):
        return None


def _body(status: int, body: dict[str, Any], shown: str, project: str) -> dict[str, Any]:
    if status == 404 and body.get("code") == "no-such-project":
        raise NoSuchProject(
            f"the index hosts no project {project!r}",
            where=shown,
            hint="and it passes none of that name through from elsewhere",
        )
    if status in (401, 403):
        raise IndexCannotAnswer(
            f"the index wants credentials (HTTP {status})", where=shown, hint="put them into netrc or into the URL"
        )
    if status >= 500:
        raise IndexCannotAnswer(f"the index failed (HTTP {status})", where=shown, hint="try again")
    if status != 200 or not isinstance(body.get("releases"), list):
        raise NotACpufitIndex(
            f"this is not a cpufit index (HTTP {status})", where=shown, hint="give the address of one with --index"
        )
    return body


def read_project(body: Mapping[str, Any], where: str) -> IndexProject:
    """Return the project that a JSON answer describes, without what is yanked: installers pass over it (PEP 592).

    :raises NotACpufitIndex: the answer has not the shape of the API
    """
    try:
        listed = [
            (str(release["version"]), [row for row in release["files"] if row.get("yanked") in (None, False)])
            for release in body["releases"]
        ]
        releases = tuple((version, tuple(map(_read_file, rows))) for version, rows in listed if rows)
        policy = body.get("policy", {})
        instead = body.get("instead")
        return IndexProject(
            name=str(body["name"]),
            releases=releases,
            allow_unknown=policy.get("unknown") == "allow",
            instead=instead if isinstance(instead, str) else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotACpufitIndex(
            f"the answer is not what this version understands: {error!r}", where=where, hint="upgrade cpufit"
        ) from error


def _read_file(row: Mapping[str, Any]) -> IndexFile:
    tags = frozenset(str(tag) for tag in row["tags"])
    if any(tag.count("-") < 2 for tag in tags):
        raise ValueError(f"not wheel tags: {sorted(tags)}")
    return IndexFile(
        filename=str(row["filename"]),
        kind=str(row["kind"]),
        tags=tags,
        build=str(row.get("build") or ""),
        requires_python=row.get("requires_python"),
        need=_read_need(row),
    )


def _read_need(row: Mapping[str, Any]) -> Need | None:
    if row["verdict"] != "known" or row.get("need") is None:
        return None
    try:
        return Need.from_dict(
            row["need"], source=str(row.get("need_source", "declared")), evidence=map(str, row.get("evidence", ()))
        )
    except CpufitError:
        # a feature newer than our tables: nobody here can say that this CPU has it
        return None
