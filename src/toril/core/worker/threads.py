"""Plain functions as handlers: each call in a thread, so that it may block."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from toril.core.blocking import BlockingJob
from toril.core.job import Job
from toril.core.portal import caller_of
from toril.core.told import Told
from toril.core.worker.daemons import Daemons
from toril.errors import SoftTimeout

# Threads are made as they are needed; this is only how many there may be.
_MOST_THREADS = 1000


class HandlerThreads:
    """The threads that the plain handlers of a worker share."""

    def __init__(self) -> None:
        self._daemons: Daemons | None = None

    async def run(self, handler: Callable[[BlockingJob], Any], job: Job, told: Told | None = None) -> Any:
        """Call a handler in a thread; answers what it returns, raises what it raises.

        Who cancels this tells the handler, and waits for it still; who cancels it again leaves it alone.

        Args:
            told: Where the handler is told, if others look there, too.
        """
        if self._daemons is None:
            self._daemons = Daemons(_MOST_THREADS, "toril-handler")
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        told = Told() if told is None else told
        blocking = BlockingJob(job, caller_of(loop), told)
        call = partial(self._daemons.call, partial(_catching, context, handler, blocking))
        called = call()
        try:
            answer = await asyncio.wrap_future(called)
        except asyncio.CancelledError as error:
            answer = await _tell(call, called, told, error)
        if isinstance(answer, _Raised):
            raise answer.error
        # A plain function may hand back a coroutine, which belongs on the loop.
        return await answer if inspect.isawaitable(answer) else answer

    def close(self) -> None:
        """Let idle threads end. One that still runs a handler can't be stopped, and is not waited for."""
        if self._daemons is not None:
            self._daemons.let_go()
            self._daemons = None


async def _tell(
    call: Callable[[], Future[Any]], called: Future[Any], told: Told, error: asyncio.CancelledError
) -> Any:
    """Tell a handler what can't be raised in a thread, and wait on for its answer."""
    while not told.cancelled:
        if isinstance(error, SoftTimeout):
            told.soft_timeout = error
            if called.cancelled():
                # No thread had got to it yet, so it was taken back; it hears of this when it begins.
                called = call()
        else:
            told.cancelled.set()
        try:
            return await asyncio.wrap_future(called)
        except asyncio.CancelledError as another:
            error = another
    raise error


class _Raised:
    """What a handler raised, as a value: futures take no ``StopIteration``, loops no ``SystemExit``."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error


def _catching(context: contextvars.Context, handler: Callable[[BlockingJob], Any], job: BlockingJob) -> Any:
    try:
        return context.run(handler, job)
    except BaseException as error:
        return _Raised(error)
