"""The JSON pages of the simple repository API 1.4 as JSON schemas, written from the specification.

Stricter than it in one point: a key that no specification has must begin with an underscore, which PEP 700 keeps for
indexes. ``data-dist-info-metadata`` is the exception that :mod:`cpufit_wheelhouse.simple_page` explains.
"""

from __future__ import annotations

from typing import Any

_PRIVATE: dict[str, Any] = {"^_": {}}
# PEP 691, "hashes": names in lower case, digests in hexadecimal; we always have the recommended one
_HASHES = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-z0-9_]+$"},
    "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]+$"},
}
_META = {
    "type": "object",
    # PEP 629: major and minor version and nothing else
    "properties": {"api-version": {"type": "string", "pattern": r"^1\.\d+$"}},
    "required": ["api-version"],
    "patternProperties": _PRIVATE,
    "additionalProperties": False,
}
_FILE = {
    "type": "object",
    "properties": {
        "filename": {"type": "string", "minLength": 1},
        # relative or absolute; a query would end up before ".metadata"
        "url": {"type": "string", "pattern": r"^[^?#]+$"},
        "hashes": {**_HASHES, "required": ["sha256"]},
        "requires-python": {"type": "string"},
        # PEP 714 (was "dist-info-metadata" in PEP 658): whether there is one, or its hashes
        "core-metadata": {"anyOf": [{"type": "boolean"}, _HASHES]},
        "data-dist-info-metadata": {"anyOf": [{"type": "boolean"}, _HASHES]},
        "gpg-sig": {"type": "boolean"},
        # PEP 592: a boolean, or a reason that is not empty
        "yanked": {"anyOf": [{"type": "boolean"}, {"type": "string", "minLength": 1}]},
        # PEP 700: mandatory, in bytes
        "size": {"type": "integer", "minimum": 0},
        # PEP 700: UTC with "Z", at most six digits of a second
        "upload-time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"},
        # PEP 740
        "provenance": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^https?://"}]},
    },
    "required": ["filename", "url", "hashes", "size"],
    "patternProperties": _PRIVATE,
    "additionalProperties": False,
}

PROJECT_LIST: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "meta": _META,
        "projects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string", "minLength": 1}},
                "required": ["name"],
                "patternProperties": _PRIVATE,
                "additionalProperties": False,
            },
        },
    },
    "required": ["meta", "projects"],
    "patternProperties": _PRIVATE,
    "additionalProperties": False,
}
"""PEP 691, "Project List"."""

PROJECT_DETAIL: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "meta": _META,
        # the normal form of the name specification
        "name": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        # PEP 792
        "project-status": {
            "type": "object",
            "properties": {
                "status": {"enum": ["active", "archived", "quarantined", "deprecated"]},
                "reason": {"type": "string"},
            },
            "additionalProperties": False,
        },
        "files": {"type": "array", "items": _FILE},
        # PEP 700: a set
        "versions": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    },
    "required": ["meta", "name", "files", "versions"],
    "patternProperties": _PRIVATE,
    "additionalProperties": False,
    # PEP 792: nothing of a quarantined project is offered
    "if": {
        "properties": {"project-status": {"properties": {"status": {"const": "quarantined"}}, "required": ["status"]}},
        "required": ["project-status"],
    },
    "then": {"properties": {"files": {"maxItems": 0}}},
}
"""PEP 691, "Project Detail", with what PEP 700, 714, 740 and 792 added."""
