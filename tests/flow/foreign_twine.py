"""A pytest plugin for twine's own integration tests: what they upload goes to the server that the environment names.

It is copied beside the tests of an unpacked twine and imports nothing of this project. Their fixtures start a devpi and
a pypiserver; here, the one that tells address and login tells ours, and those that start processes do nothing.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.fixtures import FixtureDef, SubRequest

NOT_APPLICABLE = {
    "test_pypi_upload": "goes to test.pypi.org, on the internet",
    "test_pypi_error": "goes to test.pypi.org, on the internet",
    "test_pypiserver_upload": "uploads without a login of its own, which this server lets nobody do",
}


@pytest.fixture(scope="session")
def port_getter() -> None:
    """Stand for the fixture of pytest-services: no server is started."""


@pytest.fixture(scope="session")
def watcher_getter() -> None:
    """Stand for the fixture of pytest-services: no server is started."""


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: FixtureDef[object], request: SubRequest) -> object | None:
    """Give our server where a test asks for its devpi: a module's own fixture stands above a plugin's."""
    if fixturedef.argname != "devpi_server":
        return None
    server = SimpleNamespace(url=os.environ["UPLOAD_URL"], username="__token__", password=os.environ["UPLOAD_TOKEN"])
    fixturedef.cached_result = (server, fixturedef.cache_key(request), None)
    return server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot apply, with the reason."""
    for item in items:
        reason = NOT_APPLICABLE.get(item.name.split("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
