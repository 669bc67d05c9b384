"""Raising a soft timeout in a handler, from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from toril.errors import SoftTimeout


class Softly:
    """Awaits a handler, in which a ``SoftTimeout`` can be raised, at what it waits for then.

    The task is cancelled, so that whatever the handler waits for is given up as it always is; what reaches
    the handler is changed on its way. Only a kind of ``CancelledError`` may take this way.

    Args:
        awaited: The handler's coroutine.
        task: The one that awaits it.
    """

    __slots__ = ("_awaited", "_due", "_task")

    def __init__(self, awaited: Awaitable[Any], task: asyncio.Task[Any]) -> None:
        self._awaited = awaited
        self._task = task
        self._due: SoftTimeout | None = None

    def tell(self, error: SoftTimeout) -> None:
        """Raise it in the handler, which must have begun and not have ended."""
        self._due = error
        self._task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        before = self._task.cancelling()
        inner = self._awaited.__await__()
        step: Any = inner.send
        value: Any = None
        while True:
            try:
                waited_for = step(value)
            except StopIteration as end:
                return end.value
            try:
                step, value = inner.send, (yield waited_for)
            except BaseException as error:
                step, value = inner.throw, self._meant(error, before)

    def _meant(self, error: BaseException, before: int) -> BaseException:
        """The soft timeout, if that is why the task was cancelled, and nobody else has cancelled it, too."""
        soft = self._due
        if soft is None or not isinstance(error, asyncio.CancelledError):
            return error
        self._due = None
        alone = self._task.uncancel() == before
        return soft if alone else error
