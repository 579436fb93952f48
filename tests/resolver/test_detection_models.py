"""Detection on every CPU that qemu's user-mode emulation has: told is what runs, no more and no less."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.resolver import oracle
from tests.resolver.oracle import Told

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.probe.arm64_root import Arm64Unavailable, make_arm64_root

ON_X86_LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"
WHOLE_GRID = os.environ.get("CPUFIT_TEST_GRID") == "1"
ARM64_MODELS = ("cortex-a53", "cortex-a72", "neoverse-n1", "max")

Asked = tuple[Mapping[str, bool] | None, Mapping[str, Told]]

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(not ON_X86_LINUX, reason="emulates Linux on x86-64"),
]


@pytest.fixture(scope="module")
def x86_oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = oracle.missing_tools("x86_64")
    if missing is not None:
        pytest.skip(missing)
    return oracle.build("x86_64", tmp_path_factory.mktemp("oracle"))


@pytest.fixture(scope="module")
def ask(x86_oracle: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Asked]]:
    """Give what a model runs and what is told of it; all models that this run tests are asked at once."""

    def both(model: str) -> Asked:
        emulator = ("qemu-x86_64", "-cpu", model)
        ran = oracle.executed(x86_oracle, emulator)
        return ran, {} if ran is None else oracle.told("x86_64", emulator)

    name = test_of_a_model_is_told_what_it_runs.__name__
    tests = [item for item in request.session.items if isinstance(item, pytest.Function) and item.originalname == name]
    pool = ThreadPoolExecutor(os.cpu_count())
    futures: dict[str, Future[Asked]] = {}
    for test in tests:
        model = str(test.callspec.params["model"])
        futures[model] = pool.submit(both, model)
    yield lambda model: futures[model].result()
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("model", oracle.models("x86_64", whole=WHOLE_GRID))
def test_of_a_model_is_told_what_it_runs(model: str, ask: Callable[[str], Asked]) -> None:
    ran, told = ask(model)
    if ran is None:
        pytest.skip("no 64-bit CPU")
    assert not oracle.disagreements("x86_64", told[""].features, ran)
    assert told[""].source == "glibc"
    # musl, and glibc before 2.33
    assert not oracle.disagreements("x86_64", told["cpuid"].features, ran)
    assert told["cpuid"].source == "cpuid"
    both = told["cpuid+proc-cpuinfo"]
    assert both.source == "cpuid+proc-cpuinfo"
    # a host that has no more than the model is not told apart from it, and may deny what it lacks itself
    claims = {feature: ran[feature] for feature in both.features if feature in ran}
    assert not oracle.disagreements("x86_64", both.features, ran if "emulator" in both.hidden else claims)


def test_of_this_machine_is_told_what_it_runs(x86_oracle: Path) -> None:
    ran = oracle.executed(x86_oracle)
    assert ran is not None
    for told in oracle.told("x86_64").values():
        assert not oracle.disagreements("x86_64", told.features, ran)


@pytest.mark.parametrize(
    ("tunables", "gone"),
    [("-AVX2", {"avx2"}), ("-AVX", {"avx", "avx2", "fma", "f16c"}), ("-BMI2,-FMA", {"bmi2", "fma"})],
)
def test_what_glibc_is_told_to_leave_is_left_and_named(x86_oracle: Path, tunables: str, gone: set[str]) -> None:
    emulator = ("qemu-x86_64", "-cpu", "Haswell-v1")
    told = oracle.told("x86_64", emulator, GLIBC_TUNABLES=f"glibc.cpu.hwcaps={tunables}")[""]
    ran = oracle.executed(x86_oracle, emulator)
    assert ran is not None
    assert told.source == "glibc"
    assert told.hidden["glibc-tunables"] == gone
    assert not oracle.disagreements("x86_64", told.features | gone, ran)
    assert not told.features & gone


def test_exceptions_are_features_and_each_says_why() -> None:
    for arch in ("x86_64", "aarch64"):
        listed = {**oracle.MAY_BE_CLAIMED[arch], **oracle.MAY_BE_MISSED[arch], **oracle.NEVER_TRIED[arch]}
        listed |= oracle.BY_CPUID_ALONE if arch == "x86_64" else {}
        assert set(listed) <= architecture(arch).vocabulary
        assert all(listed.values())


def test_the_page_tells_of_every_exception() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "how-a-cpu-is-told.md").read_text(encoding="utf-8")
    listed = {
        feature for row in re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE) for feature in re.findall("`(.*?)`", row)
    }
    known = set(oracle.BY_CPUID_ALONE)
    for arch in ("x86_64", "aarch64"):
        known |= {*oracle.MAY_BE_CLAIMED[arch], *oracle.MAY_BE_MISSED[arch], *oracle.NEVER_TRIED[arch]}
    assert listed == known


@pytest.fixture(scope="module")
def arm_oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = oracle.missing_tools("aarch64")
    if missing is not None:
        pytest.skip(missing)
    return oracle.build("aarch64", tmp_path_factory.mktemp("oracle"))


@pytest.fixture(scope="module")
def arm64_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("arm64") / "root"
    try:
        make_arm64_root(root)
    except Arm64Unavailable as error:
        pytest.skip(f"no arm64 Python: {error}")
    return root


@pytest.mark.network
@pytest.mark.parametrize("model", ARM64_MODELS)
def test_of_an_arm64_model_is_told_what_it_runs(model: str, arm_oracle: Path, arm64_root: Path) -> None:
    emulator = ("qemu-aarch64", "-cpu", model)
    ran = oracle.executed(arm_oracle, emulator)
    assert ran is not None
    python = str(arm64_root / "usr" / "bin" / "python3")
    told = oracle.told("aarch64", (*emulator, "-L", str(arm64_root)), python)[""]
    assert not oracle.disagreements("aarch64", told.features, ran)
    assert (told.source, told.brand) == ("hwcap", None)
    assert set(told.hidden) == {"emulator"}
