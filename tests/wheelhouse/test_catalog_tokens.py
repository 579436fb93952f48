"""Upload tokens."""

from __future__ import annotations

import re
from datetime import timezone
from pathlib import Path

import pytest

from cpufit_wheelhouse.catalog import Catalog


def test_a_secret_looks_like_one_of_ours_and_no_two_are_alike(catalog: Catalog) -> None:
    secrets = {catalog.create_token(None, "") for _ in range(3)}
    assert len(secrets) == 3
    assert all(re.fullmatch(r"cpufit-[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_a_token_grants_its_projects_in_any_spelling_and_no_other(catalog: Catalog) -> None:
    grant = catalog.check_token(catalog.create_token(("Demo.Thing", "other"), "for the build"))
    assert grant is not None
    assert grant.projects == ("demo-thing", "other")
    assert grant.description == "for the build"
    assert grant.created_at.tzinfo is timezone.utc
    assert grant.allows("demo-thing")
    assert not grant.allows("demo")


def test_a_token_for_every_project_and_one_for_none_differ(catalog: Catalog) -> None:
    every, none = (catalog.check_token(catalog.create_token(projects, "")) for projects in (None, ()))
    assert every is not None
    assert none is not None
    assert every.allows("demo")
    assert not none.allows("demo")


@pytest.mark.parametrize("secret", ["", "cpufit-", "cpufit-" + "A" * 43, "\udcff", "x" * 100_000])
def test_an_unknown_secret_grants_nothing(catalog: Catalog, secret: str) -> None:
    catalog.create_token(None, "")
    assert catalog.check_token(secret) is None


def test_a_revoked_token_grants_nothing_and_stays_on_the_list(catalog: Catalog) -> None:
    first, second = catalog.create_token(None, "first"), catalog.create_token(None, "second")
    assert catalog.revoke_token(1)
    assert not catalog.revoke_token(1)
    assert not catalog.revoke_token(3)
    assert catalog.check_token(first) is None
    assert catalog.check_token(second) is not None
    listed = catalog.tokens()
    assert [(grant.id, grant.description, grant.revoked_at is None) for grant in listed] == [
        (1, "first", False),
        (2, "second", True),
    ]
    assert not listed[0].allows("demo")


def test_the_secret_itself_is_nowhere_on_the_disk(catalog: Catalog, tmp_path: Path) -> None:
    secret = catalog.create_token(None, "written down")
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"written down" in data
    assert secret.encode() not in data
    assert secret.removeprefix("cpufit-").encode() not in data
