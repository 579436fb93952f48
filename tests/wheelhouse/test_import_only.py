"""Wheels of which the import fits and some operations do not: offered only where that is allowed, last, and told."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from packaging.utils import canonicalize_name

from cpufit_resolver import CpuProfile, Need
from cpufit_resolver.features import architecture
from cpufit_resolver.need import ArchNeed
from cpufit_wheelhouse.catalog import Project, StoredFile
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.offers import fitting_wheels, imports_only
from cpufit_wheelhouse.releases import releases_of

X86 = architecture("x86_64")
V2 = next(level.features for level in X86.levels if level.name == "x86_64_v2")
WITH_AVX = CpuProfile("x86_64", V2 | {"avx", "xsave"})
PROJECT = Project(
    id=1, name=canonicalize_name("fast"), display_name="fast", variants=True, unknown="refuse", plain="ordinary",
    build_sdist=False, serial=1,
)  # fmt: skip
TAGS = "cp39-abi3-manylinux_2_17_x86_64"


def stored(number: int, at_import: frozenset[str], at_use: frozenset[str]) -> StoredFile:
    name = parse_wheel_filename(f"fast-1.0-{TAGS}.whl")
    need = Need.of({"x86_64": ArchNeed(at_import, at_use)}, source="probed")
    return StoredFile(
        id=number, project=canonicalize_name("fast"), version="1.0", filename=name.format(), kind="wheel", need=need,
        sha256=f"{number:064x}", blake2="", size=1, metadata_sha256="", requires_python=None, dependencies_key="",
        tags=tuple(sorted(name.tags)), platforms=name.platforms,
        uploaded_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )  # fmt: skip


def offered(*files: StoredFile, import_only: bool) -> tuple[int, ...]:
    (release,) = releases_of(files)
    return tuple(file.id for file in fitting_wheels(release, PROJECT, WITH_AVX, import_only=import_only))


PARTLY = stored(1, V2 | {"avx"}, V2 | {"avx", "f16c"})
WHOLLY = stored(2, V2, V2)
NOT_AT_ALL = stored(3, V2 | {"avx", "avx2"}, V2 | {"avx", "avx2"})


@pytest.mark.parametrize(
    ("files", "usually", "allowed"),
    [
        ((PARTLY,), (), (1,)),
        ((PARTLY, WHOLLY), (2,), (2,)),
        ((NOT_AT_ALL,), (), ()),
        ((PARTLY, NOT_AT_ALL), (), (1,)),
    ],
)
def test_it_is_offered_where_it_is_allowed_and_nothing_else_goes(
    files: tuple[StoredFile, ...], usually: tuple[int, ...], allowed: tuple[int, ...]
) -> None:
    assert offered(*files, import_only=False) == usually
    assert offered(*files, import_only=True) == allowed


def test_it_is_told_from_what_fits_and_what_does_not() -> None:
    assert [imports_only(file, WITH_AVX) for file in (PARTLY, WHOLLY, NOT_AT_ALL)] == [True, False, False]
