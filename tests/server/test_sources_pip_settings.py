from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from cpufit_server.machines import make_venv
from cpufit_server.sources.errors import PipSettingsUnreadable
from cpufit_server.sources.pip_settings import (
    effective,
    parse_config_list,
    parse_default_index,
    read_pip_settings,
    tls_context,
)


def bare(**variables: str) -> dict[str, str]:
    """Return an environment in which pip has no settings but these."""
    return {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, **variables}


class TestAskingPip:
    def test_an_environment_variable_names_the_index(self) -> None:
        settings = read_pip_settings(bare(PIP_INDEX_URL="https://me:pw@index.example/simple"))
        assert settings.index_url == "https://me:pw@index.example/simple"

    def test_a_configuration_file_names_index_certificate_and_proxy(self, tmp_path: Path) -> None:
        config = tmp_path / "pip.conf"
        config.write_text(
            "[global]\nindex-url = https://global.example/\nproxy = http://proxy.example:3128\n"
            "[download]\nindex-url = https://download.example/\ncert = /some/ca.pem\n"
            "[install]\nindex-url = https://install.example/\n"
        )
        settings = read_pip_settings(bare(PIP_CONFIG_FILE=str(config), HOME=str(tmp_path), XDG_CONFIG_DIRS="/none"))
        assert settings.index_url == "https://download.example/"
        assert settings.certificate == "/some/ca.pem"
        assert settings.proxy == "http://proxy.example:3128"

    def test_without_a_setting_it_is_pips_own_default(self) -> None:
        settings = read_pip_settings(bare())
        assert settings.index_url.startswith("https://")
        assert settings.index_url.endswith("/simple")
        assert settings.certificate is None
        assert settings.proxy is None

    def test_a_certificate_for_every_program_is_taken_after_pips_own(self) -> None:
        assert read_pip_settings(bare(PIP_INDEX_URL="https://x/", SSL_CERT_FILE="/all.pem")).certificate == "/all.pem"
        both = bare(PIP_INDEX_URL="https://x/", SSL_CERT_FILE="/all.pem", PIP_CERT="/pip.pem")
        assert read_pip_settings(both).certificate == "/pip.pem"

    def test_a_python_without_pip_is_told(self, tmp_path: Path) -> None:
        python = make_venv(tmp_path / "venv")
        for package in (tmp_path / "venv").glob("lib/python*/site-packages/pip"):
            package.rename(tmp_path / "gone")
        with pytest.raises(PipSettingsUnreadable, match="pip does not tell") as caught:
            read_pip_settings(bare(), python)
        assert "--from URL" in str(caught.value.hint)


class TestReadingTheAnswer:
    def test_the_list_is_read_and_other_lines_are_skipped(self) -> None:
        text = "global.index-url='https://a/'\n:env:.index_url=\"https://b/'x\"\nnot a setting\nglobal.x=[broken\n"
        assert parse_config_list(text) == {
            ("global", "index-url"): "https://a/",
            (":env:", "index-url"): "https://b/'x",
        }

    def test_the_environment_beats_the_command_beats_the_rest(self) -> None:
        settings = {
            (":env:", "cert"): "1",
            ("download", "cert"): "2",
            ("global", "cert"): "3",
            ("install", "cert"): "4",
        }
        assert effective(settings, "cert") == "1"
        del settings[":env:", "cert"]
        assert effective(settings, "cert") == "2"
        del settings["download", "cert"]
        assert effective(settings, "cert") == "3"
        del settings["global", "cert"]
        assert effective(settings, "cert") is None

    def test_an_empty_value_is_none(self) -> None:
        assert effective({(":env:", "cert"): " ", ("global", "cert"): "3"}, "cert") == "3"

    def test_help_without_a_default_is_told(self) -> None:
        with pytest.raises(PipSettingsUnreadable, match="default index"):
            parse_default_index("--index-url <url>  Base URL")


class TestTheTlsContext:
    def test_nothing_set_leaves_the_usual_authorities(self) -> None:
        assert tls_context(None) is None

    def test_a_folder_of_authorities_is_one(self, tmp_path: Path) -> None:
        assert isinstance(tls_context(str(tmp_path)), ssl.SSLContext)

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_file_that_cannot_be_read_is_told(self, tmp_path: Path, content: str | None) -> None:
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        with pytest.raises(PipSettingsUnreadable, match=r"ca\.pem cannot be read"):
            tls_context(str(tmp_path / "ca.pem"))
