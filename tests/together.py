"""Many threads that begin at the same instant."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def together(count: int, work: Callable[[int], Result]) -> tuple[list[Result], list[BaseException]]:
    """Do the same in many threads, each with its number; return what they returned, and what they raised."""
    gate = threading.Barrier(count)
    results: list[Result] = []
    errors: list[BaseException] = []

    def run(number: int) -> None:
        gate.wait()
        try:
            results.append(work(number))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, errors
