"""What a plain handler is told, in a thread or a child, since nothing can be raised in it from outside."""

from __future__ import annotations

import asyncio
import threading

from toril.errors import SoftTimeout


class Flag(threading.Event):
    """An event that is true when it is set."""

    def __bool__(self) -> bool:
        return self.is_set()


class Told:
    """What one handler is told.

    Attributes:
        cancelled: It shall end.
        soft_timeout: What it is told before; until it has heard it.
    """

    __slots__ = ("cancelled", "soft_timeout")

    def __init__(self) -> None:
        self.cancelled: Flag = Flag()
        self.soft_timeout: SoftTimeout | None = None

    def check(self) -> None:
        """Raise what the handler is told, in its thread."""
        if self.cancelled:
            raise asyncio.CancelledError("the handler was told to end")
        error, self.soft_timeout = self.soft_timeout, None
        if error is not None:
            raise error
