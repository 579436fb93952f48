from __future__ import annotations

from pathlib import Path

import pytest

from cpufit_server.environment import PREFIX
from cpufit_server.errors import InvalidSetting, MissingPublicUrl
from cpufit_server.settings import Settings, is_loopback, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_the_environment_sets_what_is_not_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CPUFIT_PORT", "8123")
    monkeypatch.setenv("CPUFIT_HOME", str(tmp_path))
    assert (load_settings().port, load_settings().home) == (8123, tmp_path)
    assert load_settings(port=9000, host=None).port == 9000


def test_on_loopback_the_base_is_derived() -> None:
    assert load_settings(port=8123).base_url == "http://127.0.0.1:8123"
    assert load_settings(host="::1").base_url == "http://[::1]:8000"
    assert load_settings(host="localhost").base_url == "http://localhost:8000"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "index.example"])
def test_off_loopback_the_public_url_is_required(host: str) -> None:
    with pytest.raises(MissingPublicUrl) as caught:
        _ = load_settings(host=host).base_url
    assert caught.value.code == "public-url-required"
    assert "CPUFIT_PUBLIC_URL" in str(caught.value)
    assert load_settings(host=host, public_url="https://index.example/py/").base_url == "https://index.example/py"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 0),
        ("port", "many"),
        ("public_url", "index.example"),
        ("public_url", "https://user:secret@index.example"),
        ("public_url", "pip"),
        ("public_url", "https://index.example/?a=b"),
        ("upstream", "ftp://index.example/simple"),
        ("max_token_length", 5000),
        ("max_upload_bytes", 0),
        ("probe_max_cpus", 4),
    ],
)
def test_a_bad_value_is_named_with_its_variable(name: str, value: object) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(**{name: value})
    assert caught.value.where == f"CPUFIT_{name.upper()}"
    assert caught.value.hint == Settings.model_fields[name].description


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(InvalidSetting) as caught:
        load_settings(public_url="https://user:secret@index.example")
    assert "secret" not in str(caught.value)


def test_an_empty_address_is_none() -> None:
    assert load_settings(upstream="", public_url=" ").upstream is None


def test_loopback_is_told_from_everything_else() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.1", "example", "localhost.example")))


def test_every_setting_is_documented_with_its_variable_and_default() -> None:
    rows = {
        line.split("`")[1]: line
        for line in (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `CPUFIT_")
    }
    assert set(rows) == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        row = rows[f"{PREFIX}{name.upper()}"]
        assert (field.description or "").rstrip(".") in row
        if isinstance(field.default, int | float | str):
            assert f"`{field.default}`" in row


def test_a_variable_may_be_written_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("cpufit_Port", "8124")
    assert load_settings().port == 8124


def test_the_environment_is_checked_as_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPUFIT_PORT", "many")
    with pytest.raises(InvalidSetting) as caught:
        load_settings()
    assert caught.value.where == "CPUFIT_PORT"
