"""Following the events of queues: one connection serves all who read them in an event loop.

The stream is the buffer: whoever is slow is left behind, keeps its place, and is read for when it has room
again. So nobody waits for anybody else, and nobody holds more than a bounded number of events.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from toril.core.waiting import wait_for
from toril.errors import StoreError, StoreUnavailable
from toril.model.event import Event
from toril.model.names import QueueRef
from toril.model.stream import Entry, Place, Reading, StreamId, append, read_on
from toril.store.contract import EventFeed, Store

_logger = logging.getLogger(__name__)

# Entries in one reading, which ends earlier if they are big: below 3 ms of the server's time.
_AT_ONCE = 500
# Entries that a wait brings: few, since their size is not known before. There are more than those when it is
# as many; fewer are all that there are.
_NEWS = 8
# Seconds until a feed that lost its connection tries again, and until one stream that can't be read is.
_PAUSE = 0.5
# Seconds that the connection is kept when nobody follows: who waits for one job after another uses it again.
_LINGER = 1.0
# Seconds after which a quiet stream is looked at all the same. One that was removed, and begun again behind
# the id that was read last, would stay quiet for ever.
_LOOK_EVERY = 60.0
#: Seconds that a wait lasts on the server.
BLOCK = 10.0


class Follower:
    """Someone who follows the events of a queue from a place.

    Args:
        block: Seconds that the server may wait for this one.

    Attributes:
        eager: Whether it is given the news of a wait at once. If events before those were trimmed away
            meanwhile, it is not told of a gap.
        place: Behind what it was given last.
        behind: Whether there may be events behind its place.
        error: Why it can't be served now.
    """

    eager = False

    def __init__(self, queue: QueueRef, place: Place, block: float = BLOCK) -> None:
        self.queue = queue
        self.block = block
        self.place: Place = place
        self.behind: bool = True
        self.error: StoreError | None = None
        self.retry_at: float = 0.0

    def has_room(self) -> bool:
        """Whether it takes events now."""
        return True

    def take(self, events: Sequence[tuple[Event, int | None]]) -> None:
        """Events with the counts of their places, in order; never none."""
        raise TypeError(f"{type(self).__name__} takes no {events}")

    def lose(self) -> None:
        """The connection was lost, or the stream can't be read; see ``error``. Told once."""

    def give(self, reading: Reading) -> None:
        """Hand over what was read."""
        self.place, self.behind, self.error = reading.place, reading.more, None
        if reading.events:
            self.take(reading.events)

    def suffer(self, error: StoreError, retry_at: float) -> None:
        """Note that reading failed."""
        first, self.error, self.behind, self.retry_at = self.error is None, error, True, retry_at
        if first:
            self.lose()


class Feed:
    """Reads for followers of queues that share a connection."""

    def __init__(self, store: Store, queue: QueueRef) -> None:
        self._store = store
        self._queue = queue
        self._followers: set[Follower] = set()
        self._task: asyncio.Task[None] | None = None
        self._stirred = asyncio.Event()
        self._looked_at = 0.0

    def follow(self, follower: Follower) -> None:
        """Read for this follower, too."""
        self._followers.add(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        self.stir()

    def unfollow(self, follower: Follower) -> None:
        """Read no more for this follower; nothing is given to it after this."""
        self._followers.discard(follower)
        if not self._followers:
            self.stir()

    def stir(self) -> None:
        """Look again who wants what."""
        self._stirred.set()

    async def close(self) -> None:
        """Stop reading and close the connection."""
        self._followers.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        feed = self._store.events.feed(self._queue)
        try:
            while await self._is_wanted():
                try:
                    await self._step(feed)
                except StoreError as error:
                    self._all_suffer(error)
                    await asyncio.sleep(_PAUSE)
            self._task = None
        finally:
            await feed.close()

    async def _is_wanted(self) -> bool:
        if not self._followers:
            self._stirred.clear()
            await self._sleep(_LINGER)
        return bool(self._followers)

    async def _sleep(self, seconds: float) -> None:
        await wait_for(self._stirred, seconds)

    def _all_suffer(self, error: StoreError) -> None:
        now = asyncio.get_running_loop().time()
        for follower in tuple(self._followers):
            follower.suffer(error, now)

    async def _step(self, feed: EventFeed) -> None:
        """Read for all who are behind; then wait for news for the others."""
        now = asyncio.get_running_loop().time()
        self._stirred.clear()
        if now - self._looked_at > _LOOK_EVERY:
            self._looked_at = now
            for follower in self._followers:
                follower.behind = True
        await self._read(feed, [one for one in self._ready(now) if one.behind])
        ready = self._ready(now)
        waiting = [one for one in ready if not one.behind]
        late = [one.retry_at - now for one in self._followers if one.error]
        timeout = min([one.block for one in waiting] + late, default=BLOCK)
        if self._stirred.is_set() or len(waiting) < len(ready):
            timeout = 0.0
        if waiting:
            await self._wait(feed, waiting, max(timeout, 0.0))
        elif timeout:
            await self._sleep(timeout)

    def _ready(self, now: float) -> list[Follower]:
        return [
            one for one in self._followers if one.has_room() and (one.error is None or one.retry_at <= now)
        ]

    async def _wait(self, feed: EventFeed, waiting: Sequence[Follower], timeout: float) -> None:
        places: dict[QueueRef, StreamId] = {}
        count = _NEWS if any(one.eager for one in waiting) else 1
        for one in waiting:
            id = one.place.id
            places[one.queue] = min(places.get(one.queue, id), id)
        try:
            news = await feed.wait(places, timeout, self._stirred, count)
        except StoreUnavailable:
            raise
        except StoreError:
            # One stream of many may be none; reading each by itself tells which.
            news = {queue: list[Entry]() for queue in places}
            await asyncio.sleep(_PAUSE)
        for one in tuple(self._followers):
            if one.queue not in news:
                continue
            entries = news[one.queue]
            if one.eager and one in waiting and 0 < len(entries) < _NEWS:
                one.give(append(one.queue, one.place, entries))
            else:
                one.behind = True

    async def _read(self, feed: EventFeed, behind: Iterable[Follower]) -> None:
        """Read once for all who are at the same place."""
        groups: dict[tuple[QueueRef, Place], list[Follower]] = {}
        for one in behind:
            groups.setdefault((one.queue, one.place), []).append(one)
        if groups:
            errors = await asyncio.gather(*(self._look(feed, group) for group in groups.values()))
            if lost := next((error for error in errors if error is not None), None):
                raise lost

    async def _look(self, feed: EventFeed, group: Sequence[Follower]) -> StoreUnavailable | None:
        queue, place = group[0].queue, group[0].place
        try:
            reading = read_on(queue, place, await feed.look(queue, place.id, _AT_ONCE))
        except StoreUnavailable as error:
            return error
        except StoreError as error:
            again = asyncio.get_running_loop().time() + _PAUSE
            for one in group:
                one.suffer(error, again)
            return None
        for one in group:
            if one in self._followers:
                one.give(reading)
        return None
