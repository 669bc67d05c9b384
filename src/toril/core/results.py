"""Waiting for jobs to finish: one follower of a queue's events serves all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toril.core.feed import Feed, Follower
from toril.core.waiting import wait_for
from toril.errors import StoreUnavailable
from toril.model.event import Event
from toril.model.names import QueueRef
from toril.model.stream import Place, StreamId

#: Events that say that a job will not change any more.
_LAST_EVENTS = frozenset({b"completed", b"failed", b"removed"})
# Seconds until a waiter looks for itself, in case word was lost on its way; and while the server is away.
_LOOK_EVERY, _PAUSE = 5.0, 0.5
# Seconds that events are read for nobody: who waits for one job after another waits again soon.
_LINGER = 1.0


class Word:
    """What one waiter was told: that the job finished, or just that a look is due.

    Attributes:
        after: The last event before the job was seen unfinished; ``None`` if it was not looked at yet.
    """

    __slots__ = ("_heard", "_told", "after")

    def __init__(self) -> None:
        self.after: StreamId | None = None
        self._heard: list[tuple[StreamId, dict[str, str]]] = []
        self._told = asyncio.Event()

    @property
    def event(self) -> dict[str, str] | None:
        """The event that says how the job finished, if it was seen."""
        # What ended before a look ended another life of the job.
        events = [event for id, event in self._heard if self.after is None or id > self.after]
        # How the job finished says more than that it was removed afterwards.
        finishes = [event for event in events if event["event"] != "removed"]
        return (finishes or events or [None])[-1]

    def tell(self, event: Event | None) -> None:
        """Wake the waiter."""
        if event is not None:
            self._heard.append((StreamId.parse(event.id), event.fields))
        self._told.set()

    async def wait(self) -> None:
        """Wait to be told, or until a look is due."""
        if await wait_for(self._told, _PAUSE if self.after is None else _LOOK_EVERY):
            self._told.clear()


class ResultReader:
    """Tells waiters when their job has finished, or when they had better look themselves."""

    def __init__(self, feed: Feed, queue: QueueRef) -> None:
        self._feed = feed
        self._queue = queue
        self._waiters: dict[str, set[Word]] = {}
        self._follower: _Finishes | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._closed = False

    def subscribe(self, id: str) -> Word:
        """Word of this job; no finish is missed after the first look at it, see ``unfinished``.

        Raises:
            StoreUnavailable: The reader was closed.
        """
        if self._closed:
            raise StoreUnavailable(f"queue {self._queue.name} was closed")
        word = Word()
        self._waiters.setdefault(id, set()).add(word)
        return word

    def unfinished(self, word: Word, end: StreamId) -> None:
        """The job of this word was not finished when the events ended there."""
        word.after = end
        if self._follower is None and not self._closed:
            self._follower = _Finishes(self._queue, Place(end), self)
            self._feed.follow(self._follower)

    def unsubscribe(self, id: str, word: Word) -> None:
        """The waiter has what it wanted; when no other comes, reading stops."""
        waiters = self._waiters.get(id, set())
        waiters.discard(word)
        if not waiters:
            self._waiters.pop(id, None)
        if not self._waiters and self._leaving is None and not self._closed:
            self._leaving = asyncio.get_running_loop().call_later(_LINGER, self._leave)

    def _leave(self) -> None:
        self._leaving = None
        if not self._waiters and self._follower is not None:
            self._feed.unfollow(self._follower)
            self._follower = None

    def wake(self, id: str, event: Event | None) -> None:
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
        if self._leaving is not None:
            self._leaving.cancel()
        self.wake_all()


class _Finishes(Follower):
    """Passes on the ends of jobs. Whoever misses one in a gap looks for itself before long."""

    eager = True

    def __init__(self, queue: QueueRef, place: Place, reader: ResultReader) -> None:
        super().__init__(queue, place)
        self.behind = False
        self._reader = reader

    def take(self, events: Sequence[tuple[Event, int | None]]) -> None:
        """Pass on what ends jobs."""
        for event, _ in events:
            if event.is_gap:
                self._reader.wake_all()
            elif event.raw.get(b"event") in _LAST_EVENTS:
                self._reader.wake(event.job_id or "", event)

    def lose(self) -> None:
        """Events are late; those who wait look themselves."""
        self._reader.wake_all()
