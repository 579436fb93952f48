from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from tests.wheelhouse.ingest_support import put, sdist_bytes, wheel_bytes

from cpufit_wheelhouse.admission.claims import check_claims
from cpufit_wheelhouse.admission.descriptive import check_license_files, check_metadata
from cpufit_wheelhouse.admission.names import check_sdist_name, check_wheel_name, similar_names
from cpufit_wheelhouse.admission.release import check_joining
from cpufit_wheelhouse.admission.rules import AdmissionRules, Submission
from cpufit_wheelhouse.errors import (
    FileExists,
    InvalidMetadata,
    InvalidWheelName,
    MetadataMismatch,
    NameRefused,
    ProjectTooLarge,
    ReleaseClosed,
    SdistExists,
    WheelError,
)
from cpufit_wheelhouse.filename import parse_sdist_filename, parse_wheel_filename
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.lookalikes import lookalike
from cpufit_wheelhouse.metadata import parse_metadata

RULES = AdmissionRules()
HEAD = "Metadata-Version: 2.4\nName: demo\nVersion: 1.0+local\n"


@pytest.fixture
def home(tmp_path: Path) -> Any:
    with open_home(tmp_path / "home") as opened:
        yield opened


def checked(lines: str, rules: AdmissionRules = RULES) -> None:
    check_metadata(parse_metadata((HEAD + lines).encode()), rules, where="METADATA")


def refused(lines: str, code: str, rules: AdmissionRules = RULES) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        checked(lines, rules)
    assert (caught.value.code, caught.value.where) == (code, "METADATA")
    assert caught.value.hint


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "Summary: " + "x" * 512,
        "Author-email: a@b.org\nMaintainer-email: A. Person <a@b.org>, b@c\n",
        'Author-email: "Person, A." <a@b.org>\n',
        "Home-page: https://example.org/\nDownload-URL: http://example.org/x?y=z#a\n",
        "Home-page: UNKNOWN\nAuthor-email: UNKNOWN\nDescription-Content-Type: UNKNOWN\n",
        "Project-URL: Source Code, https://example.org/\n",
        "License: MIT\n",
        "License-Expression: MIT OR (Apache-2.0 AND LicenseRef-Own)\n",
        "Dynamic: Requires-Dist\nDynamic: license-file\nDynamic: import-name\n",
        "Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM\n",
        "Description-Content-Type: text/markdown; variant=CommonMark\n",
        "Description-Content-Type: text/x-rst; charset=utf-8\n",
        "Description-Content-Type: text/plain\n",
        "Classifier: Nobody :: Knows :: This\n",
        "Requires-Dist: a @ https://example.org/a.whl\n",
    ],
)
def test_what_people_may_read_is_taken(lines: str) -> None:
    checked(lines)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("Summary: " + "x" * 513, "invalid-summary"),
        ("Summary: a\n  b\n", "invalid-summary"),
        ("Author-email: nobody\n", "invalid-email"),
        ("Maintainer-email: A <a@b>, c at d\n", "invalid-email"),
        ("Home-page: ftp://example.org\n", "invalid-project-url"),
        ("Home-page: javascript:alert(1)\n", "invalid-project-url"),
        ("Download-URL: https://\n", "invalid-project-url"),
        ("Home-page: https://[::1\n", "invalid-project-url"),
        ('Home-page: https://example.org/"onclick\n', "invalid-project-url"),
        ("Project-URL: Source, example.org\n", "invalid-project-url"),
        ("Project-URL: " + "x" * 33 + ", https://example.org\n", "invalid-project-url"),
        ("Project-URL: https://example.org\n", "invalid-project-url"),
        ("License: MIT\nLicense-Expression: MIT\n", "license-stated-twice"),
        ("License-Expression: as I like it\n", "invalid-license-expression"),
        ("Dynamic: Name\n", "invalid-dynamic"),
        ("Dynamic: Metadata-Version\n", "invalid-dynamic"),
        ("Dynamic: colour\n", "invalid-dynamic"),
        ("Description-Content-Type: text/html\n", "invalid-description-type"),
        ("Description-Content-Type: markdown\n", "invalid-description-type"),
        ("Description-Content-Type: text/markdown; variant=Own\n", "invalid-description-type"),
        ("Description-Content-Type: text/x-rst; charset=latin-1\n", "invalid-description-type"),
    ],
)
def test_what_people_should_not_be_shown_is_refused_unless_the_rule_is_off(lines: str, code: str) -> None:
    refused(lines, code)
    checked(lines, replace(RULES, descriptive_metadata=False))


