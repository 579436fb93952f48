"""Options, fixtures and the table of scores; see README.md."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from . import scores
from .index import JSON, PLAIN_HTML, Answer, Index, normalised
from .pages import HtmlPage, Listed, files_in_html, files_in_json, json_object
from .scores import Checked, Requirement, Result
from .seeding import Operator, Seeds, Uploads, sow

_CHECKED = pytest.StashKey[dict[str, Checked]]()
_HERE = Path(__file__).parent
_RESULTS: dict[str, Result] = {"passed": "passed", "failed": "failed", "skipped": "not applicable"}
MOST_FILES = 4
"""How many files of a project are downloaded."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; they are there when pytest is started on this folder."""
    group = parser.getgroup("conformance", "which index to check")
    group.addoption("--index-url", metavar="URL", help="the base address of its Simple API")
    group.addoption("--upload-url", metavar="URL", help="its upload address; without one nothing is changed there")
    group.addoption("--username", default="__token__", help="who uploads (default: __token__)")
    group.addoption("--password", default="", help="the password, or the token")
    group.addoption("--read-auth", action="store_true", help="send user name and password with reads too")
    group.addoption("--read-only", action="store_true", help="upload nothing; needs --project")
    group.addoption(
        "--project",
        metavar="NAME",
        help="what to look at; with uploads: where to put files, also into NAME-uploads and NAME-lifecycle",
    )
    group.addoption("--yank-command", metavar="COMMAND", help="yanks {filename} of {project} {version} for {reason}")
    group.addoption("--unyank-command", metavar="COMMAND", help="takes that back")
    group.addoption("--status-command", metavar="COMMAND", help="gives {project} the {status} for {reason}")
    group.addoption("--conformance-json", metavar="FILE", type=Path, help="write the figures there")


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker is."""
    config.addinivalue_line("markers", "requirement(spec, section, level, text): what a specification asks for")
    config.stash[_CHECKED] = {}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse options that do not go together."""
    option = session.config.option
    if not option.index_url:
        raise pytest.UsageError("--index-url URL says which index to check")
    if (option.read_only or not option.upload_url) and not option.project:
        raise pytest.UsageError("without uploads, --project NAME says what to look at")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the folder alone in a run that is about something else."""
    del collection_path
    return None if config.getoption("index_url", default=None) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """See that each test says its requirement."""
    for item in items:
        if _HERE in item.path.parents:
            Requirement.of(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what came of each requirement."""
    report = yield
    if call.when == "call" or report.outcome != "passed":
        reason = "" if call.excinfo is None else str(call.excinfo.value).strip().split("\n")[0][:200]
        item.config.stash[_CHECKED][item.nodeid] = Checked(
            requirement=Requirement.of(item), test=item.name, result=_RESULTS[report.outcome], reason=reason
        )
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the scores, and write them where that was asked for."""
    checked = list(config.stash[_CHECKED].values())
    if not checked:
        return
    terminalreporter.section(f"conformance of {config.option.index_url}")
    for line in [*scores.table(checked), "", *scores.failures(checked)]:
        terminalreporter.line(line)
    if config.option.conformance_json is not None:
        read_only = config.option.read_only or not config.option.upload_url
        figures = scores.as_json(checked, index_url=config.option.index_url, read_only=read_only)
        config.option.conformance_json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client that sends no header of its own accord that a test could be about."""
    option = request.config.option
    auth = httpx.BasicAuth(option.username, option.password) if option.read_auth else None
    with httpx.Client(timeout=60, auth=auth, headers={"user-agent": "conformance"}) as made:
        for name in ("accept", "accept-encoding"):
            del made.headers[name]
        yield made


