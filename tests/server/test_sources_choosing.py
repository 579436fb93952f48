from __future__ import annotations

import pytest
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name
from packaging.version import Version

from cpufit_server.sources.choosing import Interpreter, SourceFile, Wishes, choose, narrow
from cpufit_server.sources.errors import NothingMatches

PLATFORMS = ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "linux_x86_64"]
HERE = Interpreter(
    tags=(
        *cpython_tags((3, 11), abis=["cp311"], platforms=PLATFORMS),
        *compatible_tags((3, 11), interpreter="cp311", platforms=PLATFORMS),
    ),
    version="3.11.7",
)
RELEASE = (
    "demo-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
    "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
    "demo-1.0-cp311-cp311-manylinux_2_28_x86_64-x86_64_v3.whl",
    "demo-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    "demo-1.0-cp311-cp311-macosx_11_0_arm64.whl",
    "demo-1.0-py3-none-any.whl",
    "demo-1.0.tar.gz",
    "demo-2.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "other-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "not a package",
)


def chosen(*names: str | SourceFile, wishes: Wishes | None = None) -> list[str]:
    files = [
        name if isinstance(name, SourceFile) else SourceFile(filename=name, url=f"https://h/{name}") for name in names
    ]
    taken = choose(files, canonicalize_name("demo"), Version("1.0"), wishes or Wishes(), HERE)
    return sorted(file.filename for file in taken)


class TestWithoutAWish:
    def test_it_is_the_one_wheel_that_pip_would_take(self) -> None:
        assert chosen(*RELEASE) == ["demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"]

    def test_a_wheel_with_a_variant_label_is_none_to_pip(self) -> None:
        assert chosen(RELEASE[0], RELEASE[2]) == [RELEASE[0]]

    def test_at_one_tag_the_highest_build_number_wins(self) -> None:
        names = [f"demo-1.0-{build}-py3-none-any.whl" for build in ("2", "10", "9z")]
        assert chosen("demo-1.0-py3-none-any.whl", *names) == ["demo-1.0-10-py3-none-any.whl"]

    def test_a_better_tag_beats_a_build_number(self) -> None:
        assert chosen("demo-1.0-9-py3-none-any.whl", RELEASE[0]) == [RELEASE[0]]

    def test_a_wheel_for_another_python_is_left(self) -> None:
        best = SourceFile(filename=RELEASE[1], url="https://h/x", requires_python=">=3.12")
        assert chosen(best, RELEASE[0]) == [RELEASE[0]]

    def test_a_python_specifier_that_cannot_be_read_is_none(self) -> None:
        best = SourceFile(filename=RELEASE[1], url="https://h/x", requires_python="three")
        assert chosen(best, RELEASE[0]) == [RELEASE[1]]

    def test_an_sdist_alone_is_nothing_to_take(self) -> None:
        with pytest.raises(NothingMatches, match="has 1 files, and none is a wheel that pip would take") as caught:
            chosen("demo-1.0.tar.gz")
        assert "--all-files" in str(caught.value)

    def test_another_release_is_no_such_release(self) -> None:
        with pytest.raises(NothingMatches, match=r"no demo==1\.0 here"):
            chosen(*RELEASE[-3:])


class TestWishes:
    def test_every_file_of_the_release_is_the_sdist_too(self) -> None:
        assert chosen(*RELEASE, wishes=Wishes(all_files=True)) == sorted(RELEASE[:7])

    def test_a_platform_leaves_its_wheels_and_no_sdist(self) -> None:
        wishes = Wishes(platform="manylinux*_x86_64")
        assert chosen(*RELEASE, wishes=wishes) == sorted(RELEASE[:4])

    def test_every_file_of_a_platform_is_the_sdist_too(self) -> None:
        wishes = Wishes(platform="macosx_*", all_files=True)
        assert chosen(*RELEASE, wishes=wishes) == sorted([RELEASE[4], RELEASE[6]])

    def test_an_interpreter_leaves_what_it_can_use_on_any_platform(self) -> None:
        assert chosen(*RELEASE, wishes=Wishes(python="cp312")) == sorted([RELEASE[0], RELEASE[3], RELEASE[5]])

    def test_an_older_interpreter_cannot_use_a_newer_stable_abi(self) -> None:
        assert chosen(*RELEASE, wishes=Wishes(python="cp38")) == [RELEASE[5]]

    def test_a_free_threaded_interpreter_cannot_use_the_stable_abi(self) -> None:
        assert chosen(*RELEASE, wishes=Wishes(python="cp313t")) == [RELEASE[5]]

    def test_another_interpreter_is_taken_by_its_tag(self) -> None:
        names = ("demo-1.0-pp310-pypy310_pp73-any.whl", "demo-1.0-cp310-cp310-any.whl")
        assert chosen(*names, wishes=Wishes(python="pp310")) == [names[0]]

    def test_both_must_hold(self) -> None:
        wishes = Wishes(python="cp311", platform="*_arm64")
        assert chosen(*RELEASE, wishes=wishes) == [RELEASE[4]]

    def test_nothing_left_says_what_was_asked_for(self) -> None:
        with pytest.raises(NothingMatches, match=r"none is a wheel for the platform win\* and for cp311"):
            chosen(*RELEASE, wishes=Wishes(platform="win*", python="cp311"))


def test_a_folder_is_taken_whole_without_a_wish() -> None:
    files = [SourceFile(filename=name, url=f"https://h/{name}") for name in RELEASE]
    assert narrow(files, Wishes()) == tuple(files)
