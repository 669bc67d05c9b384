"""Reading the events of a queue, in blocking code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from toril.core.events import QueueEvents as AsyncQueueEvents
from toril.core.feed import BLOCK
from toril.core.portal import portal
from toril.errors import ChildFailure
from toril.model.event import Event
from toril.sync.linked import Linked

Listener = Callable[[Any], object]


class QueueEvents(Linked):
    """Reads what happens in a queue, in order; see ``toril.QueueEvents``.

    Listeners are called in the thread of the event loop that serves all blocking classes: they must be quick
    and must not block.

    Args:
        name: Name of the queue.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        prefix: Prefix of all keys of the queue.
        reader: Name to keep the place under.
        last_event_id: Begin behind this event; ``"0"`` is the oldest there is, ``"$"`` and ``None`` are now.
        blocking_timeout: Seconds that one wait lasts on the server.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        prefix: str = "bull",
        reader: str | None = None,
        last_event_id: str | None = None,
        blocking_timeout: float = BLOCK,
    ) -> None:
        self._events = AsyncQueueEvents(
            name,
            url=url,
            prefix=prefix,
            reader=reader,
            last_event_id=last_event_id,
            blocking_timeout=blocking_timeout,
        )
        super().__init__(self._events)

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self._events.name

    def __iter__(self) -> Generator[Event]:
        """Events from the place on that the reader has come to; waits for each."""
        events = aiter(self._events)
        try:
            while (event := portal.call(_next(events))) is not None:
                yield event
        finally:
            # Not waited for: this may run at the end of the interpreter, when nobody would answer.
            asyncio.run_coroutine_threadsafe(events.aclose(), portal.loop())

    def on(self, event: str, listener: Listener) -> None:
        """Call ``listener`` with each event of this name."""
        portal.call(_call(self._events.on, event, listener))

    def off(self, event: str, listener: Listener) -> None:
        """Don't call this listener any more."""
        portal.call(_call(self._events.off, event, listener))

    def cause_of(self, event: Event) -> ChildFailure | None:
        """Why a parent failed; see ``toril.QueueEvents.cause_of``."""
        return portal.call(self._events.cause_of(event))

    def commit(self) -> None:
        """Count the event that was handed out last as handled, and write the place of a named reader."""
        portal.call(self._events.commit())

    def forget(self) -> bool:
        """Remove the stored place of a named reader."""
        return portal.call(self._events.forget())


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)


async def _call(change: Callable[[str, Listener], None], event: str, listener: Listener) -> None:
    change(event, listener)
