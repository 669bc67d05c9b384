"""SIGTERM and SIGINT: the first one closes the workers of a loop in order, the second one at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Closer = Callable[[bool], None]


class _Handling:
    """The handlers of one loop, shared by all its workers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._received = 0
        self._before: dict[signal.Signals, Any] = {}
        self.closers: list[Closer] = []

    def begin(self) -> None:
        """Listen to signals; not possible outside the main thread."""
        self._received = 0
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            # Not by the loop's own means: those don't tell who was to handle the signal before.
            self._before[number] = signal.signal(number, self._wake)

    def _wake(self, *_: object) -> None:
        # A loop that is closed has no workers left to close.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_signal)

    def _on_signal(self) -> None:
        self._received += 1
        for close in tuple(self.closers):
            close(self._received > 1)

    def end(self) -> None:
        """Listen no more: whoever handled the signals before handles them again."""
        while self._before:
            number, handler = self._before.popitem()
            # One that was not set in Python can't be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


_handlings: WeakKeyDictionary[asyncio.AbstractEventLoop, _Handling] = WeakKeyDictionary()


@contextmanager
def closing_on_signals(close: Closer) -> Generator[None]:
    """While this lasts, a signal calls ``close(False)``, and another one ``close(True)``.

    Signals reach the main thread only; elsewhere nothing is changed.
    """
    loop = asyncio.get_running_loop()
    handling = _handlings.setdefault(loop, _Handling(loop))
    if not handling.closers:
        handling.begin()
    handling.closers.append(close)
    try:
        yield
    finally:
        handling.closers.remove(close)
        if not handling.closers:
            handling.end()
