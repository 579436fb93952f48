"""Of several processes that want one file, one fetches it and the others read along from its staging file.

The one that fetches has the file's lock, which goes with the process. So when it dies, another one goes on from where
its own copy ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from cpufit_wheelhouse.process_locks import ProcessLocks
    from cpufit_wheelhouse.pullthrough import FileCache, Spool

_PIECE = 1 << 20
_PAUSE = 0.05
"""Bytes, and seconds between two looks at what another process has written."""


async def read_along(
    spool: Spool, cache: FileCache, locks: ProcessLocks, write: Callable[[bytes], Awaitable[object]]
) -> bool:
    """Copy what another process fetches, until this one has the file's lock; it is the caller's to release.

    :param write: takes what is to be appended to the spool
    :returns: whether the whole file was in the cache by then, and is in the spool
    :raises OSError: it cannot be read or written
    """
    sha256 = spool.sha256
    while not locks.take(sha256):
        piece = await run_in_threadpool(cache.beyond, sha256, spool.size, _PIECE)
        if piece:
            await write(piece)
        else:
            await asyncio.sleep(_PAUSE)
    try:
        return await _from_cache(spool, cache, write)
    except BaseException:
        locks.release(sha256)
        raise


async def _from_cache(spool: Spool, cache: FileCache, write: Callable[[bytes], Awaitable[object]]) -> bool:
    whole = await run_in_threadpool(cache.open, spool.sha256)
    if whole is None:
        return False
    try:
        while spool.size < whole.size:
            await write(await run_in_threadpool(whole.read_at, spool.size, _PIECE))
    finally:
        whole.close()
    return True
