"""The job that a child runs, as far as its handler can be told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from toril.core.told import Told
from toril.core.worker.isolation.messages import Run
from toril.core.worker.softly import Softly
from toril.errors import SoftTimeout


class Running:
    """A job on its way through a child. It is told in another thread than that of its handler.

    Attributes:
        run: What the worker said of it.
        told: What its handler is told, if it is a plain function; and its token, if it has one.
        done: Whether it has come to an end.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.told: Told = Told()
        self.done: bool = False
        self._task: asyncio.Task[Any] | None = None
        self._softly: Softly | None = None
        self._interrupted = False

    def begin(self, task: asyncio.Task[Any], softly: Softly) -> None:
        """From now on it runs in a task, where things can be raised; also what it was told before."""
        self._softly, self._task = softly, task
        self._on_loop(self._raise)

    def leave_loop(self) -> None:
        """From now on a plain function runs, in which nothing can be raised."""
        self._task = None

    def cancel(self) -> None:
        """The worker does not want it any more."""
        self.told.cancelled.set()
        self._on_loop(self._raise)

    def hurry(self, error: SoftTimeout) -> None:
        """It takes longer than its soft timeout."""
        self.told.soft_timeout = error
        self._on_loop(self._raise)

    def _on_loop(self, function: Callable[[], None]) -> None:
        task = self._task
        if task is not None:
            # A child that leaves has closed its loop.
            with suppress(RuntimeError):
                task.get_loop().call_soon_threadsafe(function)

    def _raise(self) -> None:
        """Raise what it is told where it waits, each once; unless it has left the loop meanwhile."""
        task, softly = self._task, self._softly
        if task is None or softly is None or task.done():
            return
        error, self.told.soft_timeout = self.told.soft_timeout, None
        if error is not None:
            softly.tell(error)
        if self.told.cancelled and not self._interrupted:
            self._interrupted = True
            task.cancel()
