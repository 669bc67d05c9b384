"""Calling handlers in a child: the main thread is theirs, and in between that of the loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from toril.core.worker.handler import fitted, is_async
from toril.core.worker.inject.injector import Injector
from toril.core.worker.inject.making import run_with
from toril.core.worker.isolation.channel import Channel
from toril.core.worker.isolation.remote_job import RemoteJob, blocking_job
from toril.core.worker.isolation.running import Running
from toril.core.worker.signature import wants_of
from toril.core.worker.softly import Softly


@dataclass(slots=True)
class _Ending:
    """What something came to, as a value: loops are left by ``SystemExit``."""

    value: Any = None
    error: BaseException | None = None

    def answer(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class ChildLoop:
    """The loop of a child, which rests as long as there is no coroutine to run."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._loop = runner.get_loop()
        self._aside: tuple[Callable[[], Any], asyncio.Future[_Ending]] | None = None

    def finish(
        self,
        given: Awaitable[Any],
        running: Running | None = None,
        context: contextvars.Context | None = None,
    ) -> Any:
        """Run a coroutine; answers what it returns, raises what it raises.

        Args:
            running: The job that it belongs to, by which it can be told to end.
            context: Where it runs.
        """
        task = self._loop.create_task(_caught(given, running), context=context)
        task.add_done_callback(lambda _: self._loop.stop())
        while not task.done():
            self._loop.run_forever()
            if self._aside is not None:
                (function, ended), self._aside = self._aside, None
                ended.set_result(_ending_of(function))
        return task.result().answer()

    async def aside(self, function: Callable[[], Any]) -> Any:
        """Call a function that blocks, or has a loop of its own, while this one rests."""
        ended: asyncio.Future[_Ending] = self._loop.create_future()
        self._aside = function, ended
        self._loop.stop()
        return (await ended).answer()


class ChildHandler:
    """A handler, ready to be called in a child.

    Args:
        injector: Has what it is given beside its job.
        loop: Runs what is ``async`` of it.
    """

    def __init__(self, handler: Callable[..., Any], injector: Injector, loop: ChildLoop) -> None:
        self._plan = injector.plan(handler, "handler")
        self._call = fitted(handler, wants_of(handler, "handler", self._plan.needs), "handler")
        self._is_async = is_async(handler)
        self._lasting = injector.lasting
        self._loop = loop

    def run(self, running: Running, channel: Channel) -> Any:
        """Call it with a job; answers what it returns, raises what it raises."""
        context, job = contextvars.copy_context(), RemoteJob(running, channel)
        call = partial(self._call, job if self._is_async else blocking_job(running, channel))
        if self._plan.needs:
            inner = call if self._is_async else partial(self._call_aside, running, context, call)
            given = run_with(self._plan, job, running.told, self._lasting, lambda needs: inner(**needs))
        else:
            given = context.run(call)
        # A plain function may hand back a coroutine, too.
        return self._loop.finish(given, running, context) if inspect.isawaitable(given) else given

    async def _call_aside(
        self, running: Running, context: contextvars.Context, call: Callable[..., Any], **needs: Any
    ) -> Any:
        """Call a plain function, between making what it needs and cleaning up behind that."""
        running.leave_loop()
        given = await self._loop.aside(partial(context.run, partial(call, **needs)))
        return await given if inspect.isawaitable(given) else given


def _ending_of(function: Callable[[], Any]) -> _Ending:
    try:
        return _Ending(function())
    except BaseException as error:
        return _Ending(error=error)


async def _caught(given: Awaitable[Any], running: Running | None) -> _Ending:
    task = asyncio.current_task()
    assert task is not None, "it is called in a task"
    softly = Softly(given, task)
    if running is not None:
        running.begin(task, softly)
    try:
        return _Ending(await softly)
    except BaseException as error:
        return _Ending(error=error)
