"""The legacy upload protocol: what PyPI's documentation says of it, and what twine, uv and Poetry rely on.

No specification says MUST here. A requirement is MUST where a client breaks, or bytes could be served that nobody
uploaded, if it does not hold; SHOULD where a client or its user is left with less than it could have.
"""

from __future__ import annotations

import httpx
import pytest

from .artifacts import Artifact, Part, form_of, make_sdist, make_wheel, metadata_of
from .index import JSON, PLAIN_HTML, Index
from .pages import HtmlPage, Listed, files_in_html, files_in_json, json_object
from .scores import must, should
from .seeding import Seeds, Uploads

DOCS = "docs.pypi.org, Upload API"


class Bench:
    """A project of its own to upload to, with fresh versions."""

    def __init__(self, index: Index, uploads: Uploads, project: str, base: int) -> None:
        self._index = index
        self.uploads = uploads
        self.project = project
        self._base, self._count = base, 0

    def version(self) -> str:
        """Return a version that nobody used."""
        self._count += 1
        return f"{self._base}.{self._count}"

    def wheel(self) -> Artifact:
        """Return a wheel that was never uploaded."""
        return make_wheel(self.project, self.version())

    def listed(self) -> dict[str, Listed]:
        """Return what the project's page lists; nothing where there is no page."""
        answer = self._index.page(self.project, accept=f"{JSON}, {PLAIN_HTML};q=0.1")
        if answer.status == 404:
            return {}
        if answer.media_type == JSON:
            files = files_in_json(json_object(answer), answer.url)
        else:
            files = files_in_html(HtmlPage(answer))
        return {file.filename: file for file in files}

    def bytes_of(self, filename: str) -> bytes:
        """Download a file by its page."""
        return self._index.ask(self.listed()[filename].url).body

    def refuses(self, parts: list[Part], *filenames: str) -> httpx.Response:
        """Upload a form that must be refused, and see that it left no file."""
        answer = self.uploads.send(parts)
        assert 400 <= answer.status_code < 500, f"the answer is {answer.status_code}"
        assert set(filenames).isdisjoint(self.listed()), "refused, and listed all the same"
        return answer


@pytest.fixture(scope="module")
def bench(index: Index, uploads: Uploads, seeds: Seeds, base: int) -> Bench:
    """Where these tests upload to."""
    return Bench(index, uploads, f"{seeds.project}-uploads", base)


@pytest.fixture(scope="module")
def stored(bench: Bench) -> Artifact:
    """A wheel that the index has."""
    sent = bench.uploads.put(bench.wheel())
    assert sent.taken, f"an ordinary wheel is answered {sent.answer.status_code}: {sent.answer.text[:200]}"
    return sent.artifact


@must("Upload", DOCS, "a wheel is accepted")
def test_a_wheel_is_taken(stored: Artifact, bench: Bench) -> None:
    assert bench.bytes_of(stored.filename) == stored.data


@must("Upload", DOCS, "a source distribution is accepted")
def test_a_source_distribution_is_taken(bench: Bench) -> None:
    sdist = make_sdist(bench.project, bench.version())
    assert bench.uploads.put(sdist).taken
    assert bench.bytes_of(sdist.filename) == sdist.data


@should("Upload", DOCS, "success is 200")
def test_success_is_200(bench: Bench) -> None:
    # twine takes any other status below 300 for a warning, or for worse
    assert bench.uploads.put(bench.wheel()).answer.status_code == 200


@must("Upload", "pip, uv", "what was accepted is on the page at once")
def test_a_file_is_listed_at_once(bench: Bench) -> None:
    before = bench.listed()
    sent = bench.uploads.put(bench.wheel())
    assert set(bench.listed()) == {*before, sent.artifact.filename}


@must("Upload", "uv publish", "parts come in any order; the file without a Content-Type")
def test_a_form_of_uv_is_taken(bench: Bench) -> None:
    wheel = bench.wheel()
    assert bench.uploads.send(form_of(wheel, order="uv")).is_success
    assert wheel.filename in bench.listed()


@must("Upload", "twine", "the upload address is not redirected")
def test_the_address_is_not_redirected(bench: Bench) -> None:
    assert not bench.uploads.put(bench.wheel()).answer.is_redirect


