"""Local events: facts told to listeners, who can never harm the one who tells them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection
from typing import Any

from toril.errors import OptionError
from toril.model.checks import check_text

_logger = logging.getLogger(__name__)

Listener = Callable[..., Any]

# Seconds that async listeners get to return when no more events come.
_PATIENCE = 5.0


class Signals:
    """Named events with listeners, plain or ``async``.

    Args:
        names: The events that can be told; ``None`` for any.

    Attributes:
        heard: Events that anybody listens to.
    """

    def __init__(self, names: Collection[str] | None) -> None:
        self._names = names
        self._listeners: dict[str, list[Listener]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.heard: set[str] = set()

    def add(self, name: str, listener: Listener) -> None:
        """Call ``listener`` each time the event is told.

        Raises:
            OptionError: There is no such event, or the listener can't be called.
        """
        check_text(name, "event")
        if self._names is not None and name not in self._names:
            raise OptionError.no_such("event", name, self._names)
        if not callable(listener):
            raise OptionError("listener", listener, "must be callable")
        self._listeners.setdefault(name, []).append(listener)
        self.heard.add(name)

    def remove(self, name: str, listener: Listener) -> None:
        """Don't call this listener any more; nothing happens if it wasn't added."""
        if listener in self._listeners.get(check_text(name, "event"), ()):
            self._listeners[name].remove(listener)
            if not self._listeners[name]:
                self.heard.discard(name)

    def tell(self, name: str, *facts: object) -> list[asyncio.Task[None]]:
        """Tell an event. Plain listeners run now, ``async`` ones as soon as they can; errors are logged.

        Returns:
            The ``async`` ones, running.
        """
        started: list[asyncio.Task[None]] = []
        for listener in tuple(self._listeners.get(name, ())):
            try:
                answer = listener(*facts)
            except (Exception, asyncio.CancelledError):
                _logger.exception("a listener failed", extra={"event": name})
                continue
            # Most answer nothing, and to look closer takes longer than they do.
            if answer is not None and inspect.isawaitable(answer):
                task = asyncio.ensure_future(_await_listener(name, answer))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
                started.append(task)
        return started

    def any_but(self, name: str) -> bool:
        """Whether anybody listens to another event than this one."""
        return not self.heard <= {name}

    async def catch_up(self, most: int) -> None:
        """Wait while more than so many ``async`` listeners run, but not for ever."""
        if len(self._running) > most:
            await asyncio.wait(self._running, timeout=_PATIENCE)

    async def settle(self) -> None:
        """Wait until the ``async`` listeners that were called have returned; the slowest are cancelled."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE
        # A listener that closes what called it can't be waited for by itself.
        while others := self._running - {asyncio.current_task()}:
            _, late = await asyncio.wait(others, timeout=max(deadline - loop.time(), 0))
            if late:
                _logger.warning("listeners take too long; cancelled", extra={"listeners": len(late)})
                for task in late:
                    task.cancel()
                return


async def _await_listener(name: str, answer: Any) -> None:
    try:
        await answer
    except Exception:
        _logger.exception("a listener failed", extra={"event": name})
