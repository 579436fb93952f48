"""The system calls that a probe's code is refused: ways to more of the kernel, and networks that have no namespace.

bubblewrap takes the filter as a classic BPF program. Nothing that an import wants is on the list; what is, is refused
with an error and kills nobody.
"""

from __future__ import annotations

import errno
import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # in struct seccomp_data; the low half, little endian
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NEW_NAMESPACES = 0x7E020000
_X32 = 0x40000000
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK: what the network namespace cuts off. AF_VSOCK reaches a machine's host."""

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE, _CLONE3, _SOCKET = {"x86_64": 56, "aarch64": 220}, 435, {"x86_64": 41, "aarch64": 198}
_REFUSED = {  # x86_64, aarch64
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "request_key": (249, 218),
    "setns": (308, 268),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_ABSENT = {"memfd_create": (319, 279), "shmget": (29, 194)}
"""Memory that belongs to no process, and code that is mapped from no file: as if the kernel did not have it."""


def known() -> bool:
    """Tell whether there is a filter for this machine."""
    return platform.machine() in _AUDIT


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter for a machine, this one unless another is named."""
    machine = platform.machine() if machine is None else machine
    column = list(_AUDIT).index(machine)
    steps = [_step(_LOAD, _ARCHITECTURE), *_unless(_EQUAL, _AUDIT[machine], errno.ENOSYS), _step(_LOAD, _NUMBER)]
    if machine == "x86_64":
        steps += _when(_AT_LEAST, _X32, errno.ENOSYS)
    # clone3 has its flags in memory, where no filter looks; libc takes clone then
    for number in (_CLONE3, *(numbers[column] for numbers in _ABSENT.values())):
        steps += _when(_EQUAL, number, errno.ENOSYS)
    for numbers in _REFUSED.values():
        steps += _when(_EQUAL, numbers[column], errno.EPERM)
    clone = [_step(_LOAD, _FIRST_ARGUMENT), *_when(_ANY_BIT, _NEW_NAMESPACES, errno.EPERM), _step(_RETURN, _ALLOW)]
    steps += [_step(_EQUAL, _CLONE[machine], 0, len(clone)), *clone]
    allowed = [_step(_EQUAL, family, len(_FAMILIES) - place, 0) for place, family in enumerate(_FAMILIES)]
    sockets = [_step(_LOAD, _FIRST_ARGUMENT), *allowed, _error(errno.EAFNOSUPPORT)]
    steps += [_step(_EQUAL, _SOCKET[machine], 0, len(sockets)), *sockets, _step(_RETURN, _ALLOW)]
    return b"".join(steps)


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _error(number: int) -> bytes:
    return _step(_RETURN, _ERROR | number)


def _when(test: int, value: int, number: int) -> list[bytes]:
    return [_step(test, value, 0, 1), _error(number)]


def _unless(test: int, value: int, number: int) -> list[bytes]:
    return [_step(test, value, 1, 0), _error(number)]
