"""Calling the user's function: on the loop if it is ``async``, in a thread if it is not."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Concatenate

from toril.core.job import Job
from toril.core.told import Told
from toril.core.worker.context import InContext
from toril.core.worker.inject.injector import Injector
from toril.core.worker.inject.making import run_with
from toril.core.worker.payloads import decoder_of
from toril.core.worker.signature import Wants, function_of, wants_of
from toril.core.worker.threads import HandlerThreads
from toril.model.job import JobRecord

#: A function that takes a job, its payload, or both, and what it depends on; see ``signature.py`` and
#: ``inject/plan.py``.
Handler = Callable[Concatenate[Any, ...], Any]


class HandlerCall:
    """A handler, ready to be called with a job.

    Args:
        threads: Where it runs if it is a plain function.
        option: Where the handler stands, for errors.
        injector: Has what it is given beside its job.

    Attributes:
        run: Calls it; answers what it returns, raises what it raises.

    Raises:
        OptionError: It has a parameter that nobody can give a value.
    """

    def __init__(
        self,
        handler: Handler,
        threads: HandlerThreads,
        option: str,
        injector: Injector,
    ) -> None:
        self._injector = injector
        self._plan = injector.plan(handler, option)
        self._handler = fitted(handler, wants_of(handler, option, self._plan.needs), option)
        self._threads = threads
        self._is_async = is_async(handler)
        self.run: Callable[[Job], Awaitable[Any]] = self._way()

    def _way(self) -> Callable[[Job], Awaitable[Any]]:
        if self._plan.needs:
            return self._run_injected
        return self._run_in_context if self._is_async else self._run_in_thread

    def _run_injected(self, job: Job) -> Awaitable[Any]:
        told = Told()

        async def call(given: dict[str, Any]) -> Any:
            handler = partial(self._handler, **given)
            return await (handler(job) if self._is_async else self._threads.run(handler, job, told))

        return InContext(run_with(self._plan, job, told, self._injector.lasting, call))

    def _run_in_context(self, job: Job) -> Awaitable[Any]:
        return InContext(self._handler(job))

    def _run_in_thread(self, job: Job) -> Awaitable[Any]:
        return self._threads.run(self._handler, job)


def fitted(handler: Callable[..., Any], wants: Wants, option: str) -> Callable[..., Any]:
    """The handler as a function of the job and what is injected; who wants a job alone is left as it is.

    Raises:
        OptionError: Its payload is of a type that can't be decoded.
    """
    if wants == Wants():
        return _awaited(handler) if is_async(handler) and not _is_coroutine_function(handler) else handler
    sources = [
        decoder_of(wants.payload, option, handler, wants.parameter) if place == "payload" else _itself
        for place in wants.places
    ]
    target = _by_name(handler, wants.names) if any(wants.names) else handler

    def arguments(job: JobRecord) -> list[Any]:
        return [source(job) for source in sources]

    # The payload is decoded where the handler runs: a model's own code belongs to the job's context.
    async def on_loop(job: JobRecord, /, **given: Any) -> Any:
        return await _answer(target(*arguments(job), **given))

    def in_thread(job: JobRecord, /, **given: Any) -> Any:
        return target(*arguments(job), **given)

    return on_loop if is_async(handler) else in_thread


def _itself(job: JobRecord) -> JobRecord:
    return job


def _by_name(handler: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """The handler as one that takes its job and its payload by their places, whatever stands between them."""
    first = names.count("")

    def call(*values: Any, **given: Any) -> Any:
        return handler(*values[:first], **dict(zip(names[first:], values[first:], strict=True)), **given)

    return call


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
