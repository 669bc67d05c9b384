"""Wait until something is so, in place of a sleep that is either too short or too long."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar, cast

from toril import Queue

T = TypeVar("T")

# Seconds between two looks.
FIRST_NAP = 0.001
LONGEST_NAP = 0.05


async def eventually(check: Callable[[], T | Awaitable[T]], timeout: float = 10.0) -> T:
    """Look again and again until `check` gives something true, and give that.

    `check` may be async. An AssertionError in it means "not yet". When `timeout` seconds are over the
    last failure is raised as an AssertionError.
    """
    failure: AssertionError | None = None
    for nap in _naps(timeout):
        try:
            found = check()
            if inspect.isawaitable(found):
                found = await cast("Awaitable[T]", found)
            if found:
                return cast("T", found)
        except AssertionError as error:
            failure = error
        await asyncio.sleep(nap)
    raise _never(check, timeout) from failure


def eventually_sync(check: Callable[[], T], timeout: float = 10.0) -> T:
    """`eventually` for a test without a loop."""
    failure: AssertionError | None = None
    for nap in _naps(timeout):
        try:
            if found := check():
                return found
        except AssertionError as error:
            failure = error
        time.sleep(nap)
    raise _never(check, timeout) from failure


def _naps(timeout: float) -> Iterator[float]:
    """How long to wait after each look; the last look is at the end of the time."""
    end = time.monotonic() + timeout
    nap = FIRST_NAP
    while (left := end - time.monotonic()) > 0:
        yield min(nap, left)
        nap = min(nap * 1.5, LONGEST_NAP)
    yield 0.0


def _never(check: Callable[[], object], timeout: float) -> AssertionError:
    return AssertionError(f"not so within {timeout:g} s: {getattr(check, '__qualname__', check)!s}")


async def all_completed(queue: Queue, count: int) -> bool:
    """Whether so many jobs of the queue have completed, as a check."""
    return await queue.get_completed_count() == count
