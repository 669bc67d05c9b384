"""Calling async code from threads: on a loop that runs already, or on one in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

Call = Callable[[Coroutine[Any, Any, Any]], Any]


def caller_of(loop: asyncio.AbstractEventLoop) -> Call:
    """Runs coroutines on ``loop`` from other threads, and waits for their results there."""

    def call(coroutine: Coroutine[Any, Any, T]) -> T:
        if _runs_here(loop):
            coroutine.close()
            raise RuntimeError("a blocking job can't be used on the loop that serves it")
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    return call


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


class Portal:
    """An event loop in a daemon thread, made when it is first needed, and made anew after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        # A lock held by another thread at the fork would never be released in the child.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        self._lock, self._loop = threading.Lock(), None

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result.

        Raises:
            RuntimeError: Called on the portal's own loop, where it would wait for itself.
        """
        loop = self.loop()
        if _runs_here(loop):
            coroutine.close()
            raise RuntimeError(
                "blocking calls can't be made on the loop that serves them; await toril.Queue instead"
            )
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except BaseException:
            # Who was interrupted while waiting does not want the answer any more.
            future.cancel()
            raise

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this process."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="toril-portal", daemon=True).start()
            return self._loop


portal: Portal = Portal()
