"""What a selector finds of the credentials that pip or uv was given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cpufit_pip_plugin.selector.backend import installer
from cpufit_pip_plugin.selector.backend.credentials import Credentials
from cpufit_pip_plugin.selector.backend.installer import command_lines, from_installer, in_addresses, settings

BASE = "https://index.example"
FOUND = Credentials("__token__", "cpufit-x")


@pytest.mark.parametrize(
    "text",
    [
        "https://__token__:cpufit-x@index.example/simple/",
        "https://__token__:cpufit%2Dx@INDEX.example:443/cpu/x86_64_v3/simple",
        "https://pypi.example/simple https://me:other@elsewhere.example/ https://__token__:cpufit-x@index.example/",
        "[global]\nindex-url = https://__token__:cpufit-x@index.example/simple\n",
        '[[index]]\nname = "ours"\nurl = "https://__token__:cpufit-x@index.example/simple"\n',
        "ours=https://__token__:cpufit-x@index.example/simple/",
    ],
)
def test_they_stand_in_an_address_of_the_index(text: str) -> None:
    assert in_addresses([text], BASE, {}) == FOUND


@pytest.mark.parametrize(
    "text",
    [
        "https://__token__:cpufit-x@index.example:8443/simple/",
        "http://__token__:cpufit-x@index.example/simple/",
        "https://__token__:cpufit-x@index.example.evil.example/simple/",
        "https://index.example:cpufit-x@evil.example/",
        "https://index.example/simple/",
        "https://__token__@index.example/simple/",
        "https://__token__:x@[/ https://__token__:x@index.example:99999/",
    ],
)
def test_those_of_another_origin_are_nobodys(text: str) -> None:
    assert in_addresses([text], BASE, {}) is None


def test_an_index_with_a_name_has_them_in_variables_as_uv_reads_them() -> None:
    environ = {"UV_INDEX_OUR_INDEX_USERNAME": "__token__", "UV_INDEX_OUR_INDEX_PASSWORD": "cpufit-x"}
    assert in_addresses(["our-index=https://index.example/simple/"], BASE, environ) == FOUND
    assert in_addresses(["our-index=https://elsewhere.example/simple/"], BASE, environ) is None
    assert in_addresses(["another=https://index.example/simple/"], BASE, environ) is None


def test_variables_come_before_settings(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a:from-file@index.example/simple\n")
    environ = {"PIP_CONFIG_FILE": str(file)}
    assert from_installer(BASE, environ) == Credentials("a", "from-file")
    for variable in installer.VARIABLES:
        told = environ | {variable: "https://a:from-variable@index.example/simple"}
        assert from_installer(BASE, told) == Credentials("a", "from-variable")


def test_settings_are_read_where_pip_and_uv_read_them(tmp_path: Path) -> None:
    places = {"pip": tmp_path / "own" / "pip" / "pip.conf", "uv": tmp_path / "own" / "uv" / "uv.toml"}
    for tool, path in places.items():
        path.parent.mkdir(parents=True)
        path.write_text(f"https://{tool}:secret@index.example/")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "own"), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}
    found = [text for text in settings(environ) if "index.example" in text]
    assert found == [f"https://{tool}:secret@index.example/" for tool in places]
    assert not any(
        "index.example" in text for text in settings(environ | {"PIP_CONFIG_FILE": "/dev/null", "UV_NO_CONFIG": "1"})
    )


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux tells command lines")
def test_command_lines_above_are_read_the_nearest_first() -> None:
    code = "import sys; print('started', flush=True); sys.stdin.readline()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "https://outer.example/", "no address"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()
    try:
        assert next(iter(command_lines(child.pid))) == "https://outer.example/"
    finally:
        child.communicate("\n", timeout=20)
    assert list(command_lines(child.pid)) == []
