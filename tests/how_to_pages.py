"""The commands on the how-to pages for clients and publishers, with what each page says about how they are tested.

Above each block of commands stands a comment: ``<!-- run here -->``, ``<!-- run here with PROGRAM -->`` (where that
program is installed), or ``<!-- not testable here: REASON -->``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "how-to"
PAGES = (
    "use-with-pip.md",
    "use-with-uv.md",
    "use-with-poetry.md",
    "use-with-pdm.md",
    "in-docker.md",
    "on-virtual-machines.md",
    "on-a-cluster.md",
    "on-a-raspberry-pi.md",
    "in-github-actions-and-gitlab-ci.md",
)
PUBLISHING = "publish.md"
"""The page whose commands ``flow/test_publishers.py`` runs."""
WITHOUT_COMMANDS = ("toml", "ini")
"""Fenced blocks of these languages hold settings."""

_MARK = re.compile(r"<!-- (?:(run here)(?: with (\S+))?|not testable here: (\S.*\S)) -->")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of commands. ``language`` is empty where the block is indented."""

    page: str
    line: int
    language: str
    text: str
    mark: str
    """The last line above it that is not blank."""

    @property
    def marked(self) -> re.Match[str] | None:
        """What the comment says; None where there is no such comment."""
        return _MARK.fullmatch(self.mark)

    @property
    def run_here(self) -> bool:
        return self.marked is not None and self.marked[1] is not None

    @property
    def program(self) -> str | None:
        return None if self.marked is None else self.marked[2]


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in their order, without those that hold settings."""
    return list(read_blocks((FOLDER / page).read_text(encoding="utf-8"), page))


def read_blocks(text: str, page: str) -> Iterator[Block]:
    """Yield the blocks of commands in a text."""
    lines = [*text.splitlines(), ""]
    at, mark = 0, ""
    while at < len(lines):
        start, line = at, lines[at]
        at += 1
        if line.startswith("```"):
            at = lines.index("```", at) + 1
            body = lines[start + 1 : at - 1]
        elif line.startswith("    "):
            while lines[at].startswith("    ") or (not lines[at] and "".join(lines[at + 1 : at + 2])[:4] == " " * 4):
                at += 1
            body = [one[4:] for one in lines[start:at]]
        else:
            mark = line or mark
            continue
        language = line.removeprefix("```") if line.startswith("```") else ""
        if language not in WITHOUT_COMMANDS:
            yield Block(page=page, line=start + 1, language=language, text="\n".join(body) + "\n", mark=mark)
        mark = ""