@pytest.fixture(scope="session")
def index(request: pytest.FixtureRequest, client: httpx.Client) -> Index:
    """The index under test; where nobody answers, the run ends."""
    url = request.config.option.index_url
    try:
        client.head(url)
    except httpx.TransportError as error:
        pytest.exit(f"{url} does not answer: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    return Index(client, url)


@pytest.fixture(scope="session")
def base() -> int:
    """The first number of this run's versions."""
    return int(time.time())


@pytest.fixture(scope="session")
def chosen_name(request: pytest.FixtureRequest) -> str:
    """The project's name, by default one that is not in its normal form."""
    return str(request.config.option.project or f"Conformance.Probe_{secrets.token_hex(4)}")


@pytest.fixture(scope="session")
def uploads_or_none(request: pytest.FixtureRequest) -> Iterator[Uploads | None]:
    """The upload address; None in a run that changes nothing."""
    option = request.config.option
    if option.read_only or not option.upload_url:
        yield None
        return
    with httpx.Client(timeout=60) as made:
        yield Uploads(client=made, url=option.upload_url, username=option.username, password=option.password)


@pytest.fixture(scope="session")
def uploads(uploads_or_none: Uploads | None) -> Uploads:
    """The upload address, for tests that change something."""
    if uploads_or_none is None:
        pytest.skip("nothing is uploaded in this run")
    return uploads_or_none


@pytest.fixture(scope="session")
def seeds(uploads_or_none: Uploads | None, chosen_name: str, base: int) -> Seeds:
    """The project to look at, with its files if this run may upload."""
    return Seeds(project=chosen_name) if uploads_or_none is None else sow(uploads_or_none, chosen_name, base)


@pytest.fixture(scope="session")
def operator(request: pytest.FixtureRequest) -> Operator:
    """The commands of the one who runs the index."""
    option = request.config.option
    return Operator(yank=option.yank_command, unyank=option.unyank_command, status=option.status_command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The project's page and the list of projects, as the index gives them to who asks for JSON and for HTML."""

    html_answer: Answer
    json_answer: Answer


@pytest.fixture(scope="session")
def project_pages(index: Index, seeds: Seeds) -> Pages:
    """The project's page in both formats, asked for one after the other."""
    return Pages(
        html_answer=index.page(seeds.project, accept=PLAIN_HTML), json_answer=index.page(seeds.project, accept=JSON)
    )


@pytest.fixture(scope="session")
def root_pages(index: Index, seeds: Seeds) -> Pages:
    """The list of projects in both formats, once something is in it."""
    del seeds
    return Pages(html_answer=index.page(accept=PLAIN_HTML), json_answer=index.page(accept=JSON))


@pytest.fixture(scope="session")
def html_page(project_pages: Pages) -> HtmlPage:
    """The project's page in HTML."""
    return _as_html(project_pages.html_answer)


@pytest.fixture(scope="session")
def html_root(root_pages: Pages) -> HtmlPage:
    """The list of projects in HTML."""
    return _as_html(root_pages.html_answer)


@pytest.fixture(scope="session")
def json_page(project_pages: Pages) -> dict[str, Any]:
    """The project's page in JSON."""
    return _as_json(project_pages.json_answer)


@pytest.fixture(scope="session")
def json_root(root_pages: Pages) -> dict[str, Any]:
    """The list of projects in JSON."""
    return _as_json(root_pages.json_answer)


@pytest.fixture(scope="session")
def json_files(project_pages: Pages, json_page: dict[str, Any]) -> list[Listed]:
    """The files of the JSON page."""
    return files_in_json(json_page, project_pages.json_answer.url)


@pytest.fixture(scope="session")
def some_json_page(project_pages: Pages) -> dict[str, Any]:
    """The project's page in JSON, for what is optional anyway: an index without JSON does not have it."""
    if "json" not in project_pages.json_answer.media_type:
        pytest.skip("the index serves no JSON")
    return _as_json(project_pages.json_answer)


@pytest.fixture(scope="session")
def some_json_files(project_pages: Pages, some_json_page: dict[str, Any]) -> list[Listed]:
    """The files of the JSON page, for what is optional anyway."""
    return files_in_json(some_json_page, project_pages.json_answer.url)


@pytest.fixture(scope="session")
def listed(project_pages: Pages) -> list[Listed]:
    """The files of the project, by its JSON page where there is one."""
    answer = project_pages.json_answer
    if answer.media_type == JSON:
        return files_in_json(json_object(answer), answer.url)
    return files_in_html(_as_html(project_pages.html_answer))


@pytest.fixture(scope="session")
def sample(listed: list[Listed], seeds: Seeds) -> list[Listed]:
    """A few files of the project, the smallest where sizes are known."""
    ours = {artifact.filename for artifact in seeds.taken}
    wanted = [file for file in listed if file.filename in ours or not ours]
    wanted = [file for file in wanted if file.filename.endswith((".whl", ".tar.gz"))]
    assert wanted, f"the page of {normalised(seeds.project)} lists no file that could be looked at"
    wheels = sorted((file for file in wanted if file.filename.endswith(".whl")), key=lambda file: file.size or 0)
    others = sorted((file for file in wanted if not file.filename.endswith(".whl")), key=lambda file: file.size or 0)
    return [*wheels[: MOST_FILES - 1], *others[:1]]


@pytest.fixture(scope="session")
def contents(index: Index, sample: list[Listed]) -> dict[str, bytes]:
    """The bytes of the sample, by file name."""
    found = {}
    for file in sample:
        answer = index.ask(file.url)
        assert answer.status == 200, f"{file.url} answers {answer.status}"
        found[file.filename] = answer.body
    return found


@pytest.fixture
def wheel(sample: list[Listed]) -> Listed:
    """A wheel of the project, or a source distribution where it has none."""
    return sample[0]


def _as_html(answer: Answer) -> HtmlPage:
    assert answer.status == 200, f"the page answers {answer.status}"
    assert "html" in answer.media_type, f"whoever asks for text/html gets {answer.media_type or 'no content type'}"
    return HtmlPage(answer)


def _as_json(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, f"whoever asks for JSON gets {answer.status}"
    assert "json" in answer.media_type, f"whoever asks for JSON gets {answer.media_type or 'no content type'}"
    return json_object(answer)
