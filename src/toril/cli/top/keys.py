"""Leaving by a key, or by Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def leaving(stop: asyncio.Event) -> Generator[None]:
    """While this lasts, ``q``, Ctrl-C and SIGTERM set ``stop``. Keys are read one by one, and not shown."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        if sys.stdin.isatty():
            with _keys(loop, stop):
                yield
        else:
            yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextmanager
def _keys(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Generator[None]:
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def read() -> None:
        pressed = os.read(terminal, 64)
        # Nothing at all: the terminal is gone.
        if not pressed or b"q" in pressed.lower():
            stop.set()

    tty.setcbreak(terminal)
    loop.add_reader(terminal, read)
    try:
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
