"""The fields of METADATA that people read, and whether an index may show them.

Specification: "Core metadata", with PEP 639 for licences. The five fields that decide what is installed are checked for
every file, in :mod:`cpufit_wheelhouse.metadata`; these only for uploads, whose sender can mend them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from email.message import Message
from email.utils import getaddresses
from urllib.parse import urlsplit

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.metadata import RawMetadata

from cpufit_wheelhouse.archive import check_member_name
from cpufit_wheelhouse.errors import InvalidMetadata, UnsafeMember
from cpufit_wheelhouse.metadata import MetadataFacts

from .rules import AdmissionRules

METADATA_VERSIONS = ("1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5")
"""Those that are known here. 2.0 was never finished, but many wheels of its time have it."""

LONGEST_SUMMARY = 512
"""Characters, as on PyPI."""
LONGEST_LABEL = 32
"""Characters of a project URL's label (core metadata, ``Project-URL``)."""

_ADDRESS = re.compile(r"[^\s@<>(),;:\"]+@[^\s@<>(),;:\"]+")
_DESCRIPTION_TYPES = {"text/plain": (), "text/x-rst": (), "text/markdown": ("gfm", "commonmark")}
_FIXED = ("name", "version", "metadata-version")
_FIELDS = frozenset(
    {"platform", "supported-platform", "summary", "description", "description-content-type", "keywords", "home-page"}
    | {"download-url", "author", "author-email", "maintainer", "maintainer-email", "license", "license-expression"}
    | {"license-file", "classifier", "requires-dist", "requires-python", "requires-external", "project-url"}
    | {"provides-extra", "provides-dist", "obsoletes-dist", "requires", "provides", "obsoletes"}
    | {"import-name", "import-namespace"}
)


def check_metadata(facts: MetadataFacts, rules: AdmissionRules, *, where: str) -> RawMetadata:
    """Check all fields of a ``METADATA`` or ``PKG-INFO`` file, and return them.

    :param where: what errors call the file
    :raises InvalidMetadata: the first rule that is broken; its code tells which
    """
    raw = facts.raw
    if raw.get("metadata_version") not in METADATA_VERSIONS:
        raise _invalid(
            f"Metadata-Version {raw.get('metadata_version')!r} is not known", where, "unknown-metadata-version"
        )
    if not rules.allow_local_versions and facts.version.local is not None:
        raise _invalid(f"{raw['version']} is a local version", where, "local-version-not-allowed")
    direct = () if rules.allow_direct_requirements else zip(facts.requires_dist, facts.requirements, strict=True)
    for text, requirement in direct:
        if requirement.url is not None:
            raise _invalid(f"{text[:200]!r} names an address", where, "direct-requirement-not-allowed")
    if rules.descriptive_metadata:
        for check in _CHECKS:
            check(raw, where)
    if rules.known_classifiers:
        _check_classifiers(raw, where)
    if rules.rendering_descriptions:
        _check_rendering(raw, where)
    return raw


def check_license_files(raw: RawMetadata, members: AbstractSet[str], folder: str, *, where: str) -> None:
    """Check that every ``License-File`` is in the archive (PEP 639); before version 2.4 the field had no such meaning.

    :param members: the archive's files, by the names that ``folder`` begins
    :raises InvalidMetadata: one is missing, or its path leads elsewhere
    """
    if raw.get("metadata_version") not in ("2.4", "2.5"):
        return
    for path in raw.get("license_files", ()):
        try:
            check_member_name(path)
        except UnsafeMember as error:
            raise _invalid(f"License-File {path[:200]!a} leads elsewhere", where, "license-file-missing") from error
        if folder + path not in members:
            raise _invalid(
                f"{folder}{path[:200]} is named as a License-File and missing", where, "license-file-missing"
            )


def _check_summary(raw: RawMetadata, where: str) -> None:
    summary = raw.get("summary", "")
    if len(summary) > LONGEST_SUMMARY or "\n" in summary.strip():
        raise _invalid(f"Summary is one line of at most {LONGEST_SUMMARY} characters", where, "invalid-summary")


