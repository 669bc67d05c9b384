"""Calling the user's function: on the loop if it is ``async``, in a thread if it is not."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from toril.core.job import Job
from toril.core.worker.payloads import decoder_of
from toril.core.worker.signature import Wants, function_of, wants_of
from toril.core.worker.threads import HandlerThreads
from toril.model.job import JobRecord

#: A function that takes a job, its payload, or both; see ``toril.core.worker.signature``.
Handler = Callable[[Any], Any] | Callable[[Any, Any], Any]


class HandlerCall:
    """A handler, ready to be called with a job.

    Args:
        threads: Where it runs if it is a plain function; ``None`` for threads of its own.
        option: Where the handler stands, for errors.

    Attributes:
        run: Calls it; answers what it returns, raises what it raises.

    Raises:
        OptionError: It can't be called with a job or a payload.
    """

    def __init__(
        self, handler: Handler, threads: HandlerThreads | None = None, option: str = "handler"
    ) -> None:
        self._handler = fitted(handler, wants_of(handler, option), option)
        self._threads = HandlerThreads() if threads is None else threads
        self.run: Callable[[Job], Awaitable[Any]] = (
            self._run_in_context if is_async(handler) else self._run_in_thread
        )

    def _run_in_context(self, job: Job) -> Awaitable[Any]:
        return _InContext(self._handler(job))

    def _run_in_thread(self, job: Job) -> Awaitable[Any]:
        return self._threads.run(self._handler, job)

    async def close(self) -> None:
        """Let idle threads end; see ``HandlerThreads.close``."""
        self._threads.close()


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


def fitted(handler: Callable[..., Any], wants: Wants, option: str) -> Callable[[Any], Any]:
    """The handler as a function of the job alone; one that wants nothing else is left as it is.

    Raises:
        OptionError: Its payload is of a type that can't be decoded.
    """
    if wants.places == ("job",):
        return _awaited(handler) if is_async(handler) and not _is_coroutine_function(handler) else handler
    decode = decoder_of(wants.payload, option, handler)

    def arguments(job: JobRecord) -> list[Any]:
        return [job if place == "job" else decode(job) for place in wants.places]

    # The payload is decoded where the handler runs: a model's own code belongs to the job's context.
    async def on_loop(job: JobRecord) -> Any:
        return await _answer(handler(*arguments(job)))

    def in_thread(job: JobRecord) -> Any:
        return handler(*arguments(job))

    return on_loop if is_async(handler) else in_thread


def is_async(handler: object) -> bool:
    """Whether it is ``async``, or a plain decorator's function that hands on what an ``async`` one gives."""
    return _is_coroutine_function(handler) or inspect.iscoroutinefunction(function_of(handler))


def _is_coroutine_function(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)


def _awaited(handler: Callable[..., Any]) -> Callable[[Any], Any]:
    """A decorated handler as a coroutine function: what the decorator does belongs to the job's context."""

    async def on_loop(job: JobRecord) -> Any:
        return await _answer(handler(job))

    return on_loop


async def _answer(given: Any) -> Any:
    """What is awaited, if it is to be: a decorator may have an answer of its own."""
    return await given if inspect.isawaitable(given) else given
