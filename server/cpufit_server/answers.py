"""What the JSON API answers with: the forms of its documents, which the OpenAPI document is made of.

The routes write their answers themselves; tests hold these forms against what they write.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cpufit_wheelhouse.catalog import ProjectStatus
from cpufit_wheelhouse.catalog.bookkeeping import JournalAction
from cpufit_wheelhouse.catalog.records import FileKind, PlainPolicy, UnknownPolicy, UpstreamPolicy


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Answer):
    """Why something was not done."""

    code: str = Field(description="Stable, in kebab case.")
    message: str
    where: str | None = None
    hint: str | None = None


class Health(_Answer):
    """The health of the server."""

    status: Literal["ok"]
    version: str


class ArchitectureNeed(BaseModel):
    """What a wheel needs on one architecture, as CPU tokens."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    at_import: str = Field(alias="import")
    use: str


class Override(_Answer):
    """An operator's word on what a wheel needs."""

    sha256: str
    need: dict[str, ArchitectureNeed]
    who: str
    why: str
    created_at: datetime
    ended_at: datetime | None


class Hiding(_Answer):
    """An operator's word that a file is to stand in no view."""

    sha256: str
    who: str
    why: str
    created_at: datetime
    ended_at: datetime | None


class HiddenFile(Hiding):
    """A file that stands in no view."""

    filename: str
    version: str


class File(_Answer):
    """A file of a release."""

    filename: str
    kind: FileKind
    tags: list[str]
    build: str
    sha256: str
    size: int
    url: str
    requires_python: str | None
    verdict: Literal["known", "unknown"]
    need: dict[str, ArchitectureNeed] | None
    need_source: str | None
    evidence: list[str]
    inspection: dict[str, Any] | None
    override: Override | None
    ordinary: bool
    yanked: str | None = Field(description="Why it is yanked (PEP 592), which may be empty.")
    uploaded_at: datetime
    provenance: dict[str, Any]


class Release(_Answer):
    """The files of one version."""

    version: str
    files: list[File]


class Policy(_Answer):
    """A project's policy."""

    variants: bool
    unknown: UnknownPolicy
    plain: PlainPolicy
    build_sdist: bool
    upstream: UpstreamPolicy


class Project(_Answer):
    """Everything that is known of a project's files."""

    name: str
    serial: int
    status: ProjectStatus
    status_reason: str | None
    policy: Policy
    instead: str | None
    releases: list[Release]
    hidden: list[HiddenFile]


class UpstreamFile(_Answer):
    """A file that passes through."""

    filename: str
    kind: FileKind
    tags: list[str]
    build: str
    sha256: str
    size: int | None
    url: str
    requires_python: str | None
    verdict: Literal["known", "unknown"]
    need: dict[str, ArchitectureNeed] | None
    need_source: str | None
    evidence: list[str]
    inspection: dict[str, Any] | None
    yanked: str | None = Field(description="Why it is yanked (PEP 592), which may be empty.")


class UpstreamRelease(_Answer):
    """The files of one version that pass through."""

    version: str
    files: list[UpstreamFile]


class UpstreamRule(_Answer):
    """What becomes of files whose need nobody knows."""

    unknown: UnknownPolicy


class UpstreamProject(_Answer):
    """What is known of a project that is not hosted here, and passes through."""

    name: str
    upstream: Literal[True]
    policy: UpstreamRule
    instead: None
    releases: list[UpstreamRelease]
    hidden: list[HiddenFile]


class Held(_Answer):
    """An upload that waits for its verdict, or was decided."""

    id: int
    url: str
    state: Literal["waiting", "accepted", "refused"]
    project: str
    filename: str
    sha256: str
    size: int
    error: Problem | None
    created_at: datetime
    decided_at: datetime | None


class HeldFiles(_Answer):
    """The uploads that wait or were refused."""

    files: list[Held]


class Wanted(_Answer):
    """A release that was asked for and could not be had."""

    project: str
    version: str
    demand: int
    score: float
    last: date
    reasons: dict[str, int]
    missing: dict[str, int]
    cpus: dict[str, int]
    pythons: dict[str, int]
    platforms: dict[str, int]
    build_for: dict[str, str]


class WantedReleases(_Answer):
    """What should be built next."""

    days: int
    releases: int
    wanted: list[Wanted]


class FileRef(_Answer):
    """A file to which something was done."""

    filename: str
    version: str
    sha256: str
    need: str


class Changed(_Answer):
    """The files to which something was done; those that were so already are not among them."""

    project: str
    files: list[FileRef]


class Deleted(Changed):
    """What was deleted."""

    removed_blobs: int = Field(description="How many stored files nothing else needed.")
    removed_bytes: int


class Status(_Answer):
    """A project's status."""

    project: str
    status: ProjectStatus
    reason: str | None


class Settings(_Answer):
    """A project's policy, as it is now."""

    project: str
    policy: Policy
    instead: str | None


class Hidden(_Answer):
    """A file that is hidden now."""

    project: str
    filename: str
    hiding: Hiding


class Shown(_Answer):
    """A file that stands in the views again."""

    project: str
    filename: str


class FreezeEnd(_Answer):
    """How a freeze ended."""

    who: str | None
    why: str | None
    at: datetime


class Freeze(_Answer):
    """A release whose selector keeps its bytes."""

    project: str
    version: str
    selector_sha256: str
    who: str
    why: str
    at: datetime
    ended: FreezeEnd | None


class Unfrozen(_Answer):
    """A release whose selector follows what is added."""

    project: str
    version: str


class JournalEntry(_Answer):
    """Who did what to a project or one of its files, when and why."""

    id: int
    at: datetime
    project: str
    action: JournalAction
    filename: str | None
    sha256: str | None
    need: str | None
    who: str
    why: str


class Journal(_Answer):
    """What was done to a project, newest first."""

    project: str
    entries: list[JournalEntry]


Responses = dict[int | str, dict[str, Any]]


def problems(**statuses: str) -> Responses:
    """Return the answers of a route that tell why something was not done, with what each means.

    :param statuses: by ``status_404``
    """
    return {
        int(name.removeprefix("status_")): {"model": Problem, "description": told} for name, told in statuses.items()
    }


READING: Responses = problems(
    status_400="The request is not in its form.",
    status_401="Reading is private here, and no token was sent.",
    status_403="Reading is private here, and the token does not do.",
)
"""What every route that reads may answer."""

MANAGING: Responses = problems(
    status_400="The request is not in its form.",
    status_401="No token was sent.",
    status_403="The token is not for the scope admin of this project.",
    status_404="There is no such project, release or file.",
    status_409="It cannot be done as things stand.",
    status_413="The body is too long.",
    status_503="The catalog is locked by another process, or cannot be written.",
    status_507="There is no room to write it down.",
)
"""What every route that changes something may answer."""
