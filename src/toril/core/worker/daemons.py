"""Threads that no program waits for when it ends, unlike those of ``concurrent.futures``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

_Call = tuple[Future[Any], Callable[[], Any]]


class Daemons:
    """Daemon threads, made as they are needed.

    Args:
        most: How many there may be; further calls wait.
        name: What their names begin with.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._made = 0
        self._resting = threading.Semaphore(0)
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Call in a thread what raises nothing.

        Raises:
            RuntimeError: The system has no room for one more thread.
        """
        called: Future[Any] = Future()
        if not self._resting.acquire(blocking=False) and self._made < self._most:
            name = f"{self._name}_{self._made}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
            self._made += 1
        self._calls.put((called, function))
        return called

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            called, function = call
            if called.set_running_or_notify_cancel():
                called.set_result(function())
            # What the call held on to must not live until the next one comes.
            del call, called, function
            self._resting.release()

    def let_go(self) -> None:
        """Let each end when it is through with what it does, and with what waits for one."""
        for _ in range(self._made):
            self._calls.put(None)
