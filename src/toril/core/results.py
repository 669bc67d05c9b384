"""Waiting for jobs to finish: one follower of a queue's events serves all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toril.core.feed import Feed, Follower
from toril.core.waiting import wait_for
from toril.errors import StoreError, StoreUnavailable
from toril.model.event import Event
from toril.model.names import QueueRef
from toril.model.stream import Place
from toril.store.contract import Store

#: Events that say that a job will not change any more.
_LAST_EVENTS = frozenset({b"completed", b"failed", b"removed"})
# Seconds until the end of a stream is asked for again.
_PAUSE = 0.5


class Word:
    """What one waiter was told: that the job finished, or just that a look is due.

    Attributes:
        event: The event that says how the job finished, if it was seen.
    """

    __slots__ = ("_told", "event")

    def __init__(self) -> None:
        self.event: dict[str, str] | None = None
        self._told = asyncio.Event()

    def tell(self, event: dict[str, str] | None) -> None:
        """Wake the waiter."""
        # How the job finished says more than that it was removed afterwards.
        if self.event is None or (event is not None and event["event"] != "removed"):
            self.event = event
        self._told.set()

    async def wait(self, seconds: float) -> None:
        """Wait to be told, at most so long."""
        if await wait_for(self._told, seconds):
            self._told.clear()


class ResultReader:
    """Tells waiters when their job has finished, or when they had better look themselves."""

    def __init__(self, store: Store, feed: Feed, queue: QueueRef) -> None:
        self._store = store
        self._feed = feed
        self._queue = queue
        self._waiters: dict[str, set[Word]] = {}
        self._follower: _Finishes | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def subscribe(self, id: str) -> Word:
        """Word of this job; no finish after this call is missed.

        Raises:
            StoreUnavailable: The reader was closed.
        """
        if self._closed:
            raise StoreUnavailable(f"queue {self._queue.name} was closed")
        word = Word()
        self._waiters.setdefault(id, set()).add(word)
        try:
            async with self._starting:
                if self._follower is None:
                    place = await self._end()
                    self._follower = _Finishes(self._queue, place, self)
                    self._feed.follow(self._follower)
        except BaseException:
            self.unsubscribe(id, word)
            raise
        return word

    async def _end(self) -> Place:
        """Where the stream ends; a server that is away is waited for."""
        while not self._closed:
            try:
                return await self._store.events.end(self._queue)
            except StoreError:
                await asyncio.sleep(_PAUSE)
        raise StoreUnavailable(f"queue {self._queue.name} was closed")

    def unsubscribe(self, id: str, word: Word) -> None:
        """The waiter has what it wanted; the last one to leave stops the reading."""
        waiters = self._waiters.get(id, set())
        waiters.discard(word)
        if not waiters:
            self._waiters.pop(id, None)
        if not self._waiters and self._follower is not None:
            self._feed.unfollow(self._follower)
            self._follower = None

    def wake(self, id: str, event: dict[str, str] | None) -> None:
        """Tell those who wait for a job."""
        for word in self._waiters.get(id, ()):
            word.tell(event)

    def wake_all(self) -> None:
        """Let everybody look: what finished meanwhile, nobody was told of."""
        for id in self._waiters:
            self.wake(id, None)

    def close(self) -> None:
        """Who still waits is woken; the feed is closed by whoever owns it."""
        self._closed = True
        self.wake_all()


class _Finishes(Follower):
    """Passes on the ends of jobs."""

    def __init__(self, queue: QueueRef, place: Place, reader: ResultReader) -> None:
        super().__init__(queue, place)
        self._reader = reader

    def take(self, events: Sequence[tuple[Event, int | None]]) -> None:
        """Pass on what ends jobs."""
        for event, _ in events:
            if event.is_gap:
                self._reader.wake_all()
            elif event.raw.get(b"event") in _LAST_EVENTS:
                self._reader.wake(event.job_id or "", event.fields)

    def lose(self) -> None:
        """Events are late; those who wait look themselves."""
        self._reader.wake_all()