@pytest.mark.parametrize("version", ["2.6", "3.0", "1", "9.9", ""])
def test_a_metadata_version_that_nobody_knows_is_refused(version: str) -> None:
    text = HEAD.replace("2.4", version)
    with pytest.raises(InvalidMetadata) as caught:
        check_metadata(parse_metadata(text.encode()), replace(RULES, descriptive_metadata=False), where="METADATA")
    assert caught.value.code == "unknown-metadata-version"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"])
def test_every_metadata_version_there_was_is_taken(version: str) -> None:
    check_metadata(parse_metadata(HEAD.replace("2.4", version).encode()), RULES, where="METADATA")


def test_the_rules_that_are_off_by_default_refuse_when_they_are_on() -> None:
    refused("", "local-version-not-allowed", replace(RULES, allow_local_versions=False))
    direct = replace(RULES, allow_direct_requirements=False)
    refused("Requires-Dist: a @ https://example.org/a.whl\n", "direct-requirement-not-allowed", direct)
    checked("Requires-Dist: a>=1\n", direct)


def test_classifiers_are_those_of_the_list_or_private() -> None:
    known = replace(RULES, known_classifiers=True)
    checked("Classifier: Typing :: Typed\nClassifier: Private :: Do Not Upload\n", known)
    refused("Classifier: Nobody :: Knows :: This\n", "unknown-classifier", known)
    refused("Classifier: Natural Language :: Ukranian\n", "unknown-classifier", known)


@pytest.mark.parametrize(
    ("kind", "text", "renders"),
    [
        ("text/x-rst", "A title\n=======\n\nText.\n", True),
        ("text/x-rst", "A title\n===\n\n.. nobody-knows::\n\nText `broken\n", False),
        ("text/markdown", "# A title\n", True),
        ("text/plain", "anything `at all\n", True),
        ("", "A title\n===\n\n`broken\n", False),
        ("", "", True),
    ],
)
def test_a_description_has_to_render_where_the_rule_is_on(kind: str, text: str, *, renders: bool) -> None:
    lines = (f"Description-Content-Type: {kind}\n" if kind else "") + "\n" + text
    rendering = replace(RULES, rendering_descriptions=True)
    if renders:
        checked(lines, rendering)
    else:
        refused(lines, "description-not-rendered", rendering)
    checked(lines)


def test_license_files_are_in_the_archive_since_metadata_2_4() -> None:
    def found(lines: str, version: str = "2.4", folder: str = "d/licenses/") -> None:
        raw = check_metadata(parse_metadata((HEAD.replace("2.4", version) + lines).encode()), RULES, where="METADATA")
        check_license_files(
            raw, frozenset({"d/licenses/LICENSE", "d/licenses/a/b", "LICENSE"}), folder, where="METADATA"
        )

    found("License-File: LICENSE\nLicense-File: a/b\n")
    found("License-File: LICENSE\n", folder="")
    found("License-File: NOTICE\n", version="2.1")
    for lines in ("License-File: NOTICE\n", "License-File: ../LICENSE\n", "License-File: /etc/passwd\n"):
        with pytest.raises(InvalidMetadata) as caught:
            found(lines)
        assert caught.value.code == "license-file-missing"


# names


