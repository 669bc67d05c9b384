"""The beginning and the end of a worker, as far as they are the user's: hooks, and resources."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from toril.core.worker.inject.injector import Injector

#: Called with the worker, plain or ``async``.
Hook = Callable[[Any], Any]

#: Waits for a task that is the user's, as long as there is time.
SeeOut = Callable[["asyncio.Task[None]"], Awaitable[None]]


class Lifecycle:
    """Calls ``on_start``, makes the resources; closes them, calls ``on_stop``.

    Args:
        injector: Has the resources.
        on_start: Called before they are made.
        on_stop: Called after they are closed; also if ``on_start`` has failed, or a resource.
        report: Told what is raised on the way out, where it can harm nobody.
        see_out: Waits for the user's last words, as long as there is time.

    Attributes:
        words: The task of the last words that are waited for.
    """

    def __init__(
        self,
        injector: Injector,
        on_start: Hook | None,
        on_stop: Hook | None,
        report: Callable[[BaseException], None],
        see_out: SeeOut,
    ) -> None:
        self._injector = injector
        self._on_start = on_start
        self._on_stop = on_stop
        self._report = report
        self._see_out = see_out
        self.words: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._begun = False
        self._interrupted = False

    async def open(self) -> None:
        """Make the resources only, for work by hand."""
        await self._injector.open()

    async def begin(self, worker: object) -> None:
        """Before the first job is taken. What fails here is undone.

        Raises:
            BaseException: What the user's code raises.
        """
        self._beginning = asyncio.create_task(self._begin(worker))
        try:
            await self._beginning
        except BaseException as error:
            await self.end(worker)
            if not (self._interrupted and isinstance(error, asyncio.CancelledError)):
                raise

    async def _begin(self, worker: object) -> None:
        self._begun = True
        await _called(self._on_start, worker)
        await self._injector.open()

    def interrupt(self) -> None:
        """Don't wait for the beginning any more: the worker is to close."""
        if self._beginning is not None and not self._beginning.done():
            self._interrupted = True
            self._beginning.cancel()

    async def end(self, worker: object) -> None:
        """After the last job. Called again, it does nothing."""
        await self._last_words(self._injector.close())
        begun, self._begun = self._begun, False
        if begun:
            await self._last_words(_called(self._on_stop, worker))

    async def _last_words(self, words: Coroutine[Any, Any, None]) -> None:
        """Let the user's code come to its end, in a task of its own: what it raises can harm nobody there."""
        task = self.words = asyncio.create_task(words)
        await self._see_out(task)
        if not task.done() or task.cancelled():
            text = "on_stop, or what cleans up behind a resource, was cancelled or took too long"
            self._report(TimeoutError(text))
        elif error := task.exception():
            self._report(error)


async def _called(hook: Hook | None, worker: object) -> None:
    answer = hook(worker) if hook is not None else None
    if inspect.isawaitable(answer):
        await answer
