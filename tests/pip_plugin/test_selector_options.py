"""The selector under the options and in the places that installations have: no isolation, proxies, private, offline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pip_plugin.selector_index import UV, Index, new_machine, serving_three_releases

pytestmark = pytest.mark.flow

SECRET = "not-for-logs"
TRUSTED = ("--trusted-host", "index.invalid")


@pytest.fixture
def index() -> Iterator[Index]:
    with serving_three_releases() as made:
        yield made


def test_no_build_isolation_changes_nothing(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.pip(index, "install", "--no-build-isolation", "fitdemo==2.0")
    assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_uv_without_build_isolation_gets_the_same(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.uv(index, "install", "--no-build-isolation", "fitdemo==2.0", cache=tmp_path / "cache")
    assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr


def test_only_binary_leaves_selectors_out_and_runs_none(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.pip(index, "install", "--only-binary", ":all:", "fitdemo==2.0")
    assert done.returncode != 0
    assert "No matching distribution found for fitdemo==2.0" in done.stderr
    assert machine.installed() == ""
    assert not [path for path in index.requests if path.startswith(("/selectors/", "/files/"))]


def test_a_proxy_named_by_the_environment_carries_what_the_backend_asks_for(index: Index, tmp_path: Path) -> None:
    proxy, index.url = index.url, "http://index.invalid"
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.pip(index, "install", *TRUSTED, "fitdemo==2.0", http_proxy=proxy)
    assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr


def test_a_proxy_told_to_pip_alone_does_not_reach_the_backend(index: Index, tmp_path: Path) -> None:
    proxy, index.url = index.url, "http://index.invalid"
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.pip(index, "install", *TRUSTED, "--proxy", proxy, "fitdemo==2.0")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "cpufit: " in said
    assert "http://index.invalid" in said
    assert machine.installed() == ""


class TestAPrivateIndex:
    @pytest.fixture(autouse=True)
    def _private(self, index: Index) -> None:
        index.credentials = ("ada", SECRET)

    def test_is_entered_with_netrc_by_pip_and_by_the_backend(self, index: Index, tmp_path: Path) -> None:
        machine = new_machine(tmp_path, "x86_64_v2")
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
        netrc.chmod(0o600)
        done = machine.pip(index, "install", "-v", "fitdemo==2.0", NETRC=str(netrc))
        assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr
        assert SECRET not in done.stdout + done.stderr

    def test_is_entered_with_an_address_for_pip_and_variables_for_the_backend(
        self, index: Index, tmp_path: Path
    ) -> None:
        machine = new_machine(tmp_path, "x86_64_v2")
        address = f"{index.url.replace('//', f'//ada:{SECRET}@')}/simple/"
        words = ("install", "-v", "--index-url", address, "fitdemo==2.0")
        done = machine.pip(index, *words, CPUFIT_USERNAME="ada", CPUFIT_PASSWORD=SECRET)
        assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr
        assert SECRET not in done.stdout + done.stderr

    def test_is_entered_with_the_address_that_pip_was_given(self, index: Index, tmp_path: Path) -> None:
        machine = new_machine(tmp_path, "x86_64_v2")
        address = f"{index.url.replace('//', f'//ada:{SECRET}@')}/simple/"
        done = machine.pip(index, "install", "--index-url", address, "fitdemo==2.0")
        assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr
        assert SECRET not in done.stdout + done.stderr

    def test_that_only_pip_may_enter_is_said_to_be_so(self, index: Index, tmp_path: Path) -> None:
        machine = new_machine(tmp_path, "x86_64_v2")
        address = f"{index.url.replace('//', f'//ada:{SECRET}@')}/simple/"
        # an address in such a file is pip's alone: a build has no way to know of it
        (tmp_path / "requirements.txt").write_text(f"--index-url {address}\nfitdemo==2.0\n")
        done = machine.pip(index, "install", "-r", str(tmp_path / "requirements.txt"))
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "answered 401" in said
        assert "CPUFIT_TOKEN" in said
        assert SECRET not in said
        assert machine.installed() == ""


def test_a_selector_without_its_index_says_that_it_cannot_reach_it(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    kept = tmp_path / "kept"
    assert machine.pip(index, "download", "--dest", str(kept), "fitdemo==2.0").returncode == 0
    # nothing listens on the discard port of loopback
    index.url = "http://127.0.0.1:9"
    (kept / "fitdemo-2.0.tar.gz").write_bytes(index.selector("2.0"))
    done = machine.pip(index, "install", "--no-index", str(kept / "fitdemo-2.0.tar.gz"))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "cpufit: " in said
    assert "http://127.0.0.1:9" in said
    assert "Traceback" not in said
    assert machine.installed() == ""
