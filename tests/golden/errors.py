"""The errors that recorded handlers raise."""

from __future__ import annotations

from collections.abc import Callable

from tests.golden.returned import UNRECOVERABLE
from tests.golden.values import Args
from toril import DelayedError, RateLimitError, Unrecoverable, WaitingChildrenError, WaitingError

_MOVED: dict[str, Callable[[], BaseException]] = {
    "DelayedError": DelayedError,
    "RateLimitError": RateLimitError,
    "WaitingChildrenError": WaitingChildrenError,
    "WaitingError": WaitingError,
}


def recorded_error(args: Args) -> BaseException:
    """An error, with a traceback, as it has that was really raised."""
    error = _new_error(args)
    try:
        raise error
    except type(error):
        return error


def _new_error(args: Args) -> BaseException:
    name = args.text("name", "Error")
    if name == UNRECOVERABLE:
        # What BullMQ's class says when it is told nothing.
        return Unrecoverable(args.text("message", "bullmq:unrecoverable"))
    if name in _MOVED:
        return _MOVED[name]()
    kind = type(name, (Exception,), {})
    return kind(args.text("message", ""))
