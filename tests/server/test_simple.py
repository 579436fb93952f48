from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from fastapi.routing import APIRoute

from cpufit_server import pages
from cpufit_server.app import ROUTERS

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
UV = 'uv/0.13.9 {"cpu":"x86_64"}'


def pip_on(token: str) -> str:
    return f'pip/26.3 {{"user_data":"cpufit={token}"}}'


@pytest.fixture
def variants(server: Any, make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]) -> Any:
    """A server with one project: 1.0 has wheels for v2 and v3 and a source, 0.9 an ordinary wheel."""
    for level in ("x86_64_v2", "x86_64_v3"):
        file = make_wheel(tags=LINUX, native=True, extra=level.encode())
        assert server.upload(file, cpufit_needs=level).status_code == 200
    assert server.upload(make_sdist()).status_code == 200
    assert server.upload(make_wheel(version="0.9")).status_code == 200
    return server


def test_the_plain_view_offers_the_selector_in_place_of_the_source(variants: Any) -> None:
    assert variants.names() == ["fast-0.9-py3-none-any.whl", "fast-1.0.tar.gz"]
    entry = variants.page()["files"][1]
    assert re.fullmatch(r"\.\./\.\./selectors/[0-9a-f]{64}/[\w-]{20,}/fast-1\.0\.tar\.gz", entry["url"])
    answer = variants.client.get(urljoin("/simple/fast/", entry["url"]))
    assert answer.headers["cache-control"] == "no-store"
    assert gzip.decompress(answer.content)


def test_a_page_with_a_selector_is_new_each_time_and_every_address_stays_valid(variants: Any) -> None:
    answers = [variants.client.get("/simple/fast/", headers=JSON) for _ in range(2)]
    urls = [answer.json()["files"][1]["url"] for answer in answers]
    assert urls[0] != urls[1]
    assert len({variants.client.get(urljoin("/simple/fast/", url)).content for url in urls}) == 1
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
        assert answer.headers["vary"] == "Accept, Accept-Encoding, User-Agent"
    again = variants.client.get("/simple/fast/", headers={**JSON, "If-None-Match": "*"})
    assert again.status_code == 200


def test_a_selector_published_once_is_served_after_the_release_has_changed(
    variants: Any, make_wheel: Callable[..., Any]
) -> None:
    old = urljoin("/simple/fast/", variants.page()["files"][1]["url"])
    content = variants.client.get(old).content
    file = make_wheel(tags=LINUX.replace("311", "312"), native=True)
    assert variants.upload(file, cpufit_needs="x86_64_v3").status_code == 200
    new = urljoin("/simple/fast/", variants.page()["files"][1]["url"])
    assert new.split("/")[2] != old.split("/")[2]
    assert variants.client.get(old).content == content


@pytest.mark.parametrize(("token", "level"), [("x86_64_v2", b"x86_64_v2"), ("x86_64_v4", b"x86_64_v3")])
@pytest.mark.parametrize("way", ["user agent", "address"])
def test_a_profile_gets_the_uploaded_bytes_of_its_best_wheel(
    variants: Any, make_wheel: Callable[..., Any], token: str, level: bytes, way: str
) -> None:
    path = "/simple/fast/" if way == "user agent" else f"/cpu/{token}/simple/fast/"
    page = variants.page(path, pip_on(token) if way == "user agent" else UV)
    assert [file["filename"] for file in page["files"]] == ["fast-0.9-py3-none-any.whl", f"fast-1.0-{LINUX}.whl"]
    _, data = make_wheel(tags=LINUX, native=True, extra=level)
    assert variants.client.get(urljoin(path, page["files"][1]["url"])).content == data


def test_a_profile_that_nothing_fits_sees_neither_selector_nor_source(variants: Any) -> None:
    assert variants.names("/cpu/x86_64_v1/simple/fast/") == ["fast-0.9-py3-none-any.whl"]


@pytest.mark.parametrize("token", ["nonsense", "x86_64_v3+" + "a" * 1100, "%00", "x86_64_v9"])
def test_a_token_that_cannot_be_read_gets_the_plain_view(variants: Any, token: str) -> None:
    assert variants.names(f"/cpu/{token}/simple/fast/") == ["fast-0.9-py3-none-any.whl", "fast-1.0.tar.gz"]
    assert variants.names(user_agent=pip_on(token)) == ["fast-0.9-py3-none-any.whl", "fast-1.0.tar.gz"]


