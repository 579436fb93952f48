from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from cpufit_server.auth import Tokens, require, token_of
from cpufit_server.errors import AuthenticationRequired, NotAllowed, TokenExpired, TokenLacksScope
from cpufit_wheelhouse.catalog import Catalog, TokenGrant, TokenScope

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        basic("__token__:cpufit-x"),
        basic("__token__: cpufit-x\n"),
        "Bearer cpufit-x",
        "bearer  cpufit-x",
        "token cpufit-x",
    ],
)
def test_a_token_is_read_in_each_way_that_tools_send_it(header: str) -> None:
    assert token_of(header) == "cpufit-x"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ???",
        basic("somebody:cpufit-x"),
        basic("__token__:"),
        "Basic /w==",
        "Digest a",
        "Bearer " + "x" * 2000,
    ],
)
def test_without_a_readable_token_the_hint_says_what_to_send(header: str | None) -> None:
    with pytest.raises(AuthenticationRequired, match="__token__"):
        token_of(header)


def grant(*scopes: TokenScope, project: str | None = "fast") -> TokenGrant:
    projects = None if project is None else (canonicalize_name(project),)
    return TokenGrant(id=1, projects=projects, description="", created_at=NOW, scopes=frozenset(scopes))


@pytest.mark.parametrize("scope", ["read", "upload", "admin"])
def test_admin_implies_the_other_scopes_for_its_projects_and_they_do_not_imply_each_other(scope: TokenScope) -> None:
    require(grant(scope), "fast", scope)
    require(grant("admin"), "fast", scope)
    require(grant(scope, project=None), None, scope)
    others: tuple[TokenScope, ...] = () if scope == "admin" else ("read", "upload", "admin")
    for other in others:
        if other == scope:
            continue
        with pytest.raises(TokenLacksScope, match=f"this needs one for {other}"):
            require(grant(scope), "fast", other)
    for project in ("slow", None):
        with pytest.raises(NotAllowed) as caught:
            require(grant("admin"), project, scope)
        assert caught.value.code == "token-not-for-project"


def test_a_use_is_written_later_and_an_ended_token_is_told_from_an_unknown_one(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}") as catalog:
        now = NOW
        tokens = Tokens(catalog, now=lambda: now)
        header = "Bearer " + catalog.create_token(None, "", expires_at=NOW + timedelta(days=1))
        tokens.grant(header)
        assert catalog.tokens()[0].last_used_at is None
        tokens.flush()
        assert catalog.tokens()[0].last_used_at == NOW
        now = NOW + timedelta(days=1)
        with pytest.raises(TokenExpired, match="2026-05-02"):
            tokens.grant(header)
        tokens.flush()
        # what it did not open is no use of it
        assert catalog.tokens()[0].last_used_at == NOW
        with pytest.raises(NotAllowed, match="never issued"):
            tokens.grant("Bearer cpufit-x")


def test_uses_that_cannot_be_written_wait(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}") as catalog:
        tokens = Tokens(catalog)
        tokens.grant("Bearer " + catalog.create_token(None, ""))
        with catalog._writer.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE tokens RENAME TO elsewhere")
        tokens.flush()
        with catalog._writer.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO tokens")
        tokens.flush()
        assert catalog.tokens()[0].last_used_at is not None


def test_a_server_that_stops_has_written_who_came(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home") as server:
        server.upload(make_wheel())
        assert server.home.catalog.tokens()[0].last_used_at is None
    with Catalog.open(f"sqlite:///{tmp_path / 'home' / 'catalog.sqlite3'}") as catalog:
        assert catalog.tokens()[0].last_used_at is not None


def test_a_token_for_reading_uploads_nothing(server: Any, make_wheel: Callable[..., Any]) -> None:
    token = server.home.catalog.create_token(None, "", scopes=frozenset({"read"}))
    answer = server.upload(make_wheel(), token=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-lacks-scope")
    token = server.home.catalog.create_token(None, "", expires_at=NOW)
    answer = server.upload(make_wheel(), token=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-expired")
    assert server.home.catalog.project("fast") is None


def test_an_admin_lets_a_deleted_file_come_back(server: Any, make_wheel: Callable[..., Any]) -> None:
    catalog = server.home.catalog
    server.upload(make_wheel())
    snapshot = catalog.snapshot("fast")
    catalog.lifecycle.delete("fast", snapshot.files, seen=snapshot.project.serial, who="mara", why="a slip")
    answer = server.upload(make_wheel())
    assert (answer.status_code, answer.json()["code"]) == (409, "filename-was-deleted")
    admin = catalog.create_token(("fast",), "", scopes=frozenset({"admin"}))
    assert server.upload(make_wheel(extra=b"#"), token=admin).json()["code"] == "filename-was-deleted"
    assert server.upload(make_wheel(), token=admin).json()["status"] == "new"
    assert server.names() == ["fast-1.0-py3-none-any.whl"]
