"""A private index and real installers: whoever has the token gets the wheel, plain or through the selector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.flow.flow_clients import NEWEST_PIP, UV, Client, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment
from tests.flow.flow_server import Server, running_server, twine_upload
from tests.flow.native_wheels import V1, V2, make_native_wheel

pytestmark = pytest.mark.flow

TOOLS = pytest.mark.parametrize("client", [NEWEST_PIP, UV], ids=["pip", "uv"])


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, shared_objects: Mapping[str, Path]) -> Iterator[Server]:
    """A private index: ``isademo`` 2.0 has CPU-specific wheels alone, ``isaplain`` 1.0 an ordinary one."""
    directory = tmp_path_factory.mktemp("private")
    with running_server(directory, CPUFIT_PRIVATE_READING="1") as server:
        token = server.token("isademo", "isaplain")
        for project, version, build in (("isademo", "2.0", V2), ("isaplain", "1.0", V1)):
            folder = directory / project
            folder.mkdir()
            wheel = make_native_wheel(folder, shared_objects[build.name], project, version)
            sent = twine_upload(server, token, wheel, cpufit_needs=build.need)
            assert sent.status == 0, sent.output
        yield server


@pytest.fixture(scope="module")
def secret(private: Server) -> str:
    told = private.command("token", "create", "--project", "isademo", "--project", "isaplain", "--scope", "read")
    return told.strip()


def fresh(client: Client, environments: Environments) -> Environment:
    """Return the installer's environment without any of the projects."""
    environment = environments.get(client, HERE)
    environment.run(uv_program(), "pip", "uninstall", "--quiet", "--python", environment.python, "isaplain")
    return environment


def with_secret(url: str, secret: str) -> str:
    return url.replace("://", f"://__token__:{secret}@")


@TOOLS
@pytest.mark.parametrize("project", ["isaplain", "isademo"], ids=["a wheel", "through the selector"])
@pytest.mark.parametrize("where", ["option", "netrc", "settings", "variables"])
def test_the_credentials_of_the_installer_are_enough(
    client: Client, project: str, where: str, private: Server, secret: str, environments: Environments, tmp_path: Path
) -> None:
    url, variables = private.url, {"NETRC": "/dev/null"}
    if where == "option":
        url = with_secret(url, secret)
    if where == "netrc":
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login __token__ password {secret}\n")
        netrc.chmod(0o600)
        variables["NETRC"] = str(netrc)
    if where == "settings":
        told = with_secret(f"{url}/simple/", secret)
        (tmp_path / "pip.conf").write_text(f"[global]\nextra-index-url = {told}\n")
        (tmp_path / "uv.toml").write_text(f'[[index]]\nname = "ours"\nurl = "{told}"\n')
        # the address of the option is that of nobody
        url = "http://127.0.0.1:9"
        variables |= {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_RETRIES": "0"}
        variables |= {"UV_CONFIG_FILE": str(tmp_path / "uv.toml"), "UV_NO_CONFIG": "0"}
    if where == "variables":
        variables |= {"PIP_EXTRA_INDEX_URL": with_secret(f"{url}/simple/", secret), "PIP_RETRIES": "0"}
        # an index with a name has its credentials beside its address
        variables |= {"UV_INDEX": f"our-index={url}/simple/", "UV_INDEX_OUR_INDEX_USERNAME": "__token__"}
        variables |= {"UV_INDEX_OUR_INDEX_PASSWORD": secret}
        url = "http://127.0.0.1:9"
    environment = fresh(client, environments)
    installed = client.install(environment, url, project, variables=variables)
    assert installed.status == 0, installed.output
    assert secret not in installed.output
    assert environment.build_of(project).output == {"isaplain": "1.0 v1", "isademo": "2.0 v2"}[project]


@TOOLS
def test_without_credentials_nothing_is_told(client: Client, private: Server, environments: Environments) -> None:
    environment = fresh(client, environments)
    refused = client.install(environment, private.url, "isademo", variables={"NETRC": "/dev/null"})
    assert refused.status != 0
    # pip tells the status only where it is asked for more words
    assert ("401" if client is UV else "No matching distribution") in refused.output, refused.output


@TOOLS
def test_a_token_of_another_project_does_not_do(client: Client, private: Server, environments: Environments) -> None:
    other = private.command("token", "create", "--project", "another", "--scope", "read").strip()
    index = with_secret(private.url, other)
    refused = client.install(fresh(client, environments), index, "isademo", variables={"NETRC": "/dev/null"})
    assert refused.status != 0
    assert ("403" if client is UV else "No matching distribution") in refused.output, refused.output