def test_a_uv_that_knows_variants_sees_labels_and_their_properties(variants: Any) -> None:
    page = variants.page(user_agent=UV)
    labelled = [f"fast-1.0-{LINUX}-x86_64_{level}.whl" for level in ("v2", "v3")]
    names = [file["filename"] for file in page["files"]]
    assert sorted(names) == sorted(
        [*labelled, "fast-0.9-py3-none-any.whl", "fast-1.0-variants.json", "fast-1.0.tar.gz"]
    )
    entry = next(file for file in page["files"] if file["filename"] == "fast-1.0-variants.json")
    body = variants.client.get(urljoin("/simple/fast/", entry["url"])).json()
    assert set(body["variants"]) == {"x86_64_v2", "x86_64_v3"}
    for name in labelled:
        entry = next(file for file in page["files"] if file["filename"] == name)
        address = urljoin("/simple/fast/", entry["url"])
        assert variants.client.get(address).status_code == 200
        assert b"Name: fast" in variants.client.get(address + ".metadata").content


@pytest.mark.parametrize(
    "user_agent", ["uv/0.13.5 {}", "pip/20.3.4 {}", "poetry/2.1", "Mozilla/5.0", pip_on("x86_64_v4")]
)
def test_nobody_else_ever_sees_a_label(variants: Any, user_agent: str) -> None:
    assert not [name for name in variants.names(user_agent=user_agent) if "x86_64_v" in name or "variants" in name]


