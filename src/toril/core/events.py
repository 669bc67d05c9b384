"""Reading the events of a queue."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Self

from toril.core.connection import Access, StoreLink
from toril.core.cursor import Cursor
from toril.core.family import trace_failure
from toril.core.feed import BLOCK, Feed, Follower
from toril.core.linked import Connecting
from toril.core.signals import Signals
from toril.core.waiting import wait_for
from toril.errors import ChildFailure, OptionError, ReaderReplaced, StoreError, TorilError
from toril.model.checks import check_kind, check_number, check_text
from toril.model.event import Event
from toril.model.names import QueueRef, check_prefix, check_queue_name
from toril.model.stream import Place, StreamId, check_event_id
from toril.store.contract import Store

_logger = logging.getLogger(__name__)

# Events that are kept ready for one reader; more are read when it has handled these.
_ROOM = 500
# Their bytes: no more are read once there are so many.
_ROOM_BYTES = 1024 * 1024
# Async listeners that may run at a time, until the reader waits for them.
_LISTENERS = 1000


class _Buffer(Follower):
    """Keeps events ready for a reader that takes them one by one."""

    def __init__(self, queue: QueueRef, place: Place, block: float, signals: Signals, feed: Feed) -> None:
        super().__init__(queue, place, block)
        self._signals = signals
        self._feed = feed
        self._events: deque[tuple[Event, int | None]] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()

    def has_room(self) -> bool:
        return len(self._events) < _ROOM and self._bytes < _ROOM_BYTES

    def take(self, events: Sequence[tuple[Event, int | None]]) -> None:
        self._events.extend(events)
        self._bytes += sum(_bytes_of(event) for event, _ in events)
        self._arrived.set()

    def lose(self) -> None:
        _logger.warning(
            "can't read the events of a queue; trying again",
            extra={"queue": self.queue.name, "error": str(self.error)},
        )
        self._signals.tell("error", self.error)

    def next(self) -> tuple[Event, int | None] | None:
        """The next event, if there is one."""
        if not self._events:
            self._arrived.clear()
            return None
        had_room = self.has_room()
        event = self._events.popleft()
        self._bytes -= _bytes_of(event[0])
        if not had_room and self.has_room():
            self._feed.stir()
        return event

    async def wait(self, seconds: float | None) -> None:
        """Wait for an event, or to be woken; at most so long."""
        await wait_for(self._arrived, seconds)

    def wake(self) -> None:
        """End a wait."""
        self._arrived.set()


def _bytes_of(event: Event) -> int:
    return sum(map(len, event.raw.values()))


class QueueEvents(Connecting):
    """Reads what happens in a queue, in order.

    Loop over it, or give it listeners with ``on``, or both. A loop begins where the reader became ready, or
    where the loop before it stopped; each event is told to listeners once. All readers of an event loop and a
    server share one connection.

    A reader with a name keeps its place at the server, and goes on there when it is made again. An event
    counts as handled when the next one is asked for, when ``commit`` is called, or when its listeners have
    returned. After a crash, those of the last second are told again; none is missed.

    Events that were trimmed from the stream before they could be read are told as one event called ``gap``.

    Args:
        name: Name of the queue.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys of the queue.
        reader: Name to keep the place under. One process at a time uses a name: the newest one wins, and the
            others stop with ``ReaderReplaced``.
        last_event_id: Begin behind this event; ``"0"`` is the oldest there is, ``"$"`` and ``None`` are now,
            and so is an id of the future.
            A named reader that has read before goes on where it was instead.
        blocking_timeout: Seconds that one wait lasts on the server; shorter ones notice a lost server sooner.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        store: Store | None = None,
        prefix: str = "bull",
        reader: str | None = None,
        last_event_id: str | None = None,
        blocking_timeout: float = BLOCK,
    ) -> None:
        self.ref: QueueRef = QueueRef(check_prefix(prefix), check_queue_name(name))
        if reader is not None and not check_text(reader, "reader"):
            raise OptionError("reader", reader, "a reader needs a name")
        self._start = None if last_event_id is None else check_event_id(last_event_id)
        self._block = check_number(blocking_timeout, "blocking_timeout", 0.01, 3600)
        self._link = StoreLink(self.ref, url, store)
        self._cursor = Cursor(self.ref, reader)
        self._signals = Signals(None)
        # Behind what loops were given, and behind what listeners were told.
        self._place: Place | None = None
        self._told: Place | None = None
        self._readying: asyncio.Lock | None = None
        self._buffer: _Buffer | None = None
        self._pump: asyncio.Task[None] | None = None
        self._in_hand: tuple[Place, Sequence[asyncio.Task[None]]] | None = None

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self.ref.name

    async def ready(self) -> Self:
        """Connect and fix the place to read from: nothing that is told after this returns is missed.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreMisconfigured: The server can't be used.
        """
        access = await self._open()
        if self._has_listeners():
            self._start_pump(access)
        return self

    async def _open(self) -> Access:
        access = await super()._open()
        if self._readying is None:
            self._readying = asyncio.Lock()
        async with self._readying:
            if self._place is None:
                self._place = self._told = await self._cursor.begin(access.store, self._start)
        return access

    def on(self, event: str, listener: Callable[[Any], object]) -> None:
        """Call ``listener`` with each event of this name.

        Listeners may be plain functions or ``async``. What they raise is logged, and harms nobody. They are
        called once the reader is ready.

        Args:
            event: ``completed``, a name of your own, ``gap``; ``completed:42`` for one job alone; ``error``
                for what keeps the reader from reading, with the exception.

        Raises:
            OptionError: The listener can't be called.
        """
        check_text(event, "event")
        self._signals.add(event, listener)
        access = None if self._place is None else self._link.access
        if access is not None and self._has_listeners():
            self._start_pump(access)

    def off(self, event: str, listener: Callable[[Any], object]) -> None:
        """Don't call this listener any more; nothing happens if it wasn't added."""
        self._signals.remove(event, listener)

    def _has_listeners(self) -> bool:
        return self._signals.any_but("error")

    def _start_pump(self, access: Access) -> None:
        if self._pump is not None or self._buffer is not None:
            return
        if self._in_hand is not None:
            # What a loop left in hand is still not handled, whatever listeners hear behind it.
            self._cursor.hold(*self._in_hand)
            self._in_hand = None
        self._pump = asyncio.create_task(self._tell_listeners(access))

    async def _tell_listeners(self, access: Access) -> None:
        """What a loop would do, for listeners alone."""
        try:
            async with aclosing(self._read(access)) as events:
                async for _ in events:
                    await self._signals.catch_up(_LISTENERS)
        except TorilError as error:
            _logger.warning("a reader of events has stopped", extra={"queue": self.name, "error": str(error)})
            self._signals.tell("error", error)

    async def _stop_pump(self) -> None:
        pump, self._pump = self._pump, None
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])

    def __aiter__(self) -> AsyncGenerator[Event]:
        """Events from the place on that the reader has come to. A loop takes over from the one before."""
        return self._read()

    async def _read(self, access: Access | None = None) -> AsyncGenerator[Event]:
        in_loop = access is None
        if access is None:
            access = await self._open()
        buffer = self._take_over(access, self._place if in_loop else self._told)
        try:
            if in_loop:
                await self._stop_pump()
                self._count_as_handled()
            while (taken := await self._next(access, buffer)) is not None:
                event, count = taken
                place = Place(StreamId.parse(event.id), count)
                listeners = self._tell(event, place)
                if not in_loop:
                    self._cursor.handled(place, listeners)
                    yield event
                    continue
                self._place, self._in_hand = place, (place, listeners)
                yield event
                if self._buffer is buffer:
                    self._count_as_handled()
        finally:
            self._leave(access, buffer, in_loop)

    def _leave(self, access: Access, buffer: _Buffer, in_loop: bool) -> None:
        """The end of a loop, after which listeners go on without it, or of theirs."""
        access.feed_of(self.ref).unfollow(buffer)
        if self._buffer is not buffer:
            return
        self._buffer = None
        if in_loop and self._has_listeners():
            self._start_pump(access)

    def _take_over(self, access: Access, place: Place | None) -> _Buffer:
        feed, before = access.feed_of(self.ref), self._buffer
        if before is not None:
            before.wake()
            feed.unfollow(before)
        assert place is not None
        self._buffer = _Buffer(self.ref, place, self._block, self._signals, feed)
        feed.follow(self._buffer)
        return self._buffer

    async def _next(self, access: Access, buffer: _Buffer) -> tuple[Event, int | None] | None:
        """The next event; ``None`` at the end of this loop."""
        while self._buffer is buffer:
            await self._cursor.save_if_due(access.store)
            taken = buffer.next()
            if taken is not None:
                return taken
            await buffer.wait(self._cursor.due_in())
        return None

    def _tell(self, event: Event, place: Place) -> list[asyncio.Task[None]]:
        if self._told is not None and place.id <= self._told.id and not event.is_gap:
            return []
        self._told = place
        if not self._has_listeners():
            return []
        listeners = self._signals.tell(event.name, event)
        if event.job_id is not None:
            listeners += self._signals.tell(f"{event.name}:{event.job_id}", event)
        return listeners

    def _count_as_handled(self) -> None:
        in_hand, self._in_hand = self._in_hand, None
        if in_hand is not None:
            self._cursor.handled(*in_hand)
        self._cursor.release()

    async def cause_of(self, event: Event) -> ChildFailure | None:
        """Why a parent failed: its child, that child's own, and so on, with their reasons as they are now.

        Args:
            event: A ``failed`` one; see ``Event.caused_by_child`` for what it tells by itself.

        Returns:
            ``None`` if no child was the cause.
        """
        check_kind(event, Event, "event", "must be an Event")
        return await trace_failure((await self._open()).store, event.failed_reason, self.ref.prefix)

    async def commit(self) -> None:
        """Count the event that was handed out last as handled, and write the place of a named reader now.

        Raises:
            ReaderReplaced: Somebody else reads under this name.
            StoreUnavailable: No answer from the server.
        """
        self._count_as_handled()
        await self._cursor.save((await self._open()).store)

    async def forget(self) -> bool:
        """Remove the stored place of a named reader; ``False`` if there was none.

        A loop reads on, but its place is not written any more. When the reader is made ready after ``close``,
        or made anew, it begins like a new one.
        """
        return await self._cursor.forget((await self._link.open()).store)

    async def close(self) -> None:
        """Stop reading, wait for listeners, and write the place of a named reader. Loops come to their end.

        The event that a loop has in hand does not count as handled; see ``commit``.
        """
        await self._stop_pump()
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            buffer.wake()
        await self._signals.settle()
        access = self._link.access
        if access is not None:
            try:
                await self._cursor.save(access.store)
            except (StoreError, ReaderReplaced) as error:
                _logger.warning(
                    "the place of a reader was not written", extra={"queue": self.name, "error": str(error)}
                )
        self._place = self._in_hand = None
        await self._link.close()
