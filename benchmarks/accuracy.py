"""How right the verdicts are: real wheels whose truth was measured, cpufit, auditwheel, and counting instructions.

    python -m benchmarks.accuracy [--wheels DIR] [--probe] [--write]

Wheels that are not in DIR are fetched with pip. What was judged is kept in ``truth/judged.json`` beside the rules'
version; with ``--probe`` the wheels are imported on emulated CPUs as well (an hour). ``--write`` makes
``docs/reference/accuracy.md`` of it. The status is 1 where a verdict is not what was measured.

Peers: auditwheel (``pip install auditwheel``) reads the ISA note of each library; "any" is what every scanner of
single instructions says, the features of all the instructions inside.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cpufit_resolver.need import ArchNeed, Need
from cpufit_wheelhouse.archive import open_archive
from cpufit_wheelhouse.inspection.facts import gather
from cpufit_wheelhouse.inspection.rules import closed
from cpufit_wheelhouse.inspection.verdict import RULES_VERSION, Verdict
from cpufit_wheelhouse.inspection.wheel import inspect_wheel
from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.member import load_member
from cpufit_wheelhouse.native import PREFIX_LENGTH, native_kind
from cpufit_wheelhouse.probe.combine import combine
from cpufit_wheelhouse.probe.options import ProbeOptions
from cpufit_wheelhouse.probe.probe import probe_wheel

TRUTH = Path(__file__).parent / "truth"
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "accuracy.md"
ARCH = "x86_64"
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (35, 34, 31, 28, 27, 26, 24, 18, 17, 12, 5)]


def main() -> int:
    """Judge what is not yet judged, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="where the wheels are or come (./wheels)")
    parser.add_argument("--probe", action="store_true", help="import them on emulated CPUs as well")
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    options = parser.parse_args()
    needs = read("needs.json")
    store = TRUTH / "judged.json"
    judged: dict[str, Any] = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for one in needs:
        known = judged.get(one["wheel"], {})
        fresh = known.get("rules_version") == RULES_VERSION
        if fresh and ("probed" in known or not options.probe):
            continue
        judged[one["wheel"]] = known = judge(find(one["wheel"], options.wheels), known if fresh else {}, options.probe)
        store.write_text(json.dumps(judged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(one["wheel"], json.dumps(known), flush=True)
    from benchmarks.accuracy_page import page, wrong  # noqa: PLC0415  # beside this script

    if options.write:
        PAGE.write_text(page(needs, judged, read("measured.json"), read("cases.json")), encoding="utf-8")
    faults = wrong(needs, judged)
    print(*faults, sep="\n")
    return 1 if faults else 0


def read(name: str) -> Any:
    """Return a file of the truth."""
    return json.loads((TRUTH / name).read_text(encoding="utf-8"))


def find(pin: str, folder: Path) -> Path:
    """Return the wheel of a pin, fetched where it is not there."""
    name, _, version = pin.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    found = next(folder.glob(pattern), None)
    if found is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", "3.11", "--abi", "cp311", "--abi", "abi3", "--abi", "none"]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run([*command, "--dest", str(folder), pin], check=True)
        found = next(folder.glob(pattern))
    return found


def judge(path: Path, known: dict[str, Any], probing: bool) -> dict[str, Any]:
    """Return what each says of a wheel."""
    begin = time.perf_counter()
    static = inspect_wheel(path, path.name, threads=2)
    seconds = time.perf_counter() - begin
    result = dict(known) or {"static": tokens(static), "rules_version": RULES_VERSION, "seconds": round(seconds, 2)}
    result |= {"confidence": static.confidence}
    if "any" not in result:
        result["auditwheel"], result["any"] = peers(path)
    if probing:
        report = probe_wheel(path, path.name, static, ProbeOptions())
        together = combine(static, report)
        result["probed"] = tokens(together)
        result["asked"] = {run.model: run.result for run in report.runs}
        result["inconclusive"] = list(report.reasons) if not report.runs else []
    return result


def tokens(verdict: Verdict) -> dict[str, str] | None:
    """Return the need on x86-64."""
    return None if verdict.need is None else verdict.need.as_dict().get(ARCH)


def peers(path: Path) -> tuple[str, str]:
    """Return what auditwheel reads from the notes, and what the instructions inside add up to."""
    from auditwheel.lddtree import _get_platform  # noqa: PLC0415  # a peer, needed here alone
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415  # comes with auditwheel

    noted, everything = {"x86_64"}, frozenset[str]()
    with open_archive(path, path.name) as archive:
        for member in archive.files:
            prefix = next(iter(archive.pieces(member)), b"")
            if native_kind(prefix[:PREFIX_LENGTH]) != "elf":
                continue
            data = load_member(archive, member, 4 << 30)
            told = _get_platform(ELFFile(io.BytesIO(data.tobytes())))
            noted.add(str((told.extended_architecture or told.baseline_architecture).value))
            try:
                images = read_images(data, member)
            except UnreadableLibrary:
                continue
            for image in images:
                if image.arch == ARCH:
                    everything |= {name for name in gather(member, image, threads=2).used if not name.startswith(":")}
    features = closed(ARCH, everything)
    return max(noted, key=len), Need.of({ARCH: ArchNeed(features, features)}, source="any").as_dict()[ARCH]["use"]


if __name__ == "__main__":
    sys.exit(main())
