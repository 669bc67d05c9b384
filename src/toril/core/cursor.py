"""How far a named reader has come, kept at the server."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Sequence

from toril.errors import ReaderReplaced, StoreError, StoreUnavailable
from toril.model.names import QueueRef
from toril.model.stream import Place
from toril.store.contract import Store

_logger = logging.getLogger(__name__)

# A cursor is written after so many seconds, or so many events, whichever comes first.
_EVERY, _EVENTS = 1.0, 1000
# So many places may wait for listeners before those between them are put together.
_OPEN = 1000


class Cursor:
    """The place behind the last event that was handled, and so were all before it.

    Args:
        reader: Name that it is kept under; ``None`` keeps it nowhere.
    """

    def __init__(self, queue: QueueRef, reader: str | None) -> None:
        self._queue = queue
        self._reader = reader
        self._owner = uuid.uuid4().hex
        # Places, and the listeners that must have returned before they count.
        self._open: deque[tuple[Place, Sequence[asyncio.Future[None]]]] = deque()
        self._most_open = _OPEN
        self._stuck: Place | None = None
        self._held: asyncio.Future[None] | None = None
        self._handled: Place | None = None
        self._saved: Place | None = None
        self._tried_at = 0.0
        self._unsaved = 0
        self._forgotten = False

    async def begin(self, store: Store, start: Place | None) -> Place:
        """Where to begin: where the reader stopped, else ``start``, else now."""
        if start is not None and await self._is_yet_to_come(store, start):
            start = None
        if self._reader is not None:
            place = await store.events.claim(self._queue, self._reader, self._owner, start)
        else:
            place = start or await store.events.end(self._queue)
        self._open.clear()
        self._held = None
        self._handled = self._saved = place
        self._forgotten = False
        return place

    async def _is_yet_to_come(self, store: Store, start: Place) -> bool:
        """Whether no event can have had this id: neither the stream has come to it, nor the time."""
        if start.id.ms <= store.now_ms():
            # A stream that has not come to it is another one: reading finds the gap.
            return False
        return (await store.events.end(self._queue)).id < start.id

    def handled(self, place: Place, listeners: Sequence[asyncio.Task[None]]) -> None:
        """An event was handled, as soon as its listeners return."""
        if self._reader is None:
            return
        self._unsaved += 1
        if not self._open and not listeners:
            self._handled = place
            return
        self._open.append((place, listeners))
        if len(self._open) > self._most_open:
            self._tidy()

    def hold(self, place: Place, listeners: Sequence[asyncio.Task[None]]) -> None:
        """An event is not handled yet, though later ones may be: it keeps the cursor until ``release``."""
        self._held = asyncio.get_running_loop().create_future()
        self._open.append((place, [*listeners, self._held]))

    def release(self) -> None:
        """What was held is handled, as soon as its listeners return; nothing happens if nothing was."""
        if self._held is not None:
            self._held.set_result(None)
            self._held = None

    def _advance(self) -> None:
        while self._open and all(listener.done() for listener in self._open[0][1]):
            self._handled = self._open.popleft()[0]

    def _tidy(self) -> None:
        """Keep those that still wait, and the last one of those in a row that don't."""
        self._advance()
        kept: deque[tuple[Place, Sequence[asyncio.Future[None]]]] = deque()
        for place, listeners in self._open:
            running = [one for one in listeners if not one.done()]
            if kept and not running and not kept[-1][1]:
                kept.pop()
            kept.append((place, running))
        self._open = kept
        # Twice as many, so that the work for each event is bounded also if very many wait.
        self._most_open = max(_OPEN, 2 * len(kept))
        if kept and kept[0][0] != self._stuck:
            self._stuck = kept[0][0]
            _logger.warning(
                "the place of a reader can't move on: an event is not handled yet",
                extra={"queue": self._queue.name, "reader": self._reader, "event": str(self._stuck.id)},
            )

    def due_in(self) -> float | None:
        """Seconds until it should be written; ``None`` if there is nothing to write."""
        if self._reader is None or self._forgotten or (not self._open and self._handled == self._saved):
            return None
        if self._unsaved >= _EVENTS:
            return 0.0
        return max(self._tried_at + _EVERY - asyncio.get_running_loop().time(), 0.0)

    async def save(self, store: Store) -> None:
        """Write it, if there is something to write.

        Raises:
            ReaderReplaced: Somebody else has claimed the name.
            StoreUnavailable: No answer.
        """
        self._tried_at, self._unsaved = asyncio.get_running_loop().time(), 0
        self._advance()
        place = self._handled
        if self._reader is None or self._forgotten or place is None or place == self._saved:
            return
        if not await store.events.move(self._queue, self._reader, self._owner, place):
            raise ReaderReplaced(self._reader, self._queue.name)
        self._saved = place

    async def forget(self, store: Store) -> bool:
        """Remove it, and write it no more until it begins anew; ``False`` if there was none."""
        if self._reader is None:
            return False
        self._forgotten = True
        try:
            return await store.events.forget(self._queue, self._reader)
        except StoreError:
            self._forgotten = False
            raise

    async def save_if_due(self, store: Store) -> None:
        """Write it now and then; a server that is away gets it later.

        Raises:
            ReaderReplaced: Somebody else has claimed the name.
        """
        if self.due_in() == 0.0:
            try:
                await self.save(store)
            except StoreUnavailable:
                return
