"""Labelled wheels are for clients that understand them: no pip of any age and no older uv ever sees one."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from tests.flow.flow_cells import SHAPES, SPECIFIC, Shape
from tests.flow.flow_clients import UV, UV_VARIANTS, Client
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE
from tests.flow.flow_server import Server

pytestmark = pytest.mark.flow

JSON_PAGE, HTML_PAGE = "application/vnd.pypi.simple.v1+json", "text/html"


def _user_agent_of_pip(version: str) -> str:
    return f"pip/{version} " + json.dumps({"installer": {"name": "pip", "version": version}, "cpu": "x86_64"})


WITHOUT_LABELS = {
    **{f"pip {version}": _user_agent_of_pip(version) for version in ("9.0.3", "20.3.4", "22.2.2", "22.3", "26.3")},
    "uv before variants": 'uv/0.13.5 {"installer":{"name":"uv","version":"0.13.5"}}',
    "a very old uv": "uv/0.1.0",
    "poetry": "poetry/2.0.0",
    "a browser": "Mozilla/5.0",
    "nobody": "",
}


def _listed(server: Server, project: str, accept: str, user_agent: str) -> list[str]:
    """Return the file names on a project's page."""
    page = httpx.get(f"{server.url}/simple/{project}/", headers={"Accept": accept, "User-Agent": user_agent})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith(accept)
    if accept == JSON_PAGE:
        return [str(file["filename"]) for file in page.json()["files"]]
    return re.findall(r"<a [^>]*>\s*([^<\s]+)\s*</a>", page.text)


def _for_variants(filename: str) -> bool:
    """Tell a labelled wheel (PEP 825: one more part than the five of a wheel without build tag) or the index's file."""
    return filename.endswith("-variants.json") or (filename.endswith(".whl") and filename.count("-") > 4)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.project))
@pytest.mark.parametrize("accept", [JSON_PAGE, HTML_PAGE], ids=["json", "html"])
class TestPages:
    @pytest.mark.parametrize("user_agent", WITHOUT_LABELS.values(), ids=WITHOUT_LABELS.keys())
    def test_hide_labels_from_who_may_not_understand_them(
        self, shape: Shape, accept: str, user_agent: str, index: Server
    ) -> None:
        listed = _listed(index, shape.project, accept, user_agent)
        assert listed
        assert not [name for name in listed if _for_variants(name)]

    @pytest.mark.parametrize("version", ["0.13.6", "0.13.9", "1.0.0"])
    def test_show_labels_to_a_uv_that_understands_them(
        self, shape: Shape, accept: str, version: str, index: Server
    ) -> None:
        listed = _listed(index, shape.project, accept, f"uv/{version}")
        assert f"{shape.project}-2.0-variants.json" in listed
        labelled = [name for name in listed if name.endswith(".whl") and _for_variants(name)]
        assert labelled
        # a label on a compressed set of platform tags is installed by pips before 22.3 on any CPU
        assert not [name for name in labelled if "." in name.split("-")[4]]


@pytest.mark.parametrize(("client", "labelled"), [(UV, False), (UV_VARIANTS, True)], ids=["uv", "uv with the preview"])
def test_only_the_preview_of_uv_installs_a_labelled_wheel(
    client: Client, labelled: bool, index: Server, environments: Environments
) -> None:
    environment = environments.get(client, HERE)
    installed = client.install(environment, index.url, SPECIFIC.project)
    assert installed.status == 0, installed.output
    told = environment.python_says(
        "from importlib.metadata import files; print(any(f.name == 'variant.json' for f in files('isademo')))"
    )
    assert told.output == str(labelled)
