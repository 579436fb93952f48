"""Large files, piece by piece, without a thread where the bytes are in memory anyway.

What the system has in its cache is read at once; what has to come from the disk is read in a thread, so that nobody
waits for it but who asked. Which of the two it is tells a read of a piece's last byte that may not wait (``preadv2``
with ``RWF_NOWAIT``, Linux 4.14): pages come into the cache in order, so the rest of the piece is there as well.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.types import Send

PIECE = 256 * 1024
"""Bytes sent at a time."""

_NOWAIT = getattr(os, "RWF_NOWAIT", None)
_TRY_AGAIN = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


async def send_file(send: Send, descriptor: int, size: int) -> None:
    """Send a file's bytes as the body of an answer that was begun, and close it.

    :param descriptor: the open file
    :param size: how many were announced; the file is a blob, which never changes
    :raises OSError: it cannot be read
    """
    try:
        offset = 0
        while offset < size:
            last = min(offset + PIECE, size) - 1
            if _in_memory(descriptor, last):
                piece = os.pread(descriptor, PIECE, offset)
            else:
                piece = await run_in_threadpool(os.pread, descriptor, PIECE, offset)
            if not piece:
                raise OSError(errno.EIO, "a blob ends before its size")
            offset += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": offset < size})
    finally:
        os.close(descriptor)


def _in_memory(descriptor: int, position: int) -> bool:
    if _NOWAIT is None:
        return False
    try:
        return os.preadv(descriptor, [bytearray(1)], position, _NOWAIT) == 1
    except OSError as error:
        if error.errno in _TRY_AGAIN:
            return False
        raise
