"""Nothing in this folder may leave anything behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.database import Database
from tests.support.meter import Cost, cost_of, metered

# What no call may take more of the server than, as a script: some 10 ms on an idle machine. Calls take a
# quarter of it at most.
_LONGEST = "for _ = 1, 20000 do redis.call('EXISTS', KEYS[1]) end"


@pytest.fixture(autouse=True)
def _clean(no_leaks: None) -> None:
    """Apply the look for leaks to every test."""


@pytest.fixture
def slow_calls(database: Database) -> Iterator[Callable[[], list[Cost]]]:
    """Tells which calls took too much of the server since it was asked before.

    The server's own processor time is told, beside that of a call whose work is known, so it is the same
    on a busy machine and on a slow one. Memory that the kernel has to find can make any call late: one in
    fifty is not told, unless it took four times too much. A call whose work has no bound is among those.
    """
    with metered() as costs:

        def tell() -> list[Cost]:
            longest_us = cost_of(database, "EVAL", _LONGEST, 1, "nothing")
            late = [cost for cost in costs if cost.cpu_us > longest_us]
            by_chance = len(late) <= len(costs) // 50 and all(cost.cpu_us < 4 * longest_us for cost in late)
            costs.clear()
            return [] if by_chance else late

        yield tell
