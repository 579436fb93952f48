"""What goes into one selector: the values that the server gives, checked once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from cpufit_resolver import CpufitError, Need

_SHA256 = re.compile(r"[0-9a-f]{64}")


class InvalidSelector(CpufitError):
    """Contents from which no selector can be made."""

    code = "invalid-selector"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorCandidate:
    """One wheel of the release: its uploaded bytes, and what they need.

    ``need`` None means unknown. ``metadata_sha256`` is the hash of what ``url`` + ``.metadata`` serves (PEP 658).
    """

    filename: str
    url: str
    sha256: str
    size: int
    need: Need | None
    metadata_sha256: str

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form that travels in ``candidates.json``."""
        return {
            "filename": self.filename,
            "url": self.url,
            "sha256": self.sha256,
            "size": self.size,
            "metadata_sha256": self.metadata_sha256,
            "need": None if self.need is None else self.need.as_dict(),
            "need_source": None if self.need is None else self.need.source,
            "evidence": [] if self.need is None else list(self.need.evidence),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCandidate:
    """The release's real source distribution: what the selector builds when no wheel fits."""

    filename: str
    url: str
    sha256: str
    size: int

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form that travels in ``candidates.json``."""
        return {"filename": self.filename, "url": self.url, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorContents:
    """One release as its selector knows it.

    ``metadata`` is the METADATA of one candidate: all of them agree on dependencies. ``api_url`` is the public URL of
    the index; the backend asks it for other releases, and sends credentials to its host alone.
    """

    project: str
    version: str
    metadata: bytes
    candidates: tuple[SelectorCandidate, ...]
    api_url: str
    source: SourceCandidate | None = None
    allow_unknown: bool = False
    wanted: bool = False
    """Whether the index counts refusals, and a selector may tell it of its own."""

    def check(self) -> None:
        """Refuse what would break on somebody's machine.

        :raises InvalidSelector: no candidate; a URL that is not absolute http(s) or holds credentials; a hash that is
            none; a file name that is no plain wheel name of this release; an unknown need without ``allow_unknown``
        """
        if not self.candidates:
            raise InvalidSelector("a selector without candidates")
        _check_url(self.api_url, "api_url")
        for index, candidate in enumerate(self.candidates):
            where = f"candidates[{index}]"
            _check_file(candidate.url, candidate.filename, candidate.sha256, candidate.size, where)
            _check_hash(candidate.metadata_sha256, f"{where}.metadata_sha256")
            self._check_wheel_name(candidate.filename, where)
            if candidate.need is None and not self.allow_unknown:
                raise InvalidSelector(f"the need of {candidate.filename} is unknown", where=where)
        if self.source is not None:
            _check_file(self.source.url, self.source.filename, self.source.sha256, self.source.size, "source")

    def _check_wheel_name(self, filename: str, where: str) -> None:
        try:
            name, version, _, _ = parse_wheel_filename(filename)
            release = Version(self.version)
        except (InvalidWheelFilename, InvalidVersion) as error:
            raise InvalidSelector(str(error), where=where) from error
        if name != canonicalize_name(self.project) or version != release:
            raise InvalidSelector(f"{filename} is no wheel of {self.project} {self.version}", where=where)


def _check_file(url: str, filename: str, sha256: str, size: int, where: str) -> None:
    _check_url(url, f"{where}.url")
    _check_hash(sha256, f"{where}.sha256")
    if size <= 0:
        raise InvalidSelector(f"a file of {size} bytes", where=f"{where}.size")
    if not re.fullmatch(r"[A-Za-z0-9_.+!-]+", filename) or filename.startswith("."):
        raise InvalidSelector(f"not a file name: {filename!r}", where=f"{where}.filename")


def _check_hash(value: str, where: str) -> None:
    if not _SHA256.fullmatch(value):
        raise InvalidSelector(f"not a SHA-256 in lower-case hexadecimal: {value!r}", where=where)


def _check_url(url: str, where: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSelector("a URL in a selector is absolute, http or https", where=where)
    if "@" in parts.netloc:
        raise InvalidSelector("a URL in a selector holds no credentials", where=where)