def test_a_page_without_a_selector_is_revalidated(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel())
    first = server.client.get("/simple/fast/")
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Accept, Accept-Encoding, User-Agent"
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    known = server.client.get("/simple/fast/", headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == first.headers["etag"]
    assert server.client.get("/simple/fast/", headers=JSON).headers["etag"] != first.headers["etag"]
    server.upload(make_wheel(version="1.1"))
    changed = server.client.get("/simple/fast/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert "fast-1.1" in changed.text


def test_a_page_for_one_cpu_may_be_shared(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel())
    answer = server.client.get("/cpu/x86_64_v3+aes/simple/fast/", headers=JSON)
    assert answer.headers["cache-control"] == "public, no-cache"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    other = server.client.get("/cpu/x86_64_v2/simple/fast/", headers=JSON)
    assert other.headers["etag"] == answer.headers["etag"], "no file needs what they differ in"


def test_a_large_page_is_sent_compressed_to_those_who_take_it(server: Any, make_wheel: Callable[..., Any]) -> None:
    for version in range(9):
        server.upload(make_wheel(version=f"1.{version}"))
    plain = server.client.get("/simple/fast/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    tags = {plain.headers["etag"]}
    for accepted, coding in (("gzip", "gzip"), ("gzip, deflate, zstd", "zstd")):
        packed = server.client.get("/simple/fast/", headers={"Accept-Encoding": accepted})
        assert packed.headers["content-encoding"] == coding
        assert int(packed.headers["content-length"]) < len(plain.content)
        assert packed.text == plain.text
        known = {"Accept-Encoding": accepted, "If-None-Match": packed.headers["etag"]}
        assert server.client.get("/simple/fast/", headers=known).status_code == 304
        tags.add(packed.headers["etag"])
    assert len(tags) == 3, "a strong tag is of one encoding (RFC 9110, section 8.8.3.3)"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_page_with_a_selector_is_compressed_as_well(
    variants: Any, make_wheel: Callable[..., Any], coding: str
) -> None:
    for version in range(9):
        variants.upload(make_wheel(version=f"0.{version}"))
    answer = variants.client.get("/simple/fast/", headers={**JSON, "Accept-Encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert "etag" not in answer.headers
    assert answer.json()["files"][-1]["filename"] == "fast-1.0.tar.gz"


@pytest.mark.parametrize("path", ["/simple/fast/", "/cpu/x86_64_v3/simple/fast/"])
def test_addresses_on_a_page_hold_for_every_root(server: Any, make_wheel: Callable[..., Any], path: str) -> None:
    _, data = make_wheel()
    server.upload(make_wheel())
    (entry,) = server.page(path)["files"]
    assert server.client.get(urljoin(path, entry["url"])).content == data


@pytest.mark.parametrize("path", ["/simple", "/simple/fast", "/cpu/x86_64_v3/simple", "/cpu/x86_64_v3/simple/fast"])
def test_an_address_without_its_slash_leads_to_the_one_with_it(
    server: Any, make_wheel: Callable[..., Any], path: str
) -> None:
    server.upload(make_wheel())
    answer = server.client.get(path, headers=JSON)
    assert answer.status_code == 301
    assert urljoin(path, answer.headers["location"]) == f"{path}/"
    assert not answer.headers["location"].startswith("/"), "relative: it holds behind a proxy's prefix"
    assert server.client.get(path, headers=JSON, follow_redirects=True).json()["meta"] == {"api-version": "1.4"}
    with_format = server.client.get(path, params={"format": "text/html"})
    assert urljoin(path, with_format.headers["location"]) == f"{path}/?format=text%2Fhtml"


def test_nothing_is_built_from_the_host_header(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v3")
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    page = server.client.get("/simple/fast/", headers={**JSON, **evil})
    content = server.client.get(urljoin("/simple/fast/", page.json()["files"][0]["url"]), headers=evil).content
    assert b"evil" not in page.content
    assert b"evil" not in gzip.decompress(content)
    assert f"http://127.0.0.1:{server.settings.port}/files/".encode() in gzip.decompress(content)
    redirect = server.client.get("/simple/Fast/", headers=evil)
    assert "evil" not in redirect.headers["location"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/simple/Fast_Thing/", "/simple/fast-thing/"),
        ("/simple/Fast_Thing", "/simple/fast-thing/"),
        ("/cpu/x86_64_v3/simple/FAST/", "/cpu/x86_64_v3/simple/fast/"),
    ],
)
def test_a_name_in_another_form_is_redirected_to_its_normal_form(server: Any, path: str, target: str) -> None:
    answer = server.client.get(path)
    assert answer.status_code == 301
    assert urljoin(path, answer.headers["location"]) == target


@pytest.mark.parametrize("name", ["unknown", "-x-", "%0d%0aSet-Cookie", "%2e%2e", "x" * 5000])
def test_an_unknown_project_is_404(server: Any, name: str) -> None:
    answer = server.client.get(f"/simple/{name}/", headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


def test_the_index_lists_the_projects(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel())
    server.upload(make_wheel(name="slow"))
    for path in ("/simple/", "/cpu/x86_64_v3/simple/"):
        answer = server.client.get(path, headers=JSON)
        assert answer.json()["projects"] == [{"name": "fast"}, {"name": "slow"}]
        assert server.client.get(path, headers={**JSON, "If-None-Match": answer.headers["etag"]}).status_code == 304
    assert "public" in server.client.get("/cpu/x/simple/").headers["cache-control"]


def test_a_head_has_the_headers_and_no_body(variants: Any) -> None:
    answer = variants.client.head("/simple/fast/", headers=JSON)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_a_format_that_nobody_serves_is_406(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel())
    answer = server.client.get("/simple/fast/", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable")


def test_the_answer_that_there_is_no_such_format_lists_those_that_there_are(server: Any) -> None:
    for answer in (
        server.client.get("/simple/", headers={"Accept": "image/png"}),
        server.client.get("/simple/", params={"format": "image/png"}),
    ):
        assert answer.status_code == 406
        for there in ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html", "text/html"):
            assert there in answer.text


@pytest.mark.parametrize("path", ["/simple/", "/simple/fast/", "/cpu/x86_64_v3/simple/", "/cpu/x86_64_v3/simple/fast/"])
@pytest.mark.parametrize(
    ("named", "sent"),
    [
        ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+json"),
        ("application/vnd.pypi.simple.latest+json", "application/vnd.pypi.simple.v1+json"),
        ("application/vnd.pypi.simple.latest+html", "application/vnd.pypi.simple.v1+html"),
        ("text/html", "text/html; charset=utf-8"),
    ],
)
def test_the_format_may_stand_in_the_address(
    server: Any, make_wheel: Callable[..., Any], path: str, named: str, sent: str
) -> None:
    server.upload(make_wheel())
    # as a person types it, and as a program quotes it
    for query in (f"?format={named}", f"?format={quote(named, safe='')}"):
        answer = server.client.get(path + query, headers={"Accept": "image/png"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, sent)
    entry = server.client.get(path, params={"format": "application/vnd.pypi.simple.v1+json"}).json().get("files", [])
    assert not any("?" in file["url"] for file in entry)


def test_a_page_has_the_serial_of_its_project(server: Any, make_wheel: Callable[..., Any]) -> None:
    def serial(**headers: str) -> int:
        answer = server.client.get("/simple/fast/", headers=headers)
        assert int(answer.headers["x-pypi-last-serial"]) == server.home.catalog.serial("fast")
        return int(answer.headers["x-pypi-last-serial"])

    server.upload(make_wheel())
    before = serial()
    assert serial(**{"If-None-Match": "*"}) == before, "also where the client has the page"
    server.upload(make_wheel(version="1.1"))
    assert serial() > before
    assert "x-pypi-last-serial" not in server.client.get("/simple/").headers


def test_every_address_that_is_read_answers_head_as_well() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    paths = {method: {route.path for route in routes if method in (route.methods or ())} for method in ("GET", "HEAD")}
    assert paths["GET"] == paths["HEAD"]


def test_the_variants_file_follows_the_release(variants: Any, make_wheel: Callable[..., Any]) -> None:
    def labels() -> tuple[str, set[str]]:
        files = {file["filename"]: file["url"] for file in variants.page(user_agent=UV)["files"]}
        url = urljoin("/simple/fast/", files["fast-1.0-variants.json"])
        return url, set(variants.client.get(url).json()["variants"])

    old, before = labels()
    variants.upload(make_wheel(tags=LINUX, native=True, extra=b"v4"), cpufit_needs="x86_64_v4")
    new, after = labels()
    assert after - before == {"x86_64_v4"}
    assert old != new
    assert variants.client.get(old).status_code == 200


def test_pages_survive_a_restart(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", public_url="https://index.example") as server:
        server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v3")
        (before,) = server.page()["files"]
    with run_server(tmp_path / "home", public_url="https://index.example") as server:
        (after,) = server.page()["files"]
        assert after["hashes"] == before["hashes"], "the same release makes the same selector"
        assert server.client.get(urljoin("/simple/fast/", before["url"])).status_code == 200


def test_many_first_readers_at_once_see_one_selector_and_one_variants_file(variants: Any) -> None:
    def read(number: int) -> dict[str, str]:
        page = variants.page(user_agent=UV if number % 2 else "pip/26.3")
        return {file["filename"]: file["hashes"]["sha256"] for file in page["files"]}

    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(read, range(16)))
    for name in ("fast-1.0.tar.gz", "fast-1.0-variants.json"):
        assert len({page[name] for page in pages if name in page}) == 1
    kinds = [derived.kind for derived in variants.home.catalog.derived("fast")]
    assert (kinds.count("selector"), kinds.count("variants-json")) == (1, 1)


def test_a_selector_that_is_made_costs_no_look_into_the_store_again(variants: Any) -> None:
    variants.page()
    for digest in {file.metadata_sha256 for file in variants.home.catalog.files("fast") if file.kind == "wheel"}:
        variants.home.blobs.path(digest).unlink()
    assert variants.client.get("/simple/fast/", headers={"Accept": "text/html"}).status_code == 200


def test_the_list_of_projects_is_kept_until_one_comes_or_goes(
    server: Any, make_wheel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[object] = []
    real = pages.render

    def counting(page: Any, *rest: Any, **named: Any) -> Any:
        rendered.append(page)
        return real(page, *rest, **named)

    monkeypatch.setattr(pages, "render", counting)

    def listed() -> list[str]:
        answer = server.client.get("/simple/", headers=JSON)
        return [project["name"] for project in answer.json()["projects"]]

    assert listed() == listed() == []
    assert server.upload(make_wheel(name="one")).status_code == 200
    assert listed() == listed() == ["one"]
    assert server.upload(make_wheel(name="another")).status_code == 200
    assert listed() == listed() == ["another", "one"]
    assert len(rendered) == 3
