"""Variant labels, properties and their JSON: everything here that belongs to a draft standard.

PEP 825 ("Package Format", draft, schema 0.1.1) gives the structure of ``variant.json`` and of
``{name}-{version}-variants.json``; PEP 850 ("Providers", draft, schema 0.2.0) adds ``providers``. The two providers
below are those that uv (since 0.13.8) has built in; it knows a property by the provider's name, version and feature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cpufit_resolver.baseline import platform_baseline
from cpufit_resolver.features import architecture
from cpufit_resolver.need import Need

from .errors import InvalidVariantMetadata

SCHEMA = "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json"
"""The dialect written here. Read is any whose content follows the rules: three addresses are in use."""

NULL_LABEL = "null"
"""The label reserved for the variant without properties (PEP 825)."""

Properties = dict[str, dict[str, list[str]]]
"""Namespace, feature, values; a wheel is compatible where for every feature some value is supported (PEP 825)."""


@dataclass(frozen=True, slots=True)
class _Provider:
    """What tells a namespace's properties: here, one feature whose values are levels of one architecture."""

    namespace: str
    requires: str
    feature: str
    levels: Mapping[str, str]
    """The feature's values in rising order, and our levels."""


_PROVIDERS: Mapping[str, _Provider] = {
    "x86_64": _Provider(
        namespace="x86_64",
        requires="x86-64-variant-provider>=0.2,<1",
        feature="level",
        levels={"v1": "x86_64_v1", "v2": "x86_64_v2", "v3": "x86_64_v3", "v4": "x86_64_v4"},
    ),
    "aarch64": _Provider(
        namespace="aarch64",
        requires="aarch64-variant-provider>=0.2,<1",
        feature="version",
        # the provider knows nothing above 8.4a
        levels={
            "8a": "aarch64_8a",
            "8.1a": "aarch64_8_1a",
            "8.2a": "aarch64_8_2a",
            "8.3a": "aarch64_8_3a",
            "8.4a": "aarch64_8_4a",
        },
    ),
}

_PROVIDER_FORMS: Mapping[str, tuple[str, ...]] = {
    "requires": ("plugin-api",),
    "static-properties": ("feature-order",),
    "builtin": (),
}
"""The three ways to say where properties come from, each with what may stand beside it."""

_NAMESPACE = re.compile(r"[a-z0-9_]+")
_VALUE = re.compile(r"[a-z0-9_.]+")
_ARM_VERSION = re.compile(r"([0-9]+)(?:\.([0-9]+))?a")


@dataclass(frozen=True, slots=True)
class VariantLabel:
    """A label and the properties that it stands for."""

    label: str
    properties: Properties


def properties_for(need: Need, platform: str) -> VariantLabel | None:
    """Return the label and properties of a wheel with this need under one platform tag.

    Properties know levels only, so the need is rounded **up** to the first level that has all its features. None
    where no level does (AVX-512 beyond v4), and where the tag stands for two architectures (universal2): properties
    of both must hold at once, which no machine can satisfy.
    """
    architectures = sorted(platform_baseline(platform))
    if len(architectures) != 1 or architectures[0] not in _PROVIDERS:
        return None
    arch = architectures[0]
    part = need.on(arch)
    wanted = part.features if part is not None else frozenset()
    provider = _PROVIDERS[arch]
    for value, level_name in provider.levels.items():
        level = architecture(arch).level(level_name)
        if level is not None and wanted <= level.features:
            return VariantLabel(level_name, {arch: {provider.feature: [value]}})
    return None


def variant_json(label: str, properties: Properties) -> bytes:
    """Return the ``variant.json`` of one labelled wheel."""
    return variants_json({label: properties})


