"""What the cache costs and saves: an application installed directly, through a cold cache and through a warm one.

Usage: ``python benchmarks/upstream.py [--application NAME] [--rounds N] [--client pip|uv]``; needs
``pip install -e '.[dev]'`` and the index that this machine's pip uses. In each round a client with nothing cached
installs the application three times into empty folders, in turning order: from the index itself, through a server with
an empty home, and through one that has served it once. In the end the warm server is started again with
``--upstream-offline`` and has to do it alone. The figures are seconds, and each round's ratio to the direct install.

The exit status is 1 where a median misses its limit: cold within 1.3 times of direct, warm faster than direct.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.flow.flow_clients import uv_program
from tests.flow.flow_machines import clean_environment
from tests.flow.flow_server import running_server

from cpufit_server.sources.pip_settings import PipSettings, read_pip_settings

COLD_LIMIT = 1.3
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NETRC")


def install(client: str, scratch: Path, application: str, index_url: str, settings: PipSettings) -> float:
    """Install the application into an empty folder and return the seconds that it took."""
    scratch.mkdir(parents=True)
    target = ["--target", str(scratch / "site")]
    if client == "uv":
        command = [str(uv_program()), "pip", "install", "--python", sys.executable, "--no-cache", *target]
    else:
        command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", "--quiet", *target]
    variables = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    if settings.certificate is not None:
        variables |= {"PIP_CERT": settings.certificate, "SSL_CERT_FILE": settings.certificate}
    if settings.proxy is not None:
        variables["PIP_PROXY"] = settings.proxy
    environment = {**clean_environment(scratch), **variables, "UV_HTTP_TIMEOUT": "180"}
    started = time.perf_counter()
    ended = subprocess.run(
        [*command, "--index-url", index_url, application], env=environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if ended.returncode:
        raise SystemExit(f"{client} failed:\n{ended.stdout}{ended.stderr}")
    return seconds


def measure_round(number: int, folder: Path, client: str, application: str, settings: PipSettings) -> dict[str, float]:
    """Return the seconds of one round; the server's home is left for the next question."""
    found = {}

    def direct() -> None:
        found["direct"] = install(client, folder / "direct", application, f"{settings.index_url}", settings)

    if number % 2 == 0:
        direct()
    with running_server(folder / "server", "--upstream", "pip") as server:
        started = cpu_seconds(server.pid)
        found["cold"] = install(client, folder / "cold", application, f"{server.url}/simple/", settings)
        filled = cpu_seconds(server.pid)
        if number % 2:
            direct()
        found["warm"] = install(client, folder / "warm", application, f"{server.url}/simple/", settings)
        found |= {"cold CPU": filled - started, "warm CPU": cpu_seconds(server.pid) - filled}
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used (proc(5)): what the cache costs, however busy the machine is."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(client: str, rounds: list[dict[str, float]]) -> bool:
    """Print a client's figures and return whether they are within the limits."""
    print(f"\n{client}: seconds, minimum / median / maximum")
    for way in ("direct", "cold", "warm"):
        seconds = [one[way] for one in rounds]
        ratio = statistics.median(one[way] / one["direct"] for one in rounds)
        print(
            f"  {way:7}{min(seconds):7.1f}{statistics.median(seconds):7.1f}{max(seconds):7.1f}   {ratio:.2f} of direct"
        )
    cold, warm = (statistics.median(one[way] / one["direct"] for one in rounds) for way in ("cold", "warm"))
    return cold <= COLD_LIMIT and warm < 1


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--application", default="jupyterlab")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--client", choices=("pip", "uv"), action="append")
    arguments = parser.parse_args()
    settings, within = read_pip_settings(), True
    with tempfile.TemporaryDirectory() as name:
        for client in arguments.client or ["pip", "uv"]:
            rounds = []
            for number in range(arguments.rounds):
                folder = Path(name) / f"{client}-{number}"
                rounds.append(measure_round(number, folder, client, arguments.application, settings))
                print(client, number, {way: round(seconds, 1) for way, seconds in rounds[-1].items()}, flush=True)
            within &= report(client, rounds)
            with running_server(folder / "server", "--upstream", "pip", "--upstream-offline") as server:
                seconds = install(client, folder / "offline", arguments.application, f"{server.url}/simple/", settings)
            installed = len(list((folder / "offline" / "site").glob("*.dist-info")))
            print(f"  offline{seconds:6.1f}   {installed} projects installed with no connection to the index")
    return 0 if within else 1


if __name__ == "__main__":
    raise SystemExit(main())
