"""What depends on the project that a file joins: its size, and how long a release takes files. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from packaging.utils import canonicalize_name
from packaging.version import Version

from cpufit_wheelhouse.catalog import NewFile, ProjectSnapshot
from cpufit_wheelhouse.errors import ProjectTooLarge, ReleaseClosed, TooManyProjects

from .names import check_new_project
from .rules import AdmissionRules


def check_joining(
    snapshot: ProjectSnapshot | None, project: str, new: NewFile, rules: AdmissionRules, now: datetime
) -> None:
    """Check that a new file may join its project, or make it.

    :param snapshot: the project, with all files of the new one's release
    :param project: its name, in any spelling
    :param now: aware
    :raises NameRefused: no project may be called so
    :raises ReleaseClosed: the release's first file came too long ago
    :raises ProjectTooLarge: the project's files would have more bytes than the rules allow
    """
    if snapshot is None:
        check_new_project(canonicalize_name(project), rules)
    files = () if snapshot is None else snapshot.files
    elsewhere = 0 if snapshot is None else snapshot.bytes_elsewhere
    total = sum(file.size for file in files) + elsewhere + new.size
    if rules.project_bytes is not None and total > rules.project_bytes:
        raise ProjectTooLarge(f"with this file the project would have {total} bytes of {rules.project_bytes}")
    release = Version(new.version)
    began = min((file.uploaded_at for file in files if Version(file.version) == release), default=now)
    if rules.release_open_days is not None and now - began > timedelta(days=rules.release_open_days):
        raise ReleaseClosed(
            f"the first file of {new.version} came on {began.date().isoformat()}; a release takes files for "
            f"{rules.release_open_days} days"
        )


def check_pace(made: int, rules: AdmissionRules) -> None:
    """Check that one more project may be made.

    :param made: how many were made in the last hour
    :raises TooManyProjects: as many as the rules allow
    """
    if rules.new_projects_per_hour is not None and made >= rules.new_projects_per_hour:
        raise TooManyProjects(f"{made} projects were made in the last hour, and no more may be")
