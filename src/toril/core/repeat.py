"""The next job of a job scheduler: when it is due, and the options it is made with."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from toril.core.payload import encode
from toril.model.duration import datetime_to_ms, ms_to_datetime
from toril.model.schedule import Schedule

#: Says when a pattern of your own fires: the instant after which, the stored ``repeat`` options, the name of
#: the job → an instant, or ``None`` for never again.
RepeatStrategy: TypeAlias = Callable[
    [datetime, Mapping[str, Any], str], "datetime | Awaitable[datetime | None] | None"
]


class Iteration(msgspec.Struct, frozen=True):
    """A job that a scheduler shall make.

    Attributes:
        name: Its name.
        opts: Its options as they are stored, without what is the schedule's.
        repeat: The stored options of the schedule, counted up to it.
        now_ms: When it is made.
        previous_ms: When the job before was due; 0 if there is none.
    """

    name: str
    opts: Mapping[str, Any]
    repeat: Mapping[str, Any]
    now_ms: int
    previous_ms: int = 0


async def next_match(plan: Schedule, made: Iteration, strategy: RepeatStrategy | None) -> int | None:
    """When a pattern fires next; ``None`` for never, and for intervals, which the server computes.

    Args:
        strategy: The user's own, if there is one.
    """
    if plan.pattern is None:
        return None
    now_ms = made.now_ms
    if strategy is None:
        return plan.next_match_ms(now_ms, made.previous_ms)
    if plan.immediately:
        return now_ms
    answer = strategy(ms_to_datetime(plan.after_ms(now_ms, made.previous_ms)), made.repeat, made.name)
    match = await answer if inspect.isawaitable(answer) else answer
    return plan.bounded_ms(None if match is None else datetime_to_ms(match, "repeat_strategy"), now_ms)


def head_of(stored: Mapping[str, Any], id: str, repeat: Mapping[str, Any], due_ms: int | None) -> str:
    """The options of a scheduler's job as JSON, open at the end for what only the server knows.

    Args:
        due_ms: When it is due, if a pattern says so.
    """
    opts = {**stored, "repeat": repeat, "repeatJobKey": id}
    if due_ms is not None:
        opts["prevMillis"] = due_ms
    return encode(opts, "options")[:-1]
