"""Nothing in this folder may leave anything behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.database import Database

# No call may hold up the server for longer. Calls take a tenth of it; the machine is slow at times.
LONGEST_US = 10_000
# One call in so many may be late nonetheless, because the machine had other things to do.
MOST_LATE = 3


@pytest.fixture(autouse=True)
def _clean(no_leaks: None) -> None:
    """Apply the look for leaks to every test."""


@pytest.fixture
def slow_calls(database: Database) -> Iterator[Callable[[], list[str]]]:
    """Tells which calls have taken too long since it was asked before."""
    usual = database.command("CONFIG", "GET", "slowlog-log-slower-than")[1]

    def tell() -> list[str]:
        calls = database.command("SLOWLOG", "GET", 99)
        database.command("SLOWLOG", "RESET")
        return [f"{duration} us: {' '.join(words[:2])[:60]}" for _, _, duration, words, *_ in calls]

    database.command("CONFIG", "SET", "slowlog-log-slower-than", LONGEST_US)
    yield tell
    database.command("CONFIG", "SET", "slowlog-log-slower-than", usual)