def _check_addresses(raw: RawMetadata, where: str) -> None:
    for field, text in (("Author-email", raw.get("author_email")), ("Maintainer-email", raw.get("maintainer_email"))):
        if not text or text == "UNKNOWN":
            continue
        try:
            addresses = [address for _, address in getaddresses([text])]
        except RecursionError:  # comments within comments
            addresses = []
        if not addresses or not all(_ADDRESS.fullmatch(address) for address in addresses):
            raise _invalid(f"{field} {text[:200]!r} is no e-mail address", where, "invalid-email")


def _check_urls(raw: RawMetadata, where: str) -> None:
    for field, url in (("Home-page", raw.get("home_page")), ("Download-URL", raw.get("download_url"))):
        if url and url != "UNKNOWN" and not _is_web_address(url):
            raise _invalid(f"{field} {url[:200]!r} is no http or https address", where, "invalid-project-url")
    for label, url in raw.get("project_urls", {}).items():
        if not label or len(label) > LONGEST_LABEL:
            raise _invalid(
                f"the label {label[:200]!r} has not 1 to {LONGEST_LABEL} characters", where, "invalid-project-url"
            )
        if not _is_web_address(url):
            raise _invalid(f"Project-URL {url[:200]!r} is no http or https address", where, "invalid-project-url")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"[\s<>\"\x00-\x1f]", url)
    except ValueError:
        return False


def _check_licences(raw: RawMetadata, where: str) -> None:
    expression = raw.get("license_expression")
    if expression is None:
        return
    if raw.get("license"):
        raise _invalid("License and License-Expression stand both", where, "license-stated-twice")
    try:
        canonicalize_license_expression(expression)
    except InvalidLicenseExpression as error:
        raise _invalid(
            f"License-Expression {expression[:200]!r} is not SPDX", where, "invalid-license-expression"
        ) from error


def _check_dynamic(raw: RawMetadata, where: str) -> None:
    for name in raw.get("dynamic", ()):
        if name.lower() in _FIXED or name.lower() not in _FIELDS:
            raise _invalid(f"Dynamic {name[:200]!r} is no field that may be", where, "invalid-dynamic")


def _check_description_type(raw: RawMetadata, where: str) -> None:
    text = raw.get("description_content_type")
    if not text or text == "UNKNOWN":
        return
    message = Message()
    message["content-type"] = text
    kind = message.get_content_type()
    variant = str(message.get_param("variant", "GFM")).lower()
    charset = str(message.get_param("charset", "UTF-8")).lower()
    if (
        not text.lower().startswith(kind)
        or kind not in _DESCRIPTION_TYPES
        or charset != "utf-8"
        or (_DESCRIPTION_TYPES[kind] and variant not in _DESCRIPTION_TYPES[kind])
    ):
        raise _invalid(f"Description-Content-Type {text[:200]!r} is not known", where, "invalid-description-type")


_CHECKS: tuple[Callable[[RawMetadata, str], None], ...] = (
    _check_summary,
    _check_addresses,
    _check_urls,
    _check_licences,
    _check_dynamic,
    _check_description_type,
)


def _check_classifiers(raw: RawMetadata, where: str) -> None:
    from trove_classifiers import classifiers, deprecated_classifiers  # noqa: PLC0415  # only where the rule is on

    for name in raw.get("classifiers", ()):
        # whoever writes one of these wants no public index to take the file
        if name not in classifiers and not name.startswith("Private ::"):
            raise _invalid(f"the classifier {name[:200]!r} is not known", where, "unknown-classifier")
        if name in deprecated_classifiers:
            raise _invalid(f"the classifier {name[:200]!r} is deprecated", where, "unknown-classifier")


def _check_rendering(raw: RawMetadata, where: str) -> None:
    from readme_renderer import markdown, rst, txt  # noqa: PLC0415  # only where the rule is on

    description = raw.get("description", "")
    kind = (raw.get("description_content_type") or "text/x-rst").partition(";")[0].strip().lower()
    if kind == "text/markdown":
        rendered = markdown.render(description)
    elif kind == "text/plain":
        rendered = txt.render(description)
    else:
        # what is wrong goes to the standard error stream otherwise
        rendered = rst.render(description, stream=io.StringIO())
    if description.strip() and rendered is None:
        raise _invalid(f"the description does not render as {kind}", where, "description-not-rendered")


def _invalid(message: str, where: str, code: str) -> InvalidMetadata:
    return InvalidMetadata(message, where=where, code=code, hint="mend the project's metadata and build it again")
