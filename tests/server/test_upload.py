"""An upload is answered by its form, its name, its file and its token; what is refused leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import stored_nothing

LINUX = "cp311-cp311-manylinux_2_17_x86_64"


def test_an_uploaded_wheel_is_listed_and_comes_back_as_it_went_in(server: Any, make_wheel: Callable[..., Any]) -> None:
    filename, data = make_wheel()
    digests = {
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
        "md5_digest": hashlib.md5(data).hexdigest().upper(),
    }
    answer = server.upload((filename, data), filetype="bdist_wheel", name="Fast", version="1.0.0", **digests)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["status"], body["verdict"], body["need"]) == ("new", "known", {})
    assert "hint" not in body
    assert body["sha256"] == digests["sha256_digest"]
    (entry,) = server.page()["files"]
    assert server.client.get(f"/simple/fast/{entry['url']}").content == data


def test_the_same_file_again_changes_nothing(server: Any, make_wheel: Callable[..., Any]) -> None:
    file = make_wheel()
    assert server.upload(file).json()["status"] == "new"
    serial = server.home.catalog.serial("fast")
    again = server.upload(file)
    assert (again.status_code, again.json()["status"]) == (200, "same")
    assert server.home.catalog.serial("fast") == serial


def test_other_bytes_under_a_taken_name_are_a_conflict(server: Any, make_wheel: Callable[..., Any]) -> None:
    server.upload(make_wheel())
    answer = server.upload(make_wheel(extra=b"#"))
    assert (answer.status_code, answer.json()["code"]) == (409, "file-already-exists")
    assert answer.json()["message"].startswith("File already exists")


@pytest.mark.parametrize("way", ["field", "query", "both"])
def test_a_need_is_declared_in_a_field_or_in_the_query(server: Any, make_wheel: Callable[..., Any], way: str) -> None:
    need = "x86_64_v2+avx+f16c"
    fields = {"cpufit_needs": need} if way != "query" else {}
    params = {"cpufit_needs": need} if way != "field" else None
    answer = server.upload(make_wheel(tags=LINUX, native=True), params=params, **fields)
    assert answer.json()["need"] == {"x86_64": {"import": need, "use": need}}


def test_field_and_query_may_not_declare_different_needs(server: Any, make_wheel: Callable[..., Any]) -> None:
    answer = server.upload(
        make_wheel(tags=LINUX, native=True), params={"cpufit_needs": "x86_64_v2"}, cpufit_needs="x86_64_v3"
    )
    assert (answer.status_code, answer.json()["where"]) == (400, "cpufit_needs")
    assert stored_nothing(server)


def test_native_code_without_a_need_is_kept_and_said_to_be_unknown(server: Any, make_wheel: Callable[..., Any]) -> None:
    body = server.upload(make_wheel(tags=LINUX, native=True)).json()
    assert (body["verdict"], body["need"]) == ("unknown", None)
    assert body["hint"].startswith("nobody knows which CPU features it needs")
    assert server.names() == []


def test_a_source_distribution_is_taken_and_its_declared_need_read_past(
    server: Any, make_sdist: Callable[..., Any]
) -> None:
    answer = server.upload(make_sdist(), filetype="sdist", params={"cpufit_needs": "x86_64_v3"})
    assert answer.status_code == 200, answer.text
    assert "hint" not in answer.json()
    assert server.names() == ["fast-1.0.tar.gz"]


@pytest.mark.parametrize(
    ("fields", "where", "code"),
    [
        ({"sha256_digest": "0" * 64}, "sha256_digest", "digest-mismatch"),
        ({"blake2_256_digest": "0" * 64}, "blake2_256_digest", "digest-mismatch"),
        ({"md5_digest": "0" * 32}, "md5_digest", "digest-mismatch"),
        ({"md5_digest": "ö"}, "md5_digest", "invalid-digest"),
        ({"sha256_digest": "0" * 63}, "sha256_digest", "invalid-digest"),
        ({"blake2_256_digest": "g" * 64}, "blake2_256_digest", "invalid-digest"),
        ({"name": "-fast"}, "name", "invalid-project-name"),
        ({"name": "fast\u0301"}, "name", "invalid-project-name"),
        ({"pyversion": "source"}, "pyversion", "invalid-form"),
        ({"pyversion": "py3"}, "pyversion", "invalid-form"),
        ({"pyversion": "cp311.cp312"}, "pyversion", "invalid-form"),
        ({"requires_python": ">=3.9"}, "requires_python", "metadata-mismatch"),
        ({"requires_python": "three"}, "requires_python", "metadata-mismatch"),
        ({"requires_dist": "numpy"}, "requires_dist", "metadata-mismatch"),
        ({"requires_dist": "???"}, "requires_dist", "metadata-mismatch"),
        ({"provides_extra": "fast"}, "provides_extra", "metadata-mismatch"),
        ({"attestations": "[]"}, "attestations", "invalid-attestation"),
        ({"name": "slow"}, "name", "metadata-mismatch"),
        ({"version": "1.1"}, "version", "metadata-mismatch"),
        ({"version": "one"}, "version", "metadata-mismatch"),
        ({"filetype": "sdist"}, "filetype", "invalid-form"),
        ({"protocol_version": "2"}, "protocol_version", "invalid-form"),
        ({":action": "verify"}, ":action", "unsupported-action"),
        ({"cpufit_needs": "x86_64_v9"}, None, "unknown-cpu-feature"),
    ],
)
def test_a_form_that_contradicts_its_file_is_refused_and_nothing_stored(
    server: Any, make_wheel: Callable[..., Any], fields: dict[str, str], where: str | None, code: str
) -> None:
    answer = server.upload(make_wheel(tags=LINUX, native=True), **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    if where is not None:
        assert answer.json()["where"] == where
    assert answer.headers["content-type"] == "application/json"
    assert stored_nothing(server)


@pytest.mark.parametrize("action", ["submit", "submit_pkg_info", "doc_upload"])
def test_what_the_api_did_in_former_times_is_gone(server: Any, make_wheel: Callable[..., Any], action: str) -> None:
    answer = server.upload(make_wheel(), **{":action": action})
    assert (answer.status_code, answer.json()["code"]) == (410, "action-gone")
    assert stored_nothing(server)


@pytest.mark.parametrize(
    ("tags", "python"),
    [("py2.py3-none-any", "py2.py3"), ("py2.py3-none-any", "py3"), ("cp311-abi3-win32", "CP311"), (LINUX, "3.11")],
)
def test_the_python_of_a_wheel_is_told_in_every_way_that_tools_have(
    server: Any, make_wheel: Callable[..., Any], tags: str, python: str
) -> None:
    assert server.upload(make_wheel(tags=tags), pyversion=python).status_code == 200


@pytest.mark.parametrize(("fields", "status"), [({"pyversion": "source"}, 200), ({}, 200), ({"pyversion": "py3"}, 400)])
def test_the_python_of_a_source_distribution_is_source_or_left_out(
    server: Any, make_sdist: Callable[..., Any], fields: dict[str, str], status: int
) -> None:
    assert server.upload(make_sdist(), **fields).status_code == status


def test_a_form_may_spell_what_metadata_says_in_its_own_way(server: Any, make_wheel: Callable[..., Any]) -> None:
    wheel = make_wheel(requires=("Foo_Bar[b,a]>=1,<2", "baz; python_version < '3.9'"), requires_python=">=3.8,<4")
    answer = server.client.post(
        "/legacy/",
        data={
            "requires_dist": ['baz; python_version<"3.9"', "foo-bar[a,b] (<2,>=1)"],
            "requires_python": "<4, >=3.8",
            "name": "FAST",
        },
        files={"content": wheel},
        auth=("__token__", server.token),
    )
    assert answer.status_code == 200, answer.text


def test_an_index_may_ask_for_a_digest(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", require_digest=True) as server:
        filename, data = make_wheel()
        answer = server.upload((filename, data))
        assert (answer.status_code, answer.json()["code"]) == (400, "digest-required")
        assert server.upload((filename, data), md5_digest=hashlib.md5(data).hexdigest()).status_code == 200


def test_an_index_may_take_no_uploads(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", uploads=False) as server:
        answer = server.upload(make_wheel())
        assert (answer.status_code, answer.json()["code"]) == (403, "uploads-disabled")
        assert stored_nothing(server)


def test_asking_for_the_upload_address_says_what_it_is(server: Any) -> None:
    for path in ("/legacy/", "/legacy"):
        answer = server.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "/simple/" in answer.json()["hint"]


@pytest.mark.parametrize(
    ("filename", "code"),
    [
        ("../fast-1.0-py3-none-any.whl", "invalid-wheel-name"),
        ("..\\fast-1.0-py3-none-any.whl", "invalid-wheel-name"),
        ("/etc/fast-1.0-py3-none-any.whl", "invalid-wheel-name"),
        ("fast-1.0-py3-none-any.exe", "invalid-wheel-name"),
        ("", "invalid-wheel-name"),
        ("fast-1.0.zip", "invalid-wheel-name"),
        ("fast-1.0-py3-none-any-own_label.whl", "variant-metadata-missing"),
        ("slow-1.0-py3-none-any.whl", "dist-info-mismatch"),
    ],
)
def test_a_name_that_is_not_the_files_is_refused_and_nothing_stored(
    server: Any, make_wheel: Callable[..., Any], filename: str, code: str
) -> None:
    _, data = make_wheel()
    answer = server.client.post(
        "/legacy/",
        content=(
            b'--b\r\nContent-Disposition: form-data; name="content"; filename="' + filename.encode() + b'"\r\n\r\n'
        )
        + data
        + b"\r\n--b--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=b", "Authorization": f"Bearer {server.token}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert stored_nothing(server)


def test_what_is_no_archive_is_refused_and_nothing_stored(server: Any) -> None:
    answer = server.upload(("fast-1.0-py3-none-any.whl", b"not a zip"))
    assert (answer.status_code, answer.json()["code"]) == (400, "not-a-wheel")
    assert stored_nothing(server)


def test_metadata_of_another_project_is_refused(server: Any, make_wheel: Callable[..., Any]) -> None:
    answer = server.upload(make_wheel(metadata_name="slow"))
    assert (answer.status_code, answer.json()["code"]) == (400, "metadata-mismatch")
    assert stored_nothing(server)


def test_no_token_is_401_and_says_how(server: Any, make_wheel: Callable[..., Any]) -> None:
    for headers in ({}, {"Authorization": "Basic !!!"}, {"Authorization": "Digest x"}):
        answer = server.client.post("/legacy/", files={"content": make_wheel()}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication-required")
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert "__token__" in answer.json()["hint"]
    assert stored_nothing(server)


def test_a_wrong_or_revoked_token_is_403(server: Any, make_wheel: Callable[..., Any]) -> None:
    answer = server.upload(make_wheel(), token="cpufit-" + "x" * 43)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-not-valid")
    (grant,) = server.home.catalog.tokens()
    server.home.catalog.revoke_token(grant.id)
    assert server.upload(make_wheel()).json()["code"] == "token-not-valid"
    assert stored_nothing(server)


def test_a_token_of_one_project_opens_no_other(server: Any, make_wheel: Callable[..., Any]) -> None:
    token = server.home.catalog.create_token(("slow",), "for slow alone")
    answer = server.upload(make_wheel(), token=token)
    assert (answer.status_code, answer.json()["code"]) == (403, "token-not-for-project")
    assert server.upload(make_wheel(name="slow"), token=token).status_code == 200


def test_both_addresses_are_served_and_the_pages_take_no_upload(server: Any, make_wheel: Callable[..., Any]) -> None:
    file = {"content": make_wheel()}
    auth = ("__token__", server.token)
    assert server.client.post("/legacy", files=file, auth=auth).status_code == 200
    answer = server.client.post("/simple/", files=file, auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert "/legacy/" in answer.json()["hint"]


def test_a_client_that_prefers_text_reads_one_line(server: Any, make_wheel: Callable[..., Any]) -> None:
    answer = server.client.post("/legacy/", files={"content": make_wheel()}, headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1
    assert "[authentication-required]" in answer.text


def test_uv_publish_reads_the_sentence_and_not_the_code_alone(server: Any, make_wheel: Callable[..., Any]) -> None:
    accept = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
    headers = {"Accept": accept, "User-Agent": 'uv/0.13.9 {"installer":{"name":"uv"}}'}
    answer = server.client.post("/legacy/", files={"content": make_wheel()}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert "this needs a token" in answer.text


@pytest.mark.parametrize("files", [{}, {"content": ("a.whl", b"")}, {"other": ("a-1.0-py3-none-any.whl", b"")}])
def test_every_refused_form_comes_with_a_hint(server: Any, files: dict[str, Any]) -> None:
    answer = server.client.post(
        "/legacy/", data={"name": "a"}, files=files, headers={"Authorization": f"Bearer {server.token}"}
    )
    assert answer.status_code == 400
    assert answer.json()["hint"]