@pytest.mark.parametrize(
    ("filename", "version", "taken"),
    [
        ("demo_thing-1.0.tar.gz", "2.1", True),
        ("twine-1.5.0.tar.gz", "1.1", True),
        ("Demo.Thing-1.0.tar.gz", "1.2", True),
        ("Demo-Thing-1.0.0.tar.gz", "1.0", True),
        ("Demo_Thing-1.0.tar.gz", "2.1", False),
        ("demo-thing-1.0.tar.gz", "2.4", False),
        ("demo.thing-1.0.tar.gz", "2.2", False),
        ("demo_thing-1.0-rc1.tar.gz", "2.2", False),
        ("demo_thing-01.0.tar.gz", "2.2", False),
    ],
)
def test_a_source_distribution_is_called_as_pep_625_says(filename: str, version: str, *, taken: bool) -> None:
    try:
        name = parse_sdist_filename(filename)
    except InvalidWheelName:  # a '-' in the version
        assert not taken
        return
    facts = parse_metadata(f"Metadata-Version: {version}\nName: {name.raw_name}\nVersion: {name.version}\n".encode())
    if taken:
        check_sdist_name(name, facts, RULES)
        return
    with pytest.raises(InvalidWheelName) as caught:
        check_sdist_name(name, facts, RULES)
    assert caught.value.code == "sdist-name-not-exact"
    check_sdist_name(name, facts, replace(RULES, exact_sdist_names=False))


def test_a_wheel_is_called_as_the_rules_say() -> None:
    odd = parse_wheel_filename("Demo.Thing-1.0-py3-none-linux_x86_64.whl")
    check_wheel_name(odd, RULES)
    with pytest.raises(InvalidWheelName, match="begins with demo_thing-") as caught:
        check_wheel_name(odd, replace(RULES, exact_wheel_names=True))
    assert caught.value.code == "wheel-name-not-exact"
    patterns = replace(RULES, platform_tags=("manylinux_*", "win_amd64"))
    for platform in ("any", "win_amd64", "manylinux_2_17_x86_64"):
        check_wheel_name(parse_wheel_filename(f"demo-1.0-py3-none-{platform}.whl"), patterns)
    for platform in ("linux_x86_64", "win32", "manylinux_2_17_x86_64.linux_x86_64"):
        with pytest.raises(NameRefused) as refusal:
            check_wheel_name(parse_wheel_filename(f"demo-1.0-py3-none-{platform}.whl"), patterns)
        assert refusal.value.code == "platform-tag-not-allowed"


def test_names_that_look_alike_are_told() -> None:
    assert lookalike("Pillow") == lookalike("p1ll-0w") == lookalike("P.i1I_oW")
    assert lookalike("pillow") != lookalike("pilow")
    (notice,) = similar_names(canonicalize_name("pi11ow"), ["numpy", "pillow", "pi11ow"])
    assert notice.as_dict() == {
        "code": "similar-project-name",
        "message": "pi11ow looks like pillow, which is here already",
    }


# the form and METADATA


def test_a_form_that_says_the_same_in_another_way_is_believed() -> None:
    facts = parse_metadata(
        b"Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Python: >=3.8,<4\nProvides-Extra: Q\n"
        b"Requires-Dist: B_c[y,x]>=1; extra == 'Q'\n"
    )
    check_claims(Submission(), facts)
    check_claims(
        Submission(requires_python="<4,>=3.8", requires_dist=('b-c[x,y] (>=1) ; extra=="q"',), provides_extra=("q",)),
        facts,
    )


@pytest.mark.parametrize(
    ("claims", "where"),
    [
        ({"requires_python": ">=3.9"}, "requires_python"),
        ({"requires_python": "no"}, "requires_python"),
        ({"requires_dist": ("b", "evil")}, "requires_dist"),
        ({"requires_dist": ("b>=2",)}, "requires_dist"),
        ({"requires_dist": ("?",)}, "requires_dist"),
        ({"provides_extra": ("x", "y")}, "provides_extra"),
    ],
)
def test_a_form_that_says_something_else_is_refused(claims: dict[str, Any], where: str) -> None:
    facts = parse_metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1\nRequires-Dist: b\nProvides-Extra: x\n")
    with pytest.raises(MetadataMismatch) as caught:
        check_claims(Submission(**claims), facts)
    assert caught.value.where == where


# projects and releases


def joining(home: Home, days: int, *, size: int = 10, version: str = "1.0", **rules: Any) -> None:
    put(home)
    snapshot = home.catalog.snapshot("demo")
    assert snapshot is not None
    new = replace(_new(home), size=size, version=version)
    now = snapshot.files[0].uploaded_at + timedelta(days=days, seconds=1)
    check_joining(snapshot, "Demo", new, replace(RULES, **rules), now)


