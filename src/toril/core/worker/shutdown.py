"""SIGTERM and SIGINT: the first one closes the workers of a loop in order, the second one at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Closer = Callable[[bool], None]


class _Handling:
    """The handlers of one loop, shared by all its workers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._received = 0
        self._handled: list[signal.Signals] = []
        self.closers: list[Closer] = []

    def begin(self) -> None:
        """Listen to signals; not possible outside the main thread, and not with every loop."""
        self._received = 0
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            with suppress(RuntimeError):
                self._loop.add_signal_handler(number, self._on_signal)
                self._handled.append(number)

    def _on_signal(self) -> None:
        self._received += 1
        for close in tuple(self.closers):
            close(self._received > 1)

    def end(self) -> None:
        """Listen no more."""
        while self._handled:
            self._loop.remove_signal_handler(self._handled.pop())


_handlings: WeakKeyDictionary[asyncio.AbstractEventLoop, _Handling] = WeakKeyDictionary()


@contextmanager
def closing_on_signals(close: Closer) -> Generator[None]:
    """While this lasts, a signal calls ``close(False)``, and another one ``close(True)``.

    Signals reach the main thread only; elsewhere, and where loops can't handle them, nothing is changed.
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
