"""How a selector speaks HTTP: credentials, redirects, certificates, broken connections. Real sockets on loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.loopback import listening

from cpufit_pip_plugin.selector.backend import download
from cpufit_pip_plugin.selector.backend.credentials import Credentials, from_environment, from_netrc
from cpufit_pip_plugin.selector.backend.failures import DownloadFailed, WrongBytes
from cpufit_pip_plugin.selector.backend.release import RemoteFile
from cpufit_pip_plugin.selector.backend.transport import BrokenConnection, Transport, may_follow, timeout_from

BODY = bytes(range(256)) * 4096
FILE = "demo-1.0-py3-none-any.whl"


@dataclass
class Site:
    """A server that breaks off, redirects and asks for credentials as a test wants it."""

    url: str = ""
    breaks: list[int] = field(default_factory=list)
    """How many bytes the next answers give before the connection breaks."""
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    authorization: str = ""
    etag: str = '"tag"'
    seen: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.seen.append(dict(self.headers) | {"path": self.path})
            if made.statuses:
                self.send_error(made.statuses.pop(0))
            elif made.redirect and self.path != "/moved":
                self.send_response(302)
                self.send_header("Location", made.redirect)
                self.end_headers()
            elif made.authorization and self.headers.get("Authorization") != made.authorization:
                self.send_error(401)
            else:
                self.give()

        def give(self) -> None:
            start = 0
            span = self.headers.get("Range")
            if span and self.headers.get("If-Range") == made.etag:
                start = int(span.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
            else:
                self.send_response(200)
            self.send_header("ETag", made.etag)
            self.send_header("Content-Length", str(len(BODY) - start))
            self.end_headers()
            end = start + made.breaks.pop(0) if made.breaks else len(BODY)
            self.wfile.write(BODY[start:end])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            pass

    with listening(Handler) as made.url:
        yield made


def transport(site: Site, tmp_path: Path, **environ: str) -> Transport:
    return Transport(site.url, {"NETRC": str(tmp_path / "netrc"), "PATH": ""} | environ)


def remote(site: Site, **other: object) -> RemoteFile:
    facts: dict[str, object] = {
        "filename": FILE,
        "url": f"{site.url}/{FILE}",
        "sha256": hashlib.sha256(BODY).hexdigest(),
        "size": len(BODY),
    }
    return RemoteFile(**(facts | other))  # type: ignore[arg-type]  # the values have the types of their fields


def fetch(site: Site, tmp_path: Path, file: RemoteFile | None = None, **environ: str) -> list[str]:
    told: list[str] = []
    (tmp_path / "out").mkdir(exist_ok=True)
    path = download.fetch(transport(site, tmp_path, **environ), file or remote(site), tmp_path / "out", told.append)
    assert path.read_bytes() == BODY
    return told


def left_in(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "out").iterdir()]


def test_a_file_appears_whole_under_its_own_name(site: Site, tmp_path: Path) -> None:
    told = fetch(site, tmp_path)
    assert left_in(tmp_path) == [FILE]
    assert told[0] == f"downloading {FILE} (1.0 MB)"


def test_a_broken_connection_goes_on_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    site.breaks = [600_000, 300_000]
    told = fetch(site, tmp_path)
    assert [request.get("Range") for request in site.seen] == [None, "bytes=600000-", "bytes=900000-"]
    assert all(request.get("If-Range") == '"tag"' for request in site.seen[1:])
    assert sum("trying again" in line for line in told) == 2


def test_without_a_strong_tag_a_broken_file_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.etag = 'W/"tag"'
    site.breaks = [600_000]
    fetch(site, tmp_path)
    assert [request.get("Range") for request in site.seen] == [None, None]


def test_a_file_that_changed_in_between_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    site.breaks = [600_000]
    told: list[str] = []

    def change(line: str) -> None:
        told.append(line)
        if "trying again" in line:
            site.etag = '"another"'

    (tmp_path / "out").mkdir()
    path = download.fetch(transport(site, tmp_path), remote(site), tmp_path / "out", change)
    assert path.read_bytes() == BODY


def test_four_broken_connections_are_enough(site: Site, tmp_path: Path) -> None:
    site.breaks = [10, 10, 10, 10, 10]
    with pytest.raises(DownloadFailed, match="broke 4 times"):
        fetch(site, tmp_path)
    assert len(site.seen) == 4
    assert left_in(tmp_path) == []


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.statuses = [503, 502]
    fetch(site, tmp_path)
    assert len(site.seen) == 3


def test_a_missing_file_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    site.statuses = [404]
    with pytest.raises(DownloadFailed, match=f"answered 404 for /{FILE}"):
        fetch(site, tmp_path)
    assert len(site.seen) == 1


@pytest.mark.parametrize("wrong", [{"sha256": "0" * 64}, {"size": 100}])
def test_other_bytes_than_promised_leave_nothing(site: Site, tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(WrongBytes):
        fetch(site, tmp_path, remote(site, **wrong))
    assert left_in(tmp_path) == []


def test_metadata_is_held_against_its_hash(site: Site, tmp_path: Path) -> None:
    client = transport(site, tmp_path)
    right = hashlib.sha256(BODY).hexdigest()
    assert download.fetch_bytes(client, f"{site.url}/m", right, "the metadata") == BODY
    with pytest.raises(WrongBytes, match="the metadata has another SHA-256"):
        download.fetch_bytes(client, f"{site.url}/m", "0" * 64, "the metadata")


def test_an_unreachable_index_is_named_without_its_path(tmp_path: Path) -> None:
    client = Transport("http://127.0.0.1:9", {"NETRC": str(tmp_path / "none")})
    with pytest.raises(BrokenConnection, match=r"^http://127\.0\.0\.1:9: "):
        client.get("http://127.0.0.1:9/files/a")


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({"CPUFIT_TOKEN": "secret"}, Credentials("__token__", "secret")),
        ({"CPUFIT_USERNAME": "me", "CPUFIT_PASSWORD": "pässword"}, Credentials("me", "pässword")),
    ],
)
def test_credentials_from_the_environment_go_to_the_index(
    site: Site, tmp_path: Path, environ: dict[str, str], sent: Credentials
) -> None:
    site.authorization = sent.header
    told = fetch(site, tmp_path, None, **environ)
    assert [request["Authorization"] for request in site.seen] == [sent.header]
    assert sent.secret not in "".join(told) + repr(sent)


def test_credentials_from_netrc_come_after_the_environment(site: Site, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    site.authorization = Credentials("me", "hidden").header
    fetch(site, tmp_path)
    environ = {"NETRC": str(netrc), "CPUFIT_TOKEN": "secret"}
    assert from_netrc("127.0.0.1", environ) == Credentials("me", "hidden")
    assert from_netrc("another.example", environ) is None
    assert from_environment(environ) == Credentials("__token__", "secret")


def test_credentials_go_to_no_other_origin(site: Site, tmp_path: Path) -> None:
    elsewhere = Transport("http://localhost:1", {"CPUFIT_TOKEN": "secret", "NETRC": str(tmp_path / "none")})
    elsewhere.get(f"{site.url}/file").close()
    assert "Authorization" not in site.seen[0]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for keyring is a shell script")
def test_the_keyring_command_is_asked_once_and_only_after_a_401(site: Site, tmp_path: Path) -> None:
    command = tmp_path / "keyring"
    command.write_text(f'#!/bin/sh\necho "$*" >> "{tmp_path}/asked"\n[ "$2" = 127.0.0.1 ] && echo hidden\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    fetch(site, tmp_path, PATH=str(tmp_path))
    assert not (tmp_path / "asked").exists()
    site.authorization = Credentials("__token__", "hidden").header
    client = transport(site, tmp_path, PATH=str(tmp_path))
    client.get(f"{site.url}/a").close()
    client.get(f"{site.url}/b").close()
    assert (tmp_path / "asked").read_text().splitlines() == [f"get {site.url} __token__", "get 127.0.0.1 __token__"]


def test_a_401_without_credentials_says_how_to_give_them(site: Site, tmp_path: Path) -> None:
    site.authorization = "Basic never"
    with pytest.raises(DownloadFailed, match="CPUFIT_TOKEN") as caught:
        fetch(site, tmp_path, CPUFIT_TOKEN="secret")
    assert "secret" not in str(caught.value)


def test_a_redirect_on_the_same_origin_is_followed(site: Site, tmp_path: Path) -> None:
    site.redirect = "/moved"
    fetch(site, tmp_path, CPUFIT_TOKEN="secret")
    assert [request["path"] for request in site.seen] == [f"/{FILE}", "/moved"]


@pytest.mark.parametrize("address", ["http://[", "http://index.example:99999/x"])
def test_a_redirect_to_no_address_is_refused_with_a_sentence(site: Site, tmp_path: Path, address: str) -> None:
    site.redirect = address
    with pytest.raises(DownloadFailed):
        fetch(site, tmp_path)
    assert left_in(tmp_path) == []


def test_a_redirect_to_another_host_is_refused(site: Site, tmp_path: Path) -> None:
    site.redirect = site.url.replace("127.0.0.1", "localhost") + "/moved"
    with pytest.raises(DownloadFailed, match="a selector does not follow"):
        fetch(site, tmp_path)
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("old", "new", "follow"),
    [
        ("https://a.example/x", "https://a.example:443/y", True),
        ("http://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "https://b.example/x", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("http://a.example:8000/x", "https://a.example/x", False),
        ("https://a.example/x", "file:///etc/passwd", False),
    ],
)
def test_which_redirects_are_followed(old: str, new: str, follow: bool) -> None:
    assert may_follow(old, new) is follow


def test_another_scheme_than_http_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="not an http or https URL"):
        transport(site, tmp_path).get("file:///etc/passwd")


@pytest.mark.parametrize("text", ["soon", "-1", "0", "nan", "inf"])
def test_a_timeout_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DownloadFailed, match="CPUFIT_TIMEOUT"):
        timeout_from({"CPUFIT_TIMEOUT": text})
    assert (timeout_from({"CPUFIT_TIMEOUT": "2.5"}), timeout_from({})) == (2.5, 60.0)


def test_a_certificate_file_that_is_missing_is_named_by_its_variable(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match="REQUESTS_CA_BUNDLE"):
        transport(site, tmp_path, REQUESTS_CA_BUNDLE=str(tmp_path / "none.pem"))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    place = tmp_path / "certificate.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    extra = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}.key", "-out", str(place)]
    subprocess.run([openssl, *request, *extra], check=True, capture_output=True)
    return place


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_certificates_that_pip_was_told_to_trust_are_trusted(
    site: Site, tmp_path: Path, certificate: Path, variable: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, f"{certificate}.key")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"safe")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Stay silent about the client that refuses the certificate: this is what is wanted."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        trusting = Transport(url, {variable: str(certificate), "NETRC": str(tmp_path / "none")})
        with trusting.get(f"{url}/") as response:
            assert response.read() == b"safe"
        with pytest.raises(DownloadFailed, match="does not trust") as caught:
            Transport(url, {"NETRC": str(tmp_path / "none")}).get(f"{url}/")
        assert "PIP_CERT or SSL_CERT_FILE" in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()
