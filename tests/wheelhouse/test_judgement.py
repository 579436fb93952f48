from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cpufit_resolver.errors import InvalidCpuToken, UnknownCpuFeature
from cpufit_resolver.need import BASELINE_NEED, Need, parse_need
from cpufit_wheelhouse.archive import WheelInfo, open_wheel
from cpufit_wheelhouse.errors import InvalidVariantMetadata, NeedRefused
from cpufit_wheelhouse.inspection.verdict import Evidence, Verdict, Weight
from cpufit_wheelhouse.judgement import NoInspector, Override, judge
from cpufit_wheelhouse.variant import variant_json

Factory = Callable[..., Path]
ELF = {"small/fast.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)}
LINUX = "cp39-abi3-manylinux_2_17_x86_64"
MAC = "cp39-abi3-macosx_11_0_universal2"
OWN_V2 = variant_json("v2", {"x86_64": {"level": ["v2"]}})
X86 = frozenset({"x86_64"})


class Reader:
    """An inspector that answers one thing and counts how often it is asked."""

    def __init__(self, found: Need | None) -> None:
        self.answer = Verdict(need=found)
        self.asked = 0

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:
        assert path.name == info.filename.format()
        self.asked += 1
        return self.answer


def judged(path: Path, declared: str | None = None, reader: Reader | None = None) -> Need | None:
    return judge(open_wheel(path, path.name), path, declared, NoInspector() if reader is None else reader).need


def test_without_machine_code_a_wheel_is_baseline(wheel_factory: Factory) -> None:
    reader = Reader(None)
    need = judged(wheel_factory(), reader=reader)
    assert need == BASELINE_NEED
    assert need is not None
    assert (need.source, reader.asked) == ("baseline", 0)


def test_machine_code_about_which_nobody_said_anything_is_unknown(wheel_factory: Factory) -> None:
    assert judged(wheel_factory(tags=LINUX, members=ELF)) is None


def test_machine_code_tells_where_nobody_said_anything(wheel_factory: Factory) -> None:
    reader = Reader(parse_need("avx2", X86))
    path = wheel_factory(tags=LINUX, members=ELF)
    found = judge(open_wheel(path, path.name), path, None, reader)
    assert (found.need, found.verdict) == (parse_need("avx2", X86), reader.answer)


def test_a_declaration_at_or_above_the_verdict_stands_and_keeps_the_verdicts_proof(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    reader = Reader(
        Need.uniform("x86_64", parse_need("avx", X86).relevant_features, source="inspected", evidence=["a"])
    )
    need = judged(path, declared="avx2,avx", reader=reader)
    assert need is not None
    assert (need.key, need.source) == ("x86_64_v1+avx+avx2", "declared")
    assert need.evidence == ("a", "declared: avx2,avx")
    assert reader.asked == 1


@pytest.mark.parametrize("label", [None, "v2"])
def test_a_word_below_the_verdict_is_refused_with_the_evidence_for_what_it_leaves_out(
    wheel_factory: Factory, label: str | None
) -> None:
    path = wheel_factory(tags=LINUX, members=ELF, label=label, variant_json=OWN_V2)
    evidence = ["needs popcnt: small/fast.so", "needs avx2: small/fast.so, vpaddd in f (encoding)"]
    reader = Reader(
        Need.uniform("x86_64", parse_need("x86_64_v3", X86).relevant_features, source="i", evidence=evidence)
    )
    with pytest.raises(NeedRefused) as caught:
        judged(path, reader=reader)
    assert caught.value.code == "need-below-verdict"
    assert "x86_64_v2 is stated" in caught.value.message
    assert "needs x86_64_v3: needs avx2: small/fast.so, vpaddd in f" in caught.value.message


def test_a_word_below_the_verdict_is_raised_where_the_index_wants_that(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    reader = Reader(parse_need("avx2", X86))
    info = open_wheel(path, path.name)
    need = judge(info, path, "popcnt", reader, below="raise").need
    assert need is not None
    assert need.key == "x86_64_v1+avx2+popcnt"


def test_a_declaration_stands_where_the_verdict_is_undetermined(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    assert judged(path, declared="avx", reader=Reader(None)) == parse_need("avx", X86)
    assert judged(path, reader=Reader(None)) is None


def evidence(*features: str, weight: Weight = "requires") -> Evidence:
    return Evidence(rule="no-dispatcher", arch="x86_64", features=features, library="a.so", weight=weight)


def test_nobody_states_less_than_what_could_be_read_of_an_undetermined_wheel(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    reader = Reader(None)
    reader.answer = Verdict(
        need=None, evidence=(evidence("avx2"), evidence("avx512f", weight="suspects")), undetermined=("b.so: cut off",)
    )
    with pytest.raises(NeedRefused) as caught:
        judged(path, declared="popcnt", reader=reader)
    assert caught.value.code == "need-below-verdict"
    assert "what can be read of the machine code needs x86_64_v1+avx2: needs avx2: a.so" in caught.value.message
    assert judged(path, declared="avx2", reader=reader) == parse_need("avx2", X86)
    raised = judge(open_wheel(path, path.name), path, "popcnt", reader, below="raise").need
    assert raised == parse_need("avx2,popcnt", X86)
    assert judged(path, reader=reader) is None


def test_a_refusal_explains_each_feature_that_was_left_out(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    told = ["needs avx: a.so, vaddps in f", "needs avx bmi2: b.so, shlx in g", "needs avx fma: c.so", "needs avx: d.so"]
    need = parse_need("avx,bmi2,fma", X86)
    reader = Reader(Need.uniform("x86_64", need.relevant_features, source="inspected", evidence=told))
    with pytest.raises(NeedRefused) as caught:
        judged(path, declared="popcnt", reader=reader)
    assert caught.value.message.endswith("; ".join(told[:3]))
    assert caught.value.hint is not None
    assert need.key in caught.value.hint
    with pytest.raises(NeedRefused) as again:
        judged(path, declared="avx,fma", reader=reader)
    assert again.value.message.endswith(f": {told[1]}")


def test_an_operators_override_stands_above_the_verdict_and_every_word(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    override = Override(
        sha256="0" * 64,
        need=parse_need("popcnt", X86),
        who="ops",
        why="guarded in Python",
        created_at=datetime.now(timezone.utc),
    )
    reader = Reader(parse_need("avx2", X86))
    found = judge(open_wheel(path, path.name), path, "avx", reader, override=override)
    assert (found.need, found.verdict) == (override.need, reader.answer)


@pytest.mark.parametrize("members", [None, ELF])
def test_a_declared_need_is_honoured_with_and_without_machine_code(
    wheel_factory: Factory, members: dict[str, bytes] | None
) -> None:
    need = judged(wheel_factory(tags=LINUX, members=members), declared="x86_64_v2+avx+f16c")
    assert need is not None
    assert (need.key, need.source) == ("x86_64_v2+avx+f16c", "declared")
    assert need.evidence == ("declared: x86_64_v2+avx+f16c",)


def test_the_wheels_own_variant_json_states_a_need(wheel_factory: Factory) -> None:
    need = judged(wheel_factory(tags=LINUX, members=ELF, label="v2", variant_json=OWN_V2))
    assert need is not None
    assert (need.key, need.evidence) == ("x86_64_v2", ("variant.json: x86_64 :: level :: v2",))


def test_variant_json_in_a_wheel_without_a_label_counts_too(wheel_factory: Factory) -> None:
    need = judged(wheel_factory(tags=LINUX, members=ELF, variant_json=OWN_V2))
    assert need == parse_need("x86_64_v2", X86)


def test_the_label_must_be_the_one_of_variant_json(wheel_factory: Factory) -> None:
    with pytest.raises(InvalidVariantMetadata, match="label 'v3'"):
        judged(wheel_factory(tags=LINUX, label="v3", variant_json=OWN_V2))


def test_a_declaration_may_raise_what_variant_json_says(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF, variant_json=OWN_V2)
    need = judged(path, declared="x86_64_v3")
    assert need is not None
    assert need.key == "x86_64_v3"
    assert need.evidence == ("declared: x86_64_v3", "variant.json: x86_64 :: level :: v2")
    assert judged(path, declared="x86_64_v2") == parse_need("x86_64_v2", X86)


@pytest.mark.parametrize("declared", ["x86_64_v1", "x86_64_v1+avx2"])
def test_a_declaration_below_variant_json_is_refused_naming_both(wheel_factory: Factory, declared: str) -> None:
    path = wheel_factory(tags=LINUX, members=ELF, variant_json=OWN_V2)
    with pytest.raises(NeedRefused) as caught:
        judged(path, declared=declared)
    assert declared in caught.value.message
    assert "x86_64_v2" in caught.value.message


def test_a_declaration_that_cannot_be_read_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=LINUX, members=ELF)
    with pytest.raises(UnknownCpuFeature):
        judged(path, declared="avx99")
    with pytest.raises(InvalidCpuToken, match="aarch64"):
        judged(path, declared="aarch64_8_2a")


def test_a_universal_wheel_needs_a_word_about_both_halves(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=MAC, members={"small/fast.so": b"\xca\xfe\xba\xbe\0\0\0\x02" + bytes(56)})
    need = judged(path, declared="x86_64_v3,aarch64_8_2a")
    assert need is not None
    assert need.as_dict() == {
        "aarch64": {"import": "aarch64_8_2a", "use": "aarch64_8_2a"},
        "x86_64": {"import": "x86_64_v3", "use": "x86_64_v3"},
    }
    with pytest.raises(NeedRefused, match="says nothing of aarch64"):
        judged(path, declared="x86_64_v3")


def test_the_null_variant_is_a_word_about_every_architecture(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=MAC, members=ELF, label="null", variant_json=variant_json("null", {}))
    assert judged(path) == BASELINE_NEED
