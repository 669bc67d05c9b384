"""Calling the user's function: on the loop if it is ``async``, in a thread if it is not."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from toril.core.blocking import BlockingJob
from toril.core.job import Job
from toril.core.portal import caller_of
from toril.errors import OptionError

Handler = Callable[[Any], Any]

# Threads are made as they are needed; this is only how many there may be.
_MOST_THREADS = 1000


class HandlerCall:
    """A handler, ready to be called with a job.

    Attributes:
        run: Calls it; answers what it returns, raises what it raises.

    Raises:
        OptionError: It can't be called with a job.
    """

    def __init__(self, handler: Handler) -> None:
        _check(handler)
        self._handler = handler
        self._threads: ThreadPoolExecutor | None = None
        self.run: Callable[[Job], Awaitable[Any]] = (
            self._run_in_context if _is_async(handler) else self._run_in_thread
        )

    def _run_in_context(self, job: Job) -> Awaitable[Any]:
        return _InContext(self._handler(job))

    async def _run_in_thread(self, job: Job) -> Any:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="toril-handler")
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        blocking = BlockingJob(job, caller_of(loop))
        answer = await loop.run_in_executor(self._threads, _catching, context, self._handler, blocking)
        if isinstance(answer, _Raised):
            raise answer.error
        # A plain function may hand back a coroutine, which belongs on the loop.
        return await answer if inspect.isawaitable(answer) else answer

    def close(self) -> None:
        """Let idle threads end. One that still runs a handler can't be stopped, and is not waited for."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None


class _InContext:
    """A coroutine in a context of its own: what one job binds is not there for the next one of the slot."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        context = contextvars.copy_context()
        step: Callable[[Any], Any] = self._coroutine.send
        value: Any = None
        while True:
            try:
                waited_for = context.run(step, value)
            except StopIteration as end:
                return end.value
            try:
                step, value = self._coroutine.send, (yield waited_for)
            except BaseException as error:
                step, value = self._coroutine.throw, error


class _Raised:
    """What a handler raised, as a value: futures take no ``StopIteration``, loops no ``SystemExit``."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = RuntimeError(repr(error)) if isinstance(error, StopIteration) else error


def _catching(context: contextvars.Context, handler: Handler, job: BlockingJob) -> Any:
    try:
        return context.run(handler, job)
    except BaseException as error:
        return _Raised(error)


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _check(handler: object) -> None:
    if not callable(handler):
        raise OptionError("handler", handler, "must be a function that takes a job")
    try:
        signature = inspect.signature(handler)
    except ValueError:
        # Some built-in functions don't tell what they take.
        return
    try:
        signature.bind(object())
    except TypeError as error:
        raise OptionError("handler", handler, f"must take one argument, the job: {error}") from None
