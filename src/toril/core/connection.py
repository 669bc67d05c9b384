"""Finding the store: objects of one event loop and one URL share one, the last to leave closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, WeakValueDictionary

from toril.core.feed import Feed
from toril.core.results import ResultReader
from toril.errors import StoreUnavailable
from toril.model.checks import check_text
from toril.model.names import QueueRef
from toril.store.contract import Store
from toril.store.opening import default_url, find_server, open_store, without_password


@dataclass
class Access:
    """A store, and what is shared by all who use it in one event loop.

    Attributes:
        store: The store itself.
        owned: Whether it is closed with its last user.
        closed: Whether its last user has left.
    """

    store: Store
    owned: bool
    users: int = 0
    closed: bool = False
    readers: dict[QueueRef, ResultReader] = field(default_factory=dict[QueueRef, ResultReader])
    feeds: dict[int, Feed] = field(default_factory=dict[int, Feed])

    def feed_of(self, queue: QueueRef) -> Feed:
        """What reads the events of this queue, and of others."""
        lane = self.store.events.lane(queue)
        feed = self.feeds.get(lane)
        if feed is None:
            feed = self.feeds[lane] = Feed(self.store, queue)
        return feed

    def results_of(self, queue: QueueRef) -> ResultReader:
        """Who waits for jobs of this queue to finish."""
        reader = self.readers.get(queue)
        if reader is None:
            reader = self.readers[queue] = ResultReader(self.feed_of(queue), queue)
        return reader

    async def leave(self) -> None:
        """One user less."""
        self.users -= 1
        if self.users > 0:
            return
        self.closed = True
        readers, self.readers = self.readers, {}
        for reader in readers.values():
            reader.close()
        feeds, self.feeds = self.feeds, {}
        for feed in feeds.values():
            await feed.close()
        if self.owned:
            await self.store.close()


# A loop that ends without its queues being closed stays in here, since its connections refer to it; the next
# loop to open a store sweeps it out.
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Access]] = WeakKeyDictionary()
_given: WeakValueDictionary[int, Access] = WeakValueDictionary()


class StoreLink:
    """The way to the store, of a queue or of whoever has to do with several of them.

    Nothing is opened before it is needed, so no loop has to run yet.

    Args:
        queue: Whose way it is, if it is that of one; others that use it, too, are ``more``.
    """

    def __init__(
        self, queue: QueueRef | None, url: str | None, store: Store | None, more: Sequence[QueueRef] = ()
    ) -> None:
        self._queues = (*more, queue) if queue is not None else more
        self._name = f"queue {queue.name}" if queue is not None else "the client"
        self._url = url if url is None else check_text(url, "url")
        self._store = store
        self._access: Access | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: asyncio.Lock | None = None
        self._closings = 0

    @property
    def server(self) -> str:
        """The server's URL without its password; an empty text for a store that was given."""
        return without_password(self._url or default_url()) if self._store is None else ""

    @property
    def access(self) -> Access | None:
        """What was opened, if it was opened in the running loop."""
        return self._access if self._loop is asyncio.get_running_loop() else None

    async def open(self) -> Access:
        """The store, opened and looked at.

        Raises:
            StoreUnavailable: The server does not answer, or the link was closed meanwhile.
            StoreMisconfigured: The server can't be used.
        """
        closings, loop = self._closings, asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._access, self._opening = loop, None, asyncio.Lock()
        assert self._opening is not None
        async with self._opening:
            if self._access is None:
                self._access = await self._join(closings)
            return self._access

    async def _join(self, closings: int) -> Access:
        access = await self._find()
        access.users += 1
        try:
            await access.store.ready()
            for queue in self._queues:
                access.store.check_queue(queue)
            if self._closings != closings:
                raise StoreUnavailable(f"{self._name} was closed while it connected")
        except BaseException:
            await access.leave()
            raise
        return access

    async def _find(self) -> Access:
        if self._store is not None:
            access = _given.get(id(self._store))
            if access is None or access.closed:
                access = _given[id(self._store)] = Access(self._store, owned=False)
            return access
        url = self._url or default_url()
        _sweep()
        shared = _shared.setdefault(asyncio.get_running_loop(), {})
        embedded = url.startswith("embedded:")
        server, revive = await asyncio.to_thread(find_server, url) if embedded else (url, None)
        if url not in shared or shared[url].closed:
            shared[url] = Access(open_store(server, revive=revive), owned=True)
        return shared[url]

    async def close(self) -> None:
        """Leave the store; the next use opens it again."""
        self._closings += 1
        access, self._access = self.access, None
        if access is not None:
            await access.leave()


def _sweep() -> None:
    """Forget the stores of loops that are closed: nothing else would ever close their connections."""
    for reference in _shared.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            _shared.pop(loop, None)
