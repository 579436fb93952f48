from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.upstream_index import UpstreamIndex, upstream_server


@pytest.fixture
def index() -> Iterator[UpstreamIndex]:
    """An index that counts what it is asked for, and fails as a test likes."""
    with upstream_server() as found:
        yield found


@pytest.fixture
def passing(tmp_path: Path, index: UpstreamIndex, run_server: Callable[..., Any]) -> Iterator[Any]:
    """Our server in front of it."""
    with run_server(tmp_path / "home", upstream=index.simple, upstream_metadata_wait=0) as server:
        yield server
