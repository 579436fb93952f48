"""What a run puts into the index that it checks: a few small distributions, if it may upload at all."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from .artifacts import Artifact, Part, encode_form, form_of, make_sdist, make_wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One upload and what the index answered."""

    artifact: Artifact
    answer: httpx.Response

    @property
    def taken(self) -> bool:
        """Whether the index took the file."""
        return self.answer.is_success


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """An upload address and who uploads."""

    client: httpx.Client
    url: str
    username: str
    password: str

    def send(self, parts: Sequence[Part], auth: tuple[str, str] | None = ("", "")) -> httpx.Response:
        """Send a form, by default as who was named on the command line; ``auth`` None: as nobody.

        Redirects are not followed: twine refuses them.
        """
        body, content_type = encode_form(parts)
        who = (self.username, self.password) if auth == ("", "") else auth
        return self.client.post(
            self.url,
            content=body,
            headers={"content-type": content_type, "accept": "*/*", "user-agent": "twine/7.0.0 CPython/3.11"},
            auth=httpx.Auth() if who is None else httpx.BasicAuth(*who),
            follow_redirects=False,
        )

    def put(self, artifact: Artifact) -> Sent:
        """Upload a distribution as twine does."""
        return Sent(artifact=artifact, answer=self.send(form_of(artifact)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """The project that the page tests look at, and what was put into it."""

    project: str
    """As it was written in the metadata; not normalised."""
    sent: tuple[Sent, ...] = field(default=())

    @property
    def taken(self) -> tuple[Artifact, ...]:
        """What the index took."""
        return tuple(one.artifact for one in self.sent if one.taken)


def sow(uploads: Uploads, project: str, base: int) -> Seeds:
    """Upload a wheel with its source distribution, a wheel with a build tag that says no Python, and further releases.

    They are so many that a page is worth compressing.

    :param base: the first number of the versions, so that a second run finds no file of its own
    """
    made = (
        make_wheel(project, f"{base}.0"),
        make_sdist(project, f"{base}.0"),
        make_wheel(project, f"{base}.1", build="1", requires_python=None),
        *(make_wheel(project, f"{base}.{minor}") for minor in range(2, 8)),
    )
    return Seeds(project=project, sent=tuple(map(uploads.put, made)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """What the one who runs the index can do from the command line; a template for each, or None."""

    yank: str | None = None
    unyank: str | None = None
    status: str | None = None

    def run(self, template: str | None, what: str, **values: str) -> None:
        """Run a command with its ``{names}`` filled in, or skip the test where there is none."""
        if template is None:
            pytest.skip(f"no command that {what} was given")
        words = [word.format_map(values) for word in shlex.split(template)]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert ended.returncode == 0, f"{words[0]}: {ended.stdout}{ended.stderr}"
