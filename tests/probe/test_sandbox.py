"""What code inside the sandbox can reach, fill and keep: run there natively, without an emulator."""

from __future__ import annotations

import os
import resource
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cpufit_wheelhouse.probe import sandbox, seccomp
from cpufit_wheelhouse.probe.pipes import Head, Pipe, Tail
from cpufit_wheelhouse.probe.sandbox import Ended, SandboxLimits, run_sandboxed

LIMITS = SandboxLimits(seconds=20, memory_bytes=4 << 30, file_bytes=8 << 20, processes=64)
MUST_FAIL = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def must_fail(work):
    try:
        result = work()
    except OSError:
        return
    raise SystemExit(f"it could: {result}")
"""


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    if sys.platform != "linux" or not Path("/usr/bin/python3").exists():
        pytest.skip("needs the system's Python")
    if (reason := sandbox.unavailable()) is not None:
        pytest.skip(reason)


def inside(code: str, limits: SandboxLimits = LIMITS) -> Ended:
    return run_sandboxed(["/usr/bin/python3", "-S", "-c", code], binds={}, environ={}, limits=limits)


def test_no_namespace_is_made_inside_in_which_code_is_root() -> None:
    code = """
for flag in (0x10000000, 0x00020000, 0x40000000):
    assert libc.unshare(flag) == -1 and ctypes.get_errno() == errno.EPERM, hex(flag)
assert libc.syscall(ctypes.c_long(CLONE), ctypes.c_long(0x10000000 | 17), 0, 0, 0, 0) == -1
assert libc.ptrace(16, 1, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM
"""
    number = seccomp._CLONE[os.uname().machine]
    ended = inside(MUST_FAIL + code.replace("CLONE", str(number)))
    assert (ended.status, ended.stderr) == (0, "")


def test_networks_without_a_namespace_are_closed_too() -> None:
    code = """
must_fail(lambda: socket.socket(40, socket.SOCK_STREAM))  # AF_VSOCK: the host of a virtual machine
must_fail(lambda: socket.socket(38, socket.SOCK_SEQPACKET))  # AF_ALG
a, b = socket.socketpair()
a.send(b"x")
assert b.recv(1) == b"x"
socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
"""
    ended = inside(MUST_FAIL + code)
    assert (ended.status, ended.stderr) == (0, "")


def test_nothing_of_this_process_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPUFIT_TOKEN", "hush")
    code = """
assert "hush" not in str(os.environ)
for process in filter(str.isdigit, os.listdir("/proc")):
    if process != str(os.getpid()):
        must_fail(lambda: open(f"/proc/{process}/environ", "rb").read())
assert {os.path.basename(one) for one in os.listdir("/")} <= {
    "bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "probe", "sbin", "tmp", "usr"}
assert set(os.listdir("/etc")) <= {"alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"}
assert not [one for one in os.listdir("/proc/self/fd") if int(one) > 3]
"""
    ended = inside(MUST_FAIL + code)
    assert (ended.status, ended.stderr) == (0, "")


def test_what_is_written_goes_to_two_folders_of_limited_size() -> None:
    code = """
for place in ("/", "/etc", "/dev", "/usr", "/proc"):
    must_fail(lambda: open(place + "/here", "w"))
for place in ("/tmp", "/dev/shm"):
    def fill():
        for number in range(100):
            with open(f"{place}/{number}", "wb") as file:
                file.write(bytes(1 << 20))
    must_fail(fill)
"""
    ended = inside(MUST_FAIL + code)
    assert (ended.status, ended.stderr) == (0, "")


def test_what_packages_do_as_they_are_imported_works() -> None:
    code = """
import multiprocessing, subprocess, tempfile, threading
multiprocessing.Lock()
assert open("/etc/ld.so.cache", "rb").read(4)
thread = threading.Thread(target=int)
thread.start(), thread.join()
subprocess.run(["/bin/true"], check=True)
tempfile.TemporaryFile().write(b"x")
"""
    ended = inside(code)
    assert (ended.status, ended.stderr) == (0, "")


def test_memory_is_counted_over_all_processes() -> None:
    code = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = b"x" * (100 << 20)
        time.sleep(60)
time.sleep(60)
"""
    begun = time.monotonic()
    ended = inside(code, replace(LIMITS, memory_bytes=400 << 20))
    assert ended.too_large
    assert not ended.timed_out
    assert time.monotonic() - begun < 15


def test_memory_that_belongs_to_no_process_is_not_had() -> None:
    code = "must_fail(lambda: os.memfd_create('x'))\nassert libc.shmget(0, 4096, 0o1600) == -1\n"
    ended = inside(MUST_FAIL + code)
    assert (ended.status, ended.stderr) == (0, "")


def test_output_without_end_is_not_kept() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = run_sandboxed(["/usr/bin/yes"], binds={}, environ={}, limits=replace(LIMITS, seconds=2))
    assert ended.timed_out
    assert len(ended.stdout) <= 1 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_who_ignores_signals_and_leaves_the_session_is_ended_with_the_rest() -> None:
    code = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["cpufit-NAME", "60"])
time.sleep(60)
"""
    name = secrets.token_hex(8)
    assert inside(code.replace("cpufit-NAME", name), replace(LIMITS, seconds=2)).timed_out
    told = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert name not in told


def test_the_child_of_a_run_that_ended_ends_with_it() -> None:
    begun = time.monotonic()
    ended = inside("import os\nif os.fork() == 0:\n    os.setsid()\n    os.execv('/bin/sleep', ['sleep', '60'])\n")
    assert ended.status == 0
    assert time.monotonic() - begun < 15


def test_a_status_is_not_taken_for_a_signal_that_there_is_not() -> None:
    assert inside("import os; os._exit(255)").status == 255
    assert inside("import os; os.kill(os.getpid(), 4)").status == -4


def test_other_processes_of_the_same_user_do_not_count() -> None:
    if os.geteuid() == 0:
        pytest.skip("root becomes a user with hardly any other process")
    others = [subprocess.Popen(["/bin/sleep", "30"]) for _ in range(LIMITS.processes)]
    try:
        assert sandbox.unavailable() is None
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_two_runs_of_root_are_two_users() -> None:
    """What each may have is counted by user: one that forks without end is nothing to another."""
    if os.geteuid() != 0:
        pytest.skip("anybody else's runs have a user namespace each")
    users = {inside("import os; print(os.getuid(), os.getgid(), os.getgroups())").stdout for _ in range(3)}
    assert "0" not in "".join(users).split()
    assert len(users) == 3


def test_pipes_keep_no_more_than_they_are_told_to() -> None:
    head, tail = Head(10), Tail(10)
    for keeper in (head, tail):
        pipe = Pipe(keeper.feed)
        reading = os.dup(pipe.write)
        pipe.given()
        for number in range(100):
            os.write(reading, f"{number:04}".encode())
        os.close(reading)
        pipe.close()
    assert head.text == "0000000100"
    assert tail.text == "9700980099"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_ends_inside_it(machine: str) -> None:
    program = seccomp.filter_program(machine)
    steps = [program[place : place + 8] for place in range(0, len(program), 8)]
    assert len(program) % 8 == 0
    for place, step in enumerate(steps):
        if step[0] & 7 == 5:  # a jump
            assert place + 1 + max(step[2], step[3]) < len(steps)
    assert steps[-1][0] == 6  # a return