@must("Upload", DOCS, "only one of the digests is required")
@pytest.mark.parametrize("digest", ["sha256_digest", "blake2_256_digest"])
def test_one_digest_is_enough(bench: Bench, digest: str) -> None:
    others = {name: None for name in ("sha256_digest", "blake2_256_digest") if name != digest}
    assert bench.uploads.send(form_of(bench.wheel(), fields=others)).is_success


@should("Upload", "twine, uv publish", "a form of 1,200 fields and a README of half a megabyte is accepted")
def test_large_metadata_is_taken(bench: Bench) -> None:
    parts = form_of(bench.wheel(), fields={"description": "A line of a long README.\n" * 20_000})
    many = [Part(name="classifiers", data=f"Private :: {number}".encode()) for number in range(1200)]
    assert bench.uploads.send([*many, *parts]).is_success


@must("Upload", "PyPI", "the same file again is accepted, and changes nothing")
def test_the_same_file_again_is_taken(bench: Bench, stored: Artifact) -> None:
    before = set(bench.listed())
    assert bench.uploads.put(stored).taken
    assert set(bench.listed()) == before
    assert bench.bytes_of(stored.filename) == stored.data


@must("Upload", "PyPI", "a file's name is never given to other bytes")
def test_other_bytes_under_a_taken_name_are_refused(bench: Bench, stored: Artifact) -> None:
    other = make_wheel(stored.project, stored.version)
    answer = bench.uploads.put(other).answer
    assert 400 <= answer.status_code < 500, f"the answer is {answer.status_code}"
    assert bench.bytes_of(stored.filename) == stored.data


@should("Upload", "twine, Poetry", "a taken name is 409, or 400 with 'already exist'")
def test_a_taken_name_is_told_so_that_clients_understand(bench: Bench, stored: Artifact) -> None:
    answer = bench.uploads.put(make_wheel(stored.project, stored.version)).answer
    told = f"{answer.reason_phrase} {answer.text}".lower()
    assert answer.status_code == 409 or (answer.status_code == 400 and "already exist" in told)


@must("Upload", DOCS, "a digest that is not that of the file is refused")
@pytest.mark.parametrize("digest", ["sha256_digest", "blake2_256_digest"])
def test_a_wrong_digest_is_refused(bench: Bench, digest: str) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={digest: "0" * 64}), wheel.filename)


@must("Upload", DOCS, "md5_digest, where given, is compared too")
def test_a_wrong_md5_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={"md5_digest": "0" * 32}), wheel.filename)


@must("Upload", "PyPI", "without a valid user nothing is accepted")
def test_nobody_may_upload(bench: Bench) -> None:
    wheel = bench.wheel()
    answer = bench.uploads.send(form_of(wheel), auth=None)
    assert answer.status_code in (401, 403), f"the answer is {answer.status_code}"
    assert wheel.filename not in bench.listed()


@should("Upload", "RFC 9110 §11.6.1", "who says no user gets 401 with WWW-Authenticate")
def test_who_is_missing_is_asked_for(bench: Bench) -> None:
    answer = bench.uploads.send(form_of(bench.wheel()), auth=None)
    assert answer.status_code == 401
    assert "basic" in answer.headers.get("www-authenticate", "").lower()


@must("Upload", "PyPI", "a wrong password is refused with 401 or 403")
def test_a_wrong_password_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    answer = bench.uploads.send(form_of(wheel), auth=(bench.uploads.username, "not-the-password"))
    assert answer.status_code in (401, 403), f"the answer is {answer.status_code}"
    assert wheel.filename not in bench.listed()


def changed(artifact: Artifact, **changes: bytes | str) -> Artifact:
    values = {name: changes.get(name, getattr(artifact, name)) for name in ("filename", "data", "metadata")}
    return Artifact(
        project=artifact.project,
        version=artifact.version,
        kind=artifact.kind,
        requires_python=artifact.requires_python,
        **values,
    )


