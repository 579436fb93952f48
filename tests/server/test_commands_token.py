from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cpufit_server.cli import main
from cpufit_wheelhouse.home import open_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def create(home: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["token", "create", "--home", str(home), *options]) == 0
    return capsys.readouterr().out


def test_the_secret_alone_stands_on_standard_output(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "create", "--project", "polars", "--project", "NumPy", "--home", str(home)]) == 0
    captured = capsys.readouterr()
    secret = captured.out.removesuffix("\n")
    assert secret.startswith("cpufit-")
    assert "polars, NumPy" in captured.err
    assert secret not in captured.err
    with open_home(home) as opened:
        grant = opened.catalog.check_token(secret)
    assert grant is not None
    assert grant.allows("numpy")
    assert not grant.allows("pandas")


def test_the_list_never_shows_a_secret(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = create(home, capsys, "--project", "polars", "--description", "for CI").strip()
    for options in ([], ["--json"]):
        assert main(["token", "list", "--home", str(home), *options]) == 0
        output = capsys.readouterr().out
        assert "for CI" in output
        assert "polars" in output
        assert secret.removeprefix("cpufit-") not in output


def test_a_revoked_token_is_worthless_and_listed_as_such(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = create(home, capsys, "--project", "polars").strip()
    assert main(["token", "list", "--json", "--home", str(home)]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["tokens"]
    assert entry["revoked_at"] is None
    assert main(["token", "revoke", str(entry["id"]), "--home", str(home)]) == 0
    with open_home(home) as opened:
        assert opened.catalog.check_token(secret) is None
    capsys.readouterr()
    assert main(["token", "list", "--home", str(home)]) == 0
    assert " revoked 2" in capsys.readouterr().out


def test_revoking_a_number_that_nobody_has_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "revoke", "7", "--home", str(home)]) == 1
    assert capsys.readouterr().err.startswith("error: there is no token 7 [no-such-token]\n  hint: ")


@pytest.mark.parametrize("options", [[], ["--project", "not a name"], ["--project", ""]])
def test_a_token_is_for_named_projects(home: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["token", "create", "--home", str(home), *options])
    assert caught.value.code == 2


def test_a_token_says_what_it_is_for_and_until_when(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create(home, capsys, "--project", "polars")
    create(home, capsys, "--all-projects", "--scope", "admin", "--scope", "read", "--expires", "90d")
    assert main(["token", "list", "--json", "--home", str(home)]) == 0
    usual, admin = json.loads(capsys.readouterr().out)["tokens"]
    assert (usual["scopes"], usual["expires_at"], usual["last_used_at"]) == (["read", "upload"], None, None)
    assert (admin["projects"], admin["scopes"]) == (None, ["admin", "read"])
    left = datetime.fromisoformat(admin["expires_at"]) - datetime.now(timezone.utc)
    assert timedelta(days=89) < left <= timedelta(days=90)
    assert main(["token", "list", "--home", str(home)]) == 0
    assert re.search(r"every project  admin, read  never used, until 2\d{3}-", capsys.readouterr().out)


def test_a_day_is_the_last_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    today = datetime.now(timezone.utc).date()
    create(home, capsys, "--all-projects", "--expires", today.isoformat())
    with open_home(home) as opened:
        (grant,) = opened.catalog.tokens()
    assert grant.expires_at is not None
    assert grant.expires_at.date() == today + timedelta(days=1)


@pytest.mark.parametrize(
    "options",
    [
        ["--project", "polars", "--all-projects"],
        ["--project", "polars", "--scope", "write"],
        *(
            ["--project", "polars", "--expires", when]
            for when in ("soon", "0d", "2020-01-01", "2027-02-30", "9999999d")
        ),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(home: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["token", "create", "--home", str(home), *options])
    assert caught.value.code == 2
