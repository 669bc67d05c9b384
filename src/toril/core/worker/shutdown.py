"""SIGTERM and SIGINT: the first one closes the worker in order, the second one at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def closing_on_signals(close: Callable[[bool], None]) -> Generator[None]:
    """While this lasts, a signal calls ``close(False)``, and another one ``close(True)``.

    Signals reach the main thread only; elsewhere, and where loops can't handle them, nothing is changed.
    """
    loop = asyncio.get_running_loop()
    received = 0

    def on_signal() -> None:
        nonlocal received
        received += 1
        close(received > 1)

    handled: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            try:
                loop.add_signal_handler(number, on_signal)
            except (NotImplementedError, RuntimeError):
                continue
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
