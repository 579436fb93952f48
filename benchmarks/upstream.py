"""What the cache costs and saves: an application installed directly, through a cold cache and through a warm one.

Usage: ``python -m benchmarks.upstream [--application NAME] [--rounds N] [--pairs N] [--client pip|uv]``; needs
``pip install -e '.[dev]'`` and the index that this machine's pip uses. In each round a client with nothing cached
installs the application into empty folders: once through a server with an empty home, then in pairs, in turning order,
from the index itself and through that server. In the end the warm server is started again with ``--upstream-offline``
and has to do it alone. The figures are seconds of the whole installation, its ratio to the direct one beside it, and
the seconds of CPU time that the server took for it, which tell most where others use the machine too. The first warm
installation has pages made anew, since METADATA was found meanwhile, so it is told apart.

The exit status is 1 where a median misses its limit: cold within 1.3 times of direct, warm faster than direct.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Round:
    """One server's life: seconds of each installation, and the server's CPU time for those that went through it."""

    cold: float
    direct: list[float]
    warm: list[float]
    cold_cpu: float
    warm_cpu: list[float]


def measure_round(
    number: int, folder: Path, client: str, application: str, settings: PipSettings, *, pairs: int
) -> Round:
    """Return the figures of one round; the server's home is left for the next question."""
    direct, warm, warm_cpu = [], [], []
    with running_server(folder / "server", "--upstream", "pip", CPUFIT_ACCESS_LOG="false") as server:

        def through(name: str) -> tuple[float, float]:
            before = cpu_seconds(server.pid)
            seconds = install(client, folder / name, application, f"{server.url}/simple/", settings)
            shutil.rmtree(folder / name)
            return seconds, cpu_seconds(server.pid) - before

        cold, cold_cpu = through("cold")
        for pair in range(pairs):
            for way in ("direct", "warm") if (number + pair) % 2 else ("warm", "direct"):
                if way == "warm":
                    seconds, cpu = through("warm")
                    warm.append(seconds)
                    warm_cpu.append(cpu)
                else:
                    direct.append(install(client, folder / way, application, f"{settings.index_url}", settings))
                    shutil.rmtree(folder / way)
    return Round(cold=cold, direct=direct, warm=warm, cold_cpu=cold_cpu, warm_cpu=warm_cpu)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used (proc(5)): what the cache costs, however busy the machine is."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(client: str, rounds: list[Round]) -> bool:
    """Print a client's figures and return whether they are within the limits."""
    cold = [(one.cold, one.cold / statistics.median(one.direct), one.cold_cpu) for one in rounds]
    warm = [
        list(
            zip(
                one.warm,
                [here / there for here, there in zip(one.warm, one.direct, strict=True)],
                one.warm_cpu,
                strict=True,
            )
        )
        for one in rounds
    ]
    ways = {
        "direct": [(seconds, 1.0, 0.0) for one in rounds for seconds in one.direct],
        "cold": cold,
        "warm": [entry for one in warm for entry in one],
        "  first": [one[0] for one in warm],
        "  later": [entry for one in warm for entry in one[1:]],
    }
    print(f"\n{client}: seconds, minimum / median / maximum; median ratio to direct; median CPU seconds of the server")
    medians = {}
    for way, found in ways.items():
        if found:
            seconds, ratios, cpu = zip(*found, strict=True)
            medians[way] = statistics.median(ratios)
            print(
                f"  {way:9}{min(seconds):7.1f}{statistics.median(seconds):7.1f}{max(seconds):7.1f}"
                f"{medians[way]:8.2f}{statistics.median(cpu):8.2f}"
            )
    return bool(medians["cold"] <= COLD_LIMIT and medians["warm"] < 1)


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--application", default="jupyterlab")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--client", choices=("pip", "uv"), action="append")
    arguments = parser.parse_args()
    settings, within = read_pip_settings(), True
    with tempfile.TemporaryDirectory() as name:
        for client in arguments.client or ["pip", "uv"]:
            rounds = []
            for number in range(arguments.rounds):
                folder = Path(name) / f"{client}-{number}"
                found = measure_round(number, folder, client, arguments.application, settings, pairs=arguments.pairs)
                rounds.append(found)
                print(client, number, found, flush=True)
            within &= report(client, rounds)
            folder = Path(name) / f"{client}-{arguments.rounds - 1}"
            with running_server(folder / "server", "--upstream", "pip", "--upstream-offline") as server:
                seconds = install(client, folder / "offline", arguments.application, f"{server.url}/simple/", settings)
            installed = len(list((folder / "offline" / "site").glob("*.dist-info")))
            print(f"  offline{seconds:6.1f}   {installed} projects installed with no connection to the index")
    return 0 if within else 1


if __name__ == "__main__":
    raise SystemExit(main())