def variants_json(variants: Mapping[str, Properties]) -> bytes:
    """Return a release's ``-variants.json``, as canonical JSON: sorted keys, no spaces, a line feed at the end.

    Every file names both namespaces in the same order: PEP 825 lets the files of one release differ in nothing but
    the tail of that list, and a release may have x86-64 and Arm variants.
    """
    body = {
        "$schema": SCHEMA,
        "default-priorities": {"namespace": list(_PROVIDERS)},
        "providers": {provider.namespace: {"requires": [provider.requires]} for provider in _PROVIDERS.values()},
        "variants": {
            label: {
                namespace: {feature: sorted(set(values)) for feature, values in features.items()}
                for namespace, features in properties.items()
            }
            for label, properties in variants.items()
        },
    }
    return (json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n").encode()


def need_from_variant_json(data: bytes, label: str | None, architectures: frozenset[str]) -> Need:
    """Return the need that a wheel's own ``variant.json`` states.

    Features are joined; of one feature's values the weakest counts, since any of them is enough. The null variant
    needs nothing beyond what the platform tag promises.

    :param label: the label of the wheel's file name; None if the name has none
    :param architectures: those behind the wheel's platform tags; empty if they tell none
    :raises InvalidVariantMetadata: it breaks a rule of PEP 825 or 850, or has properties that nobody here can judge
    """
    found_label, properties = _read_single(data)
    if label is not None and found_label != label:
        raise _invalid(f"it is of the variant {found_label!r}, the file name has the label {label!r}")
    evidence = tuple(
        f"variant.json: {namespace} :: {feature} :: {value}"
        for namespace, features in sorted(properties.items())
        for feature, values in sorted(features.items())
        for value in values
    )
    if not properties:
        return Need(source="declared", evidence=("variant.json: no properties",))
    if len(properties) > 1:
        raise _invalid(f"properties of {' and '.join(sorted(properties))} at once, which no machine has")
    namespace, features = next(iter(properties.items()))
    if architectures and namespace not in architectures:
        raise _invalid(f"properties of {namespace}, and the wheel is for {', '.join(sorted(architectures))}")
    wanted = frozenset[str]().union(*(_weakest(namespace, feature, values) for feature, values in features.items()))
    return Need.uniform(namespace, wanted, source="declared", evidence=evidence)


def _weakest(namespace: str, feature: str, values: Iterable[str]) -> frozenset[str]:
    """Return the features that every one of these values stands for."""
    return frozenset.intersection(*(_features_of(namespace, feature, value) for value in values))


def _features_of(namespace: str, feature: str, value: str) -> frozenset[str]:
    table = architecture(namespace)
    if feature == _PROVIDERS[namespace].feature:
        level = table.level(_level_name(namespace, value))
        if level is not None:
            return level.features
    else:
        canonical = table.canonical(feature)
        if canonical is not None and value == "on":
            return frozenset({canonical})
    raise _invalid(f"{namespace} :: {feature} :: {value} is a property that nobody here can judge")


def _level_name(namespace: str, value: str) -> str:
    if namespace == "x86_64":
        return f"x86_64_{value}"
    match = _ARM_VERSION.fullmatch(value)
    if match is None:
        return ""
    major, minor = match.groups()
    # 8a is written without a minor, 9.0a with one
    return f"aarch64_{major}a" if minor is None else f"aarch64_{major}_{minor}a"


def _read_single(data: bytes) -> tuple[str, Properties]:
    try:
        body = json.loads(data, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"not JSON: {error}") from error
    body = _object(body, {"$schema", "default-priorities", "variants"}, {"providers"}, "the file")
    if not isinstance(body["$schema"], str):
        raise _invalid("$schema is not a text")
    namespaces = _read_namespaces(body["default-priorities"])
    if "providers" in body:
        _check_providers(body["providers"], namespaces)
    variants = body["variants"]
    if not isinstance(variants, dict) or len(variants) != 1:
        raise _invalid("a wheel has exactly one variant")
    label, properties = next(iter(variants.items()))
    if not _VALUE.fullmatch(label):
        raise _invalid(f"{label!r} is not a variant label")
    _check_properties(label, properties, namespaces)
    return label, properties


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _object(value: object, needed: set[str], allowed: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"{what} is not an object")
    missing, unknown = needed - value.keys(), value.keys() - needed - allowed
    if missing:
        raise _invalid(f"{what} lacks {', '.join(sorted(missing))}")
    if unknown:
        raise _invalid(f"{what} has unknown keys: {', '.join(sorted(unknown))}")
    return value


def _texts(value: object, grammar: re.Pattern[str], what: str) -> list[str]:
    if not isinstance(value, list) or not value:
        raise _invalid(f"{what} is not a list with something in it")
    for item in value:
        if not isinstance(item, str) or not grammar.fullmatch(item):
            raise _invalid(f"{what} has {item!r}, which does not follow the grammar")
    if len(set(value)) != len(value):
        raise _invalid(f"{what} has something twice")
    return value


def _read_namespaces(priorities: object) -> list[str]:
    known = _object(priorities, {"namespace"}, set(), "default-priorities")
    return _texts(known["namespace"], _NAMESPACE, "default-priorities.namespace")


def _check_providers(providers: object, namespaces: list[str]) -> None:
    for namespace, provider in _object(providers, set(namespaces), set(), "providers").items():
        what = f"the provider of {namespace}"
        forms = [form for form in _PROVIDER_FORMS if isinstance(provider, dict) and form in provider]
        if len(forms) != 1:
            raise _invalid(f"{what} has not exactly one of {', '.join(_PROVIDER_FORMS)}")
        _object(provider, set(forms), {"optional", *_PROVIDER_FORMS[forms[0]]}, what)
        if namespace in _PROVIDERS and forms != ["requires"]:
            # static properties hold on every machine: they can state no need of a CPU
            raise _invalid(f"{what} does not look at the machine")


def _check_properties(label: str, properties: object, namespaces: list[str]) -> None:
    if not isinstance(properties, dict):
        raise _invalid("the variant is not an object")
    if (label == NULL_LABEL) != (not properties):
        raise _invalid(f"the label {label!r}: 'null' is for the variant without properties, and for no other")
    for namespace, features in properties.items():
        if namespace not in namespaces:
            raise _invalid(f"{namespace!r} is not in default-priorities.namespace")
        if namespace not in _PROVIDERS:
            raise _invalid(f"the namespace {namespace!r} is one that nobody here can judge")
        if not isinstance(features, dict) or not features:
            raise _invalid(f"{namespace} is not an object with something in it")
        for feature, values in features.items():
            if not _NAMESPACE.fullmatch(feature):
                raise _invalid(f"{feature!r} is not the name of a feature")
            if _texts(values, _VALUE, f"{namespace} :: {feature}") != sorted(values):
                raise _invalid(f"the values of {namespace} :: {feature} are not sorted")


def _invalid(message: str) -> InvalidVariantMetadata:
    return InvalidVariantMetadata(message, where="variant.json")
