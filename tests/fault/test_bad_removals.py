"""What removes jobs refuses what it can't use, and removes nothing."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.database import Database
from toril import OptionError, Queue

NOT_FLAGS: list[Any] = [1, 0, "yes", None]
NOT_COUNTS: list[Any] = [-1, 1.5, "3", True, None, math.nan]
NOT_DURATIONS: list[Any] = [
    -1,
    "5",
    True,
    None,
    math.nan,
    math.inf,
    timedelta(seconds=-1),
    datetime(2030, 1, 1, tzinfo=UTC),
]
NOT_IDS: list[Any] = ["", None, 7, b"d", "a\ud800"]

Verb = Callable[[Queue, Any], Awaitable[Any]]

CASES: dict[str, tuple[str, Verb, list[Any]]] = {
    "drain delayed": ("delayed", lambda queue, value: queue.drain(delayed=value), NOT_FLAGS),
    "clean grace": ("grace", lambda queue, value: queue.clean(value), NOT_DURATIONS),
    "clean limit": ("limit", lambda queue, value: queue.clean(limit=value), NOT_COUNTS),
    "clean state": (
        "state",
        lambda queue, value: queue.clean(state=value),
        ["", "Completed", "complete", "unknown", "stalled", None, 7, ["wait"]],
    ),
    "obliterate force": ("force", lambda queue, value: queue.obliterate(force=value), NOT_FLAGS),
    "obliterate everything": (
        "everything",
        lambda queue, value: queue.obliterate(everything=value),
        NOT_FLAGS,
    ),
    "obliterate count": ("count", lambda queue, value: queue.obliterate(count=value), [*NOT_COUNTS, 0]),
    "orphans count": ("count", lambda queue, value: queue.remove_orphans(count=value), [*NOT_COUNTS, 0]),
    "orphans limit": ("limit", lambda queue, value: queue.remove_orphans(limit=value), NOT_COUNTS),
    "events": ("max_length", Queue.trim_events, NOT_COUNTS),
    "free an id": ("id", Queue.remove_deduplication_key, NOT_IDS),
    "who holds an id": ("id", Queue.get_deduplication_job_id, NOT_IDS),
}


@pytest.mark.parametrize(
    ("option", "verb", "value"),
    [
        pytest.param(option, verb, value, id=f"{name} {value!r}")
        for name, (option, verb, values) in CASES.items()
        for value in values
    ],
)
async def test_it_is_refused(
    queue: Queue, database: Database, option: str, verb: Verb, value: object
) -> None:
    await queue.add("work")
    before = set(database.dump(own_keys=True))

    with pytest.raises(OptionError) as caught:
        await verb(queue, value)

    assert (caught.value.option, repr(caught.value.value)) == (option, repr(value))
    assert set(database.dump(own_keys=True)) == before
    assert not await queue.is_paused()


@pytest.mark.parametrize(("given", "nearest"), [("complete", "completed"), ("priority", "prioritized")])
async def test_the_nearest_state_is_named(queue: Queue, given: str, nearest: str) -> None:
    with pytest.raises(OptionError, match=f"did you mean '{nearest}'"):
        await queue.clean(state=given)
