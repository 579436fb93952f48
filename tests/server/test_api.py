from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from cpufit_resolver.need import Need
from cpufit_server.app import ROUTERS
from cpufit_server.problems import STATUSES
from cpufit_wheelhouse.inspection.verdict import Evidence, Verdict

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
DOCUMENT = Path(__file__).parents[2] / "docs/reference/http-api.md"


def test_a_project_is_told_with_needs_and_policy_newest_release_first(
    server: Any, make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]
) -> None:
    server.upload(make_wheel(version="1.9"))
    server.upload(make_wheel(tags=LINUX, native=True, version="1.10"), cpufit_needs="x86_64_v2+avx")
    server.upload(make_wheel(tags=LINUX.replace("311", "312"), native=True, version="1.10"))
    server.upload(make_sdist(version="1.10"))
    body = server.client.get("/api/v1/projects/Fast").json()
    assert body["policy"] == {
        "variants": True,
        "unknown": "refuse",
        "plain": "ordinary",
        "build_sdist": False,
        "upstream": "never",
    }
    assert [release["version"] for release in body["releases"]] == ["1.10", "1.9"]
    files = {file["filename"]: file for file in body["releases"][0]["files"]}
    declared = files[f"fast-1.10-{LINUX}.whl"]
    assert declared["need"] == {"x86_64": {"import": "x86_64_v2+avx", "use": "x86_64_v2+avx"}}
    assert (declared["verdict"], declared["need_source"], declared["ordinary"]) == ("known", "declared", False)
    assert declared["tags"] == [LINUX]
    assert declared["provenance"]["source"] == "upload"
    assert server.client.get(declared["url"]).status_code == 200
    unknown = files[f"fast-1.10-{LINUX.replace('311', '312')}.whl"]
    assert (unknown["verdict"], unknown["need"], unknown["need_source"]) == ("unknown", None, None)
    source = files["fast-1.10.tar.gz"]
    assert (source["kind"], source["verdict"], source["tags"]) == ("sdist", "known", [])
    assert body["releases"][1]["files"][0]["ordinary"] is True
    assert body["serial"] == server.home.catalog.serial("fast")


def test_a_file_is_told_with_its_verdict_and_with_the_override_that_stands_above_it(
    server: Any, make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel(tags=LINUX, native=True)
    evidence = Evidence(
        rule="spread", arch="x86_64", features=("avx2",), library="fast/_native.so", detail="vpaddd in f"
    )
    need = Need.uniform("x86_64", frozenset({"avx2"}), source="inspected", evidence=[evidence.text])
    verdict = Verdict(need=need, evidence=(evidence,), confidence="medium", notes=("a note",))
    with server.home.blobs.stage() as staged:
        staged.write(data)
        digest = server.home.ingest.wheel(staged, filename, verdict=verdict).file.sha256

    def told() -> dict[str, Any]:
        (file,) = server.client.get("/api/v1/projects/fast").json()["releases"][0]["files"]
        return dict(file)

    assert told()["evidence"] == ["needs avx2: fast/_native.so, vpaddd in f (spread)"]
    assert told()["inspection"] == verdict.as_dict()
    assert {"confidence", "evidence", "rules_version", "notes"} <= told()["inspection"].keys()
    assert told()["override"] is None
    said = server.home.catalog.inspections.set_override(digest, need, who="mara", why="asks by hand")
    assert told()["override"] == said.as_dict()
    assert (told()["override"]["who"], told()["override"]["why"]) == ("mara", "asks by hand")


def test_an_unknown_project_is_404(server: Any) -> None:
    answer = server.client.get("/api/v1/projects/unknown")
    assert (answer.status_code, answer.json()["code"]) == (404, "no-such-project")


def test_the_health_of_the_server(server: Any) -> None:
    answer = server.client.get("/healthz")
    assert answer.json() == {"status": "ok", "version": version("cpufit")}


def test_an_address_that_nobody_serves_is_404_with_a_code(server: Any) -> None:
    answer = server.client.get("/nothing")
    assert (answer.status_code, answer.json()) == (404, {"code": "not-found", "message": "Not Found"})


def test_every_route_is_documented_and_every_documented_route_is_served() -> None:
    table = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `/")]
    documented = {part for line in table for part in line.split("|")[1].replace(",", " ").replace("`", " ").split()}
    served = {route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    assert {path for path in documented if "…" not in path} == served


def test_every_code_of_an_error_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    abstract = {"cpufit-error", "server-error", "invalid-wheel", "store-error"}
    missing = {cls.code for cls in STATUSES} - abstract - set(text.split("`"))
    assert missing == set()
