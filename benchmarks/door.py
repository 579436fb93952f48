"""What three indexes let in: the same uploads to cpufit, devpi-server and pypiserver, one after another.

    python -m benchmarks.door [--only SERVER]... [--write]

The peers are installed into environments of their own in a temporary folder, from the index that uv uses, and listen
on the loopback. The uploads are those of ``tests/flow/upload_probes.py``. With ``--write`` the answers are kept in
``door.json`` and the page of the documentation is made. The status is 1 where cpufit answers otherwise than is wanted a
probe that the tests hold it to.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.door_page import page, table
from tests.flow.flow_rivals import Door, devpi, pypiserver
from tests.flow.flow_server import running_server
from tests.flow.upload_probes import HELD, project_of, status_of

ROOT = Path(__file__).parent.parent
STORE = Path(__file__).with_name("door.json")
PAGE = ROOT / "docs" / "reference" / "door.md"


def main() -> int:
    """Send every probe to every index, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(SERVERS), help="ask this index alone; repeatable")
    parser.add_argument("--write", action="store_true", help="keep the answers and write the page")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("the page has all columns, and they come from one run")
    columns: dict[str, dict[str, Any]] = {}
    for name, start in SERVERS.items():
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory(prefix="door-") as folder, start(Path(folder)) as door:
            print(f"{name} {door.version} …", file=sys.stderr)
            answers = [status_of(probe, project_of(number), door.url, door.auth) for number, probe in enumerate(HELD)]
        columns[name] = {"version": door.version, "answers": answers}
    probes = [{"name": probe.name, "wanted": list(probe.wanted)} for probe in HELD]
    told = {"date": dt.datetime.now(dt.timezone.utc).date().isoformat(), "probes": probes, "columns": columns}
    print(table(told))
    if options.write:
        STORE.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(told), encoding="utf-8")
    ours = columns.get("cpufit", {"answers": []})["answers"]
    return int(any(status not in probe.wanted for status, probe in zip(ours, HELD, strict=False)))


@contextmanager
def cpufit(folder: Path) -> Iterator[Door]:
    """Run the server of this checkout."""
    with running_server(folder) as server:
        token = server.token(*(project_of(number) for number in range(len(HELD))))
        version, simple = importlib.metadata.version("cpufit"), f"{server.url}/simple/"
        yield Door(version=version, url=server.upload_url(), simple=simple, auth=("__token__", token))


SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Door]]] = {
    "cpufit": cpufit,
    "devpi": devpi,
    "pypiserver": pypiserver,
}


if __name__ == "__main__":
    raise SystemExit(main())
