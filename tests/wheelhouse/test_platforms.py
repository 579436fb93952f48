from __future__ import annotations

import pytest

from cpufit_wheelhouse.platforms import covers


@pytest.mark.parametrize(
    ("tag", "other"),
    [
        ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_x86_64"),
        ("cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux_2_17_x86_64"),
        ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"),
        ("cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux2010_x86_64"),
        ("cp311-cp311-musllinux_1_1_x86_64", "cp311-cp311-musllinux_1_2_x86_64"),
        ("cp311-cp311-linux_x86_64", "cp311-cp311-musllinux_1_2_x86_64"),
        ("cp39-abi3-win_amd64", "cp311-cp311-win_amd64"),
        ("cp39-abi3-win_amd64", "cp310-abi3-win_amd64"),
        ("py3-none-any", "cp311-cp311-manylinux_2_17_x86_64"),
        ("py3-none-any", "py3-none-win_amd64"),
        ("cp311-cp311-macosx_10_9_universal2", "cp311-cp311-macosx_11_0_arm64"),
        ("py3-none-ios_13_0_arm64_iphoneos", "py3-none-ios_14_0_arm64_iphoneos"),
    ],
)
def test_a_lower_requirement_covers_a_higher_one(tag: str, other: str) -> None:
    assert covers([tag], [other])


@pytest.mark.parametrize(
    ("tag", "other"),
    [
        ("cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_17_x86_64"),
        ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_aarch64"),
        ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-musllinux_1_2_x86_64"),
        ("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-linux_x86_64"),
        ("cp311-cp311-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_x86_64"),
        ("cp311-abi3-win_amd64", "cp39-abi3-win_amd64"),
        ("cp39-abi3-win_amd64", "cp313-cp313t-win_amd64"),
        ("cp311-cp311-macosx_11_0_arm64", "cp311-cp311-macosx_11_0_universal2"),
        ("cp311-cp311-win32", "cp311-cp311-win_amd64"),
        ("py2-none-any", "cp311-cp311-win_amd64"),
        ("py3-none-any", "py2-none-any"),
    ],
)
def test_what_does_not_install_everywhere_does_not_cover(tag: str, other: str) -> None:
    assert not covers([tag], [other])


def test_a_set_covers_only_when_each_tag_is_covered() -> None:
    two = ["cp311-cp311-macosx_11_0_arm64", "cp311-cp311-macosx_10_12_x86_64"]
    assert covers(two, ["cp311-cp311-macosx_11_0_universal2"])
    assert not covers(two[:1], two)
    assert not covers([], two)
