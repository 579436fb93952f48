from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.entry_points import check_entry_points
from cpufit_wheelhouse.errors import InvalidMetadata


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[console_scripts]\nsmall = small:main\n",
        "[console_scripts]\nsmall-1.x=small.cli : app.main [extra, other]\n[gui_scripts]\nSMALL = small:main\n",
        "[pytest11]\nany name/at all = small\n[other.group]\na:b = c\n",
        "; a comment\n[console_scripts]\n# another\nsmall = small:main\n",
        "[console_scripts]\nsmall = small:main\nsmall = small:main\n",
    ],
)
def test_what_installers_read_is_taken(text: str) -> None:
    check_entry_points(text.encode(), "entry_points.txt")


@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts]\n../../bin/sh = small:main\n",
        "[console_scripts]\n/bin/sh = small:main\n",
        "[console_scripts]\nC:evil = small:main\n",
        "[console_scripts]\nevil\\sh = small:main\n",
        "[console_scripts]\n.. = small:main\n",
        "[gui_scripts]\na b = small:main\n",
        "[console_scripts]\nsmall = small\n",
        "[console_scripts]\nsmall = import os; os.system('x')\n",
        "[console_scripts]\nsmall = small:main\n    more\n",
        "no group = small\n",
        "[console_scripts\nsmall = small:main\n",
    ],
)
def test_what_could_become_another_file_or_other_code_is_refused(text: str) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        check_entry_points(text.encode(), "entry_points.txt")
    assert (caught.value.code, caught.value.where) == ("invalid-entry-points", "entry_points.txt")


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(InvalidMetadata, match="cannot be read"):
        check_entry_points(b"[console_scripts]\n\xff = small:main\n", "entry_points.txt")


def test_a_wheel_is_held_to_it(wheel_factory: Callable[..., Path]) -> None:
    name = "small-1.0.dist-info/entry_points.txt"
    path = wheel_factory(members={"small.py": b"", name: b"[console_scripts]\n../sh = small:main\n"})
    with pytest.raises(InvalidMetadata) as caught:
        open_wheel(path, path.name)
    assert caught.value.where == name
