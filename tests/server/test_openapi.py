"""The OpenAPI document tells the truth: schemathesis makes requests of it, and holds the answers against it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

LINUX = "py3-none-manylinux_2_17_x86_64"
NAME = f"fast-1.0-{LINUX}.whl"
GRID = bool(os.environ.get("CPUFIT_TEST_GRID"))
EXAMPLES = 300 if GRID else 12
"""For each operation, as it comes and on things that are here."""

BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not GRID,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def index(tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]) -> Iterator[Any]:
    """An index on which each form of an answer has something to tell."""
    with run_server(tmp_path / "home", inspect=False) as server:
        server.upload(make_wheel(version="2.0", tags=LINUX, native=True), cpufit_needs="x86_64_v3")
        server.upload(make_wheel(version="3.0", tags=LINUX, native=True))
        catalog = server.home.catalog
        wheel = catalog.files("fast")[0]
        catalog.inspections.set_override(wheel.sha256, wheel.need, who="mara", why="known")
        catalog.hidings.hide("fast", catalog.files("fast")[1].sha256, who="mara", why="slow")
        server.client.get("/cpu/x86_64_v1/simple/fast/")
        yield server


@pytest.fixture
def admin(index: Any) -> tuple[str, str]:
    return "__token__", index.home.catalog.create_token(None, "fuzz", scopes=frozenset({"admin"}))


REPORT = "POST /api/v1/wanted"


def excluded(label: str) -> list[Any]:
    """Return the checks that an operation is not held to: a report has to be borne out by the catalog besides."""
    return [positive_data_acceptance] if label == REPORT else []


def operations(server: Any) -> dict[str, Any]:
    schema = schemathesis.openapi.from_url(f"{server.client.base_url}/openapi.json")
    found: dict[str, Any] = {}
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # an invalid operation fails here, as it should
        found[operation.label] = operation
    return found


def test_each_operation_keeps_to_its_form_whatever_is_asked(index: Any, admin: tuple[str, str]) -> None:
    for operation in operations(index).values():

        @BOUNDED
        @given(case=operation.as_strategy())
        def holds(case: Any) -> None:
            case.call_and_validate(auth=admin, excluded_checks=excluded(case.operation.label))

        holds()


def test_each_operation_keeps_to_its_form_on_what_is_here(
    index: Any, admin: tuple[str, str], make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(tags=LINUX, native=True)
    restoring = index.home.ingest.restoring()

    def bring(*, unfreezing: bool) -> None:
        """Bring back what an example deleted, open what it closed, freeze what it thawed."""
        catalog = index.home.catalog
        if catalog.project("fast") is not None:
            catalog.lifecycle.set_status("fast", "active", who="mara", why="again")
        with index.home.blobs.stage() as staged:
            staged.write(data)
            file = restoring.wheel(staged, filename, declared="x86_64_v2").file
        if unfreezing:
            seen = catalog.serial("fast")
            catalog.freezes.set("fast", "1.0", "5" * 64, [file], seen=seen, who="mara", why="locked")

    here = {"name": "fast", "version": "1.0", "filename": NAME, "file": NAME, "held_id": 1, "project": "fast"}
    done = set()
    for operation in operations(index).values():

        @BOUNDED
        @given(case=operation.as_strategy(), all_of_it=st.booleans())
        def holds(case: Any, all_of_it: bool) -> None:
            bring(unfreezing=case.operation.label.endswith("/unfreeze"))
            for place in (case.path_parameters, case.body if all_of_it and isinstance(case.body, dict) else {}):
                for key in here.keys() & place.keys():
                    place[key] = here[key]
            answer = case.call_and_validate(auth=admin, excluded_checks=excluded(case.operation.label))
            if answer.status_code < 300:
                done.add(case.operation.label)

        holds()
    # what was never done successfully was not held against the form of its success
    assert set(operations(index)) - done <= {"GET /api/v1/held/{held_id}", REPORT}
