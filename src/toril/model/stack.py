"""The traceback of an error as text, as Python prints it, with the lines of each frame made once.

Python looks up the source of each frame and parses it to mark what failed in it, which takes longer than all
else that a worker does for a job. Errors come from the same few places again and again.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import CodeType, TracebackType

_HEAD = "Traceback (most recent call last):\n"
# Between an error and the one that came of it, as Python words it.
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"

# Frames whose lines are known. A program raises from few places; one that makes up code as it goes must not
# fill the memory.
_MOST_FRAMES = 2_000
# The lines of a frame, by its code's identity, the instruction and the line. The code is kept, so that no
# other gets its identity.
_frames: dict[tuple[int, int, int], tuple[CodeType, str]] = {}


def traceback_text(error: BaseException) -> str:
    """What ``traceback.format_exception`` makes of an error, joined."""
    chain = _chain(error)
    if chain is None:
        return "".join(traceback.format_exception(error))
    return "".join(_part(each, told) for each, told in reversed(chain))


def _chain(error: BaseException) -> list[tuple[BaseException, str]] | None:
    """The error and those it came of, each with what is said before it; ``None`` if Python has to tell it.

    That is so for groups, and where an error comes twice or recursion is shortened.
    """
    chain: list[tuple[BaseException, str]] = []
    seen: set[int] = set()
    this: BaseException | None = error
    while this is not None:
        if id(this) in seen or isinstance(this, BaseExceptionGroup) or _recurs(this):
            return None
        seen.add(id(this))
        cause, context = this.__cause__, None if this.__suppress_context__ else this.__context__
        chain.append((this, _CAUSE if cause is not None else _CONTEXT if context is not None else ""))
        this = cause if cause is not None else context
    return chain


def _recurs(error: BaseException) -> bool:
    """Whether a line has called itself, which Python shortens when it happens often."""
    before = None
    for trace in _traces(error):
        place = (trace.tb_frame.f_code, trace.tb_lineno)
        if place == before:
            return True
        before = place
    return False


def _part(error: BaseException, told: str) -> str:
    """One error of a chain."""
    head = [told] if error.__traceback__ is None else [told, _HEAD]
    # No frames, but the traceback is given: names that were meant are looked for where the error came from.
    only = traceback.TracebackException(type(error), error, error.__traceback__, limit=0, compact=True)
    return "".join([*head, *map(_lines, _traces(error)), *only.format_exception_only()])


def _traces(error: BaseException) -> Iterator[TracebackType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _lines(trace: TracebackType) -> str:
    code = trace.tb_frame.f_code
    key = (id(code), trace.tb_lasti, trace.tb_lineno)
    known = _frames.get(key)
    if known is None:
        if len(_frames) >= _MOST_FRAMES:
            _frames.clear()
        alone = TracebackType(None, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
        stack = traceback.TracebackException(Exception, Exception(), alone).stack
        known = _frames[key] = (code, "".join(stack.format()))
    return known[1]