def _new(home: Home) -> Any:
    (file,) = home.catalog.files("demo")
    return file


def test_a_release_takes_files_as_long_as_the_rule_says(home: Home) -> None:
    joining(home, 13, release_open_days=14)
    joining(home, 1000)
    joining(home, 1000, release_open_days=14, version="2.0")
    with pytest.raises(ReleaseClosed, match="takes files for 14 days"):
        joining(home, 14, release_open_days=14)
    with pytest.raises(ReleaseClosed):
        joining(home, 0, release_open_days=0)


def test_a_project_has_a_limit_where_the_rule_says_so(home: Home) -> None:
    put(home)
    stored = _new(home).size
    joining(home, 0, size=10, project_bytes=stored + 10)
    with pytest.raises(ProjectTooLarge, match=f"{stored + 11} bytes of {stored + 10}"):
        joining(home, 0, size=11, project_bytes=stored + 10)
    with pytest.raises(ProjectTooLarge):
        check_joining(None, "other", _new(home), replace(RULES, project_bytes=1), datetime.now(timezone.utc))


@pytest.mark.parametrize("name", ["asyncio", "Json", "this", "concurrent"])
def test_a_project_that_is_called_as_a_standard_module_is_not_made(home: Home, name: str) -> None:
    data = sdist_bytes(name=name.lower())
    with pytest.raises(NameRefused) as caught:
        put(home, data, f"{name.lower()}-1.0.tar.gz", submission=Submission(rules=RULES))
    assert caught.value.code == "standard-library-name"
    assert home.catalog.projects() == ()
    put(home, data, f"{name.lower()}-1.0.tar.gz")
    # one that is there goes on
    other = sdist_bytes(name=name.lower(), version="2.0")
    put(home, other, f"{name.lower()}-2.0.tar.gz", submission=Submission(rules=RULES))


def test_whoever_makes_a_project_is_told_of_similar_ones(home: Home) -> None:
    put(home)
    wheel = wheel_bytes("dem0-1.0-py3-none-any.whl", name="dem0", native=False)
    done = put(home, wheel, "dem0-1.0-py3-none-any.whl", submission=Submission(rules=RULES))
    assert [notice.code for notice in done.notices] == ["similar-project-name"]
    again = put(home, wheel, "dem0-1.0-py3-none-any.whl", submission=Submission(rules=RULES))
    assert again.notices == ()


def test_the_same_bytes_under_another_name_are_refused(home: Home) -> None:
    put(home)
    with pytest.raises(FileExists, match="File already exists: these bytes are here as demo-1"):
        put(home, wheel_bytes(), "Demo-1.0-7-cp311-abi3-manylinux_2_17_x86_64.whl")
    assert len(home.catalog.files("demo")) == 1


def test_a_release_has_one_source_distribution(home: Home) -> None:
    put(home, sdist_bytes(), "demo-1.0.tar.gz")
    with pytest.raises(SdistExists, match=r"demo-1\.0\.tar\.gz is the source distribution of 1\.0"):
        put(home, sdist_bytes(version="1.0.0"), "demo-1.0.0.tar.gz")
    put(home, sdist_bytes(version="2.0"), "demo-2.0.tar.gz")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_an_upload_is_held_to_the_rules_and_an_import_is_not(
    home: Home, wheel_factory: Callable[..., Path], kind: str
) -> None:
    if kind == "wheel":
        lines = ["Metadata-Version: 9.9", "Name: small", "Version: 1.0"]
        path = wheel_factory(metadata=lines)
        data, filename = path.read_bytes(), path.name
    else:
        data, filename = sdist_bytes(name="De-mo"), "De-mo-1.0.tar.gz"
    with pytest.raises(WheelError) as caught:
        put(home, data, filename, submission=Submission(rules=RULES))
    assert caught.value.code in ("unknown-metadata-version", "sdist-name-not-exact")
    assert put(home, data, filename).status == "new"
