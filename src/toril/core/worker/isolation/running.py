"""The job that a child runs, as far as it can be cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from toril.core.worker.isolation.messages import Run


class Running:
    """A job on its way through a child.

    Attributes:
        run: What the worker said of it.
        cancelled: Whether the worker has cancelled it.
        done: Whether it has come to an end.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.cancelled: bool = False
        self.done: bool = False
        self._task: asyncio.Task[Any] | None = None

    def begin(self, task: asyncio.Task[Any]) -> None:
        """An ``async`` handler runs in this task."""
        self._task = task
        if self.cancelled:
            self._cancel_once(task)

    def cancel(self) -> None:
        """The worker does not want it any more. Called in another thread than that of the handler."""
        self.cancelled = True
        task = self._task
        if task is not None:
            # A child that leaves has closed its loop.
            with suppress(RuntimeError):
                task.get_loop().call_soon_threadsafe(self._cancel_once, task)

    @staticmethod
    def _cancel_once(task: asyncio.Task[Any]) -> None:
        if not task.cancelling():
            task.cancel()
