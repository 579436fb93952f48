"""What each platform tag promises."""

from __future__ import annotations

import pytest

from cpufit_resolver import format_token, platform_baseline, shared_baseline
from cpufit_resolver.features import architectures


@pytest.mark.parametrize(
    ("tag", "promises"),
    [
        ("manylinux_2_17_x86_64", {"x86_64": "x86_64_v1"}),
        ("manylinux2014_x86_64", {"x86_64": "x86_64_v1"}),
        ("linux_x86_64", {"x86_64": "x86_64_v1"}),
        ("musllinux_1_2_x86_64", {"x86_64": "x86_64_v1"}),
        ("manylinux_2_28_aarch64", {"aarch64": "aarch64_8a"}),
        ("manylinux1_i686", {"i686": "i686"}),
        ("manylinux_2_31_riscv64", {"riscv64": "riscv64"}),
        ("manylinux2014_armv7l", {"armv7l": "armv7l"}),
        ("win_arm64", {"aarch64": "aarch64_8a"}),
        ("any", {}),
        ("plan9_x86_64", {}),
    ],
)
def test_platform_tag_promises(tag: str, promises: dict[str, str]) -> None:
    assert {arch: format_token(arch, features) for arch, features in platform_baseline(tag).items()} == promises


def test_universal2_promises_for_both_architectures() -> None:
    assert set(platform_baseline("macosx_11_0_universal2")) == {"x86_64", "aarch64"}
    assert "asimddp" in platform_baseline("macosx_11_0_arm64")["aarch64"]


@pytest.mark.parametrize("minor", range(17))
def test_every_macos_ten_has_a_promise(minor: int) -> None:
    promised = platform_baseline(f"macosx_10_{minor}_x86_64")["x86_64"]
    assert "ssse3" in promised
    assert ("sse4_1" in promised) is (minor >= 12)


def test_compressed_tags_promise_only_what_they_share() -> None:
    both = shared_baseline(["macosx_10_9_x86_64", "macosx_11_0_x86_64"])["x86_64"]
    assert both == platform_baseline("macosx_10_9_x86_64")["x86_64"]


@pytest.mark.parametrize("tag", ["any", "plan9_x86_64"])
def test_a_tag_that_promises_nothing_leaves_nothing_to_share(tag: str) -> None:
    assert not shared_baseline(["macosx_11_0_x86_64", tag])
    assert not shared_baseline([tag, "macosx_11_0_x86_64"])


def test_every_promise_holds_its_architectures_floor() -> None:
    tags = ["win_amd64", "win32", "android_24_x86_64", "android_24_arm64_v8a", "ios_13_0_arm64_iphoneos"]
    for tag in tags:
        for arch, features in platform_baseline(tag).items():
            assert features >= architectures()[arch].floor, tag
