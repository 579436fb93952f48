"""Each rule of uploads is a setting of the server, and what it refuses leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.wheelhouse.ingest_support import sdist_bytes

from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import Settings, load_settings
from cpufit_wheelhouse.admission.rules import AdmissionRules
from cpufit_wheelhouse.archive import is_folder_of
from cpufit_wheelhouse.errors import InvalidMetadata
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.metadata import parse_metadata

LINUX = "py3-none-linux_x86_64"
PROTECTED = b"__pyarmor__(__name__, __file__, b'" + b"\\x50" * 300 + b"')\n"


def test_the_defaults_of_settings_and_rules_are_the_same() -> None:
    assert Settings().admission_rules == AdmissionRules()


@pytest.mark.parametrize(
    ("setting", "value", "default", "file", "code", "status"),
    [
        ("platform_tags", "manylinux_*, win*", None, {"tags": LINUX}, "platform-tag-not-allowed", 400),
        ("exact_wheel_names", True, False, {"name": "Fast"}, "wheel-name-not-exact", 400),
        ("allow_local_versions", False, True, {"version": "1.0+cu12"}, "local-version-not-allowed", 400),
        ("allow_direct_requirements", False, True, {"requires": ("a @ https://b.org/a.whl",)},
         "direct-requirement-not-allowed", 400),
        ("refuse_obfuscated", True, False, {"extra": PROTECTED}, "obfuscated-code", 400),
        ("max_project_bytes", 100, None, {}, "project-too-large", 413),
        ("new_projects_per_hour", 0, None, {}, "too-many-projects", 429),
    ],
)  # fmt: skip
def test_a_rule_that_is_off_by_default_refuses_when_it_is_on(  # noqa: PLR0917  # fixtures and cases
    tmp_path: Path,
    run_server: Callable[..., Any],
    make_wheel: Callable[..., Any],
    setting: str,
    value: object,
    default: object,
    file: dict[str, Any],
    code: str,
    status: int,
) -> None:
    assert getattr(Settings(), setting) == default
    with run_server(tmp_path / "on", **{setting: value}) as server:
        answer = server.upload(make_wheel(**file))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert server.home.catalog.projects() == ()
    with run_server(tmp_path / "off") as server:
        assert server.upload(make_wheel(**file)).status_code == 200


@pytest.mark.parametrize(
    ("setting", "filename", "data", "code"),
    [
        ("exact_sdist_names", "De-mo-1.0.tar.gz", sdist_bytes(name="De-mo"), "sdist-name-not-exact"),
        ("refuse_standard_library_names", "json-1.0.tar.gz", sdist_bytes(name="json"), "standard-library-name"),
    ],
)
def test_a_rule_that_is_on_by_default_can_be_turned_off(
    tmp_path: Path, run_server: Callable[..., Any], setting: str, filename: str, data: bytes, code: str
) -> None:
    with run_server(tmp_path / "on") as server:
        answer = server.upload((filename, data))
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert server.home.catalog.projects() == ()
    with run_server(tmp_path / "off", **{setting: False}) as server:
        assert server.upload((filename, data)).status_code == 200


def test_projects_are_made_at_a_pace_and_those_that_are_there_go_on(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", new_projects_per_hour=2) as server:
        assert [server.upload(make_wheel(name=name)).status_code for name in ("one", "two", "three")] == [200, 200, 429]
        assert server.upload(make_wheel(name="one", version="2.0")).status_code == 200
        assert [project.name for project in server.home.catalog.projects()] == ["one", "two"]


def test_a_second_source_distribution_is_a_conflict(server: Any) -> None:
    assert server.upload(("demo-1.0.tar.gz", sdist_bytes())).status_code == 200
    answer = server.upload(("demo-1.0.0.tar.gz", sdist_bytes(version="1.0.0")))
    assert (answer.status_code, answer.json()["code"]) == (409, "sdist-exists")


def test_a_new_project_that_looks_like_another_is_told_so(server: Any, make_wheel: Callable[..., Any]) -> None:
    assert "notices" not in server.upload(make_wheel(name="pillow")).json()
    (notice,) = server.upload(make_wheel(name="pi11ow")).json()["notices"]
    assert notice["code"] == "similar-project-name"
    assert "notices" not in server.upload(make_wheel(name="pi11ow", version="2.0")).json()


def test_a_rule_whose_package_is_missing_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(known_classifiers=True, rendering_descriptions=True).admission_rules.known_classifiers
    monkeypatch.setattr("cpufit_server.upload_settings.find_spec", lambda _: None)
    for name in ("known_classifiers", "rendering_descriptions"):
        with pytest.raises(InvalidSetting, match=r"cpufit\[strict\]") as caught:
            load_settings(**{name: True})
        assert caught.value.where == f"CPUFIT_{name.upper()}"
    assert not load_settings().known_classifiers


def test_a_number_that_python_does_not_read_is_no_version(server: Any, make_wheel: Callable[..., Any]) -> None:
    number = "9" * 5000
    answer = server.upload(make_wheel(), version=number)
    assert (answer.status_code, answer.json()["code"]) == (400, "metadata-mismatch")
    with pytest.raises(InvalidMetadata):
        parse_metadata(f"Metadata-Version: 2.1\nName: fast\nVersion: {number}\n".encode())
    assert not is_folder_of(f"fast-{number}.dist-info", ".dist-info", parse_wheel_filename(make_wheel()[0]))
    assert server.upload(make_wheel()).status_code == 200
    admin = server.home.catalog.create_token(None, "admin", scopes=frozenset({"admin"}))
    gone = server.client.delete(
        f"/api/v1/projects/fast/releases/{number}", params={"why": "x"}, auth=("__token__", admin)
    )
    assert (gone.status_code, gone.json()["code"]) == (404, "no-such-release")


def test_an_address_of_comments_within_comments_is_none(server: Any, make_wheel: Callable[..., Any]) -> None:
    answer = server.upload(make_wheel(requires_python=f">=3.8\nAuthor-email: {'(' * 20_000}"))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-email")
