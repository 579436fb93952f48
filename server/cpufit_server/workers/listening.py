"""The sockets on which workers listen; the parent opens them and keeps them while a worker is replaced."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack

BACKLOG = 2048
"""Connections that wait to be taken; as uvicorn's."""

Sockets = tuple[socket.socket, ...]


def listening(host: str, port: int, workers: int) -> Sequence[Sockets]:
    """Return the sockets of each worker, one for each address of the host.

    Linux spreads connections over sockets of one address. Elsewhere the workers share one, and whoever is awake takes.

    :raises OSError: another process listens there, or the address is none of this machine
    """
    addresses = _addresses(host, port)
    with ExitStack() as opened:
        # a socket that shares its address would also share it with another server's workers
        whole = tuple(opened.enter_context(_bound(address, shared=False)) for address in addresses)
        for one in whole:
            one.listen(BACKLOG)
        if sys.platform != "linux":
            opened.pop_all()
            return (whole,) * workers
    with ExitStack() as opened:
        each = tuple(
            tuple(opened.enter_context(_bound(address, shared=True)) for address in addresses) for _ in range(workers)
        )
        for one in (one for sockets in each for one in sockets):
            one.listen(BACKLOG)
        opened.pop_all()
        return each


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, place) for family, _, _, _, place in found))


def _bound(address: tuple[socket.AddressFamily, tuple[object, ...]], *, shared: bool) -> socket.socket:
    family, place = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared and sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
    except BaseException:
        made.close()
        raise
    return made
