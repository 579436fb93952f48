"""Large files, piece by piece, without a thread where the bytes are in memory anyway.

What the system has in its cache is read at once (``preadv2`` with ``RWF_NOWAIT``, Linux 4.14); what has to come from
the disk is read in a thread, so that nobody waits for it but who asked.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import Send

PIECE = 256 * 1024
"""Bytes sent at a time."""

_NOWAIT = getattr(os, "RWF_NOWAIT", None)
_TRY_AGAIN = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


async def send_file(send: Send, path: Path, size: int) -> None:
    """Send a file's bytes as the body of an answer that was begun.

    :param size: how many were announced; the file is a blob, which never changes
    :raises OSError: it cannot be read
    """
    descriptor = await run_in_threadpool(os.open, path, os.O_RDONLY)
    try:
        offset = 0
        while offset < size:
            piece = _at_once(descriptor, offset) or await run_in_threadpool(os.pread, descriptor, PIECE, offset)
            if not piece:
                raise OSError(errno.EIO, "a blob ends before its size", str(path))
            offset += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": offset < size})
    finally:
        os.close(descriptor)


def _at_once(descriptor: int, offset: int) -> bytes:
    """Return the next bytes if they are in memory, else nothing."""
    if _NOWAIT is None:
        return b""
    buffer = bytearray(PIECE)
    try:
        count = os.preadv(descriptor, [buffer], offset, _NOWAIT)
    except OSError as error:
        if error.errno in _TRY_AGAIN:
            return b""
        raise
    return bytes(memoryview(buffer)[:count])