@must("Upload", "PyPI", "a wheel is a zip file")
def test_a_wheel_that_is_no_zip_is_refused(bench: Bench) -> None:
    wheel = changed(bench.wheel(), data=b"this is no zip file\n" * 50)
    bench.refuses(form_of(wheel), wheel.filename)


@must("Upload", "PyPI", "a source distribution is a gzipped tar file")
def test_a_source_distribution_that_is_no_tar_is_refused(bench: Bench) -> None:
    sdist = changed(make_sdist(bench.project, bench.version()), data=b"this is no tar file\n" * 50)
    bench.refuses(form_of(sdist), sdist.filename)


@must("Upload", "Binary distribution format", "a wheel's METADATA is that of its project and version")
def test_metadata_of_another_project_are_refused(bench: Bench) -> None:
    version = bench.version()
    wheel = make_wheel(bench.project, version, metadata=metadata_of("somebody-elses", version))
    bench.refuses(form_of(wheel), wheel.filename)


@must("Upload", "PyPI", "the form's name is that of the file")
def test_another_name_in_the_form_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={"name": f"{bench.project}-other"}), wheel.filename)


@must("Upload", "PyPI", "the form's version is that of the file")
def test_another_version_in_the_form_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={"version": "0.0.1"}), wheel.filename)


@must("Upload", "PyPI", "the form's filetype is that of the file")
def test_another_type_in_the_form_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={"filetype": "sdist", "pyversion": "source"}), wheel.filename)


@must("Upload", "PyPI", "a file name has no path")
def test_a_path_as_a_name_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, filename=f"../../{wheel.filename}"), wheel.filename)


@must("Upload", "Binary distribution format", "the file's name is one of a wheel")
def test_a_name_that_is_none_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    name = wheel.filename.replace("-py3-none-any", "")
    bench.refuses(form_of(wheel, filename=name), name)


@should("Upload", "PyPI", "no member of an archive leads out of it")
def test_a_member_that_leads_out_is_refused(bench: Bench) -> None:
    wheel = make_wheel(bench.project, bench.version(), members={"../../outside.py": b"X = 1\n"})
    bench.refuses(form_of(wheel), wheel.filename)


@should("Upload", "Binary distribution format, Signed wheel files", "a wheel's RECORD lists its files' hashes")
def test_a_wrong_record_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    data = wheel.data.replace(b"__init__.py", b"__init_2.py", 1)
    assert data != wheel.data
    broken = changed(wheel, data=data)
    bench.refuses(form_of(broken), broken.filename)


@must("Upload", DOCS, "a form without content is refused")
def test_a_form_without_a_file_is_refused(bench: Bench) -> None:
    bench.refuses([part for part in form_of(bench.wheel()) if part.name != "content"])


@should("Upload", DOCS, "protocol_version is 1")
def test_another_protocol_is_refused(bench: Bench) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={"protocol_version": "9"}), wheel.filename)


@should("Upload", "PyPI", "actions other than file_upload are refused")
@pytest.mark.parametrize("action", ["submit", "doc_upload"])
def test_other_actions_are_refused(bench: Bench, action: str) -> None:
    wheel = bench.wheel()
    bench.refuses(form_of(wheel, fields={":action": action}), wheel.filename)


@should("Upload", "uv publish", "a refusal says why, as JSON or as text")
def test_a_refusal_says_why(bench: Bench) -> None:
    wheel = bench.wheel()
    answer = bench.refuses(form_of(wheel, fields={"sha256_digest": "0" * 64}), wheel.filename)
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    assert media_type in ("application/json", "application/problem+json", "text/plain", "text/html")
    assert len(answer.text.strip()) > 10


@must("Upload", "uv publish", "a POST to the index's address is no success")
def test_the_index_address_takes_no_upload(bench: Bench, index: Index, seeds: Seeds) -> None:
    if index.url.rstrip("/") == bench.uploads.url.rstrip("/"):
        pytest.skip("uploads go to the index's own address")
    elsewhere = Uploads(
        client=bench.uploads.client, url=index.url, username=bench.uploads.username, password=bench.uploads.password
    )
    wheel = bench.wheel()
    answer = elsewhere.send(form_of(wheel))
    assert answer.status_code >= 300 or wheel.filename in bench.listed(), "200, and the file is nowhere"
