"""Waiting for jobs to finish: one reader of a queue's events serves all who wait."""

from __future__ import annotations

import asyncio
import logging

from toril.errors import StoreError, StoreUnavailable
from toril.model.names import QueueRef
from toril.store.contract import EventReader, Store

_logger = logging.getLogger(__name__)

#: Events that say that a job will not change any more.
_LAST_EVENTS = frozenset({"completed", "failed", "removed"})
# Seconds until a reader that lost its connection tries again.
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
        try:
            async with asyncio.timeout(seconds):
                await self._told.wait()
        except TimeoutError:
            return
        self._told.clear()


class ResultReader:
    """Tells waiters when their job has finished, or when they had better look themselves."""

    def __init__(self, store: Store, queue: QueueRef) -> None:
        self._store = store
        self._queue = queue
        self._waiters: dict[str, set[Word]] = {}
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
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
        if self._task is None or self._task.done():
            self._ready = asyncio.Event()
            self._task = asyncio.create_task(self._read(self._ready))
        try:
            await self._ready.wait()
        except BaseException:
            self.unsubscribe(id, word)
            raise
        return word

    def unsubscribe(self, id: str, word: Word) -> None:
        """The waiter has what it wanted; the last one to leave stops the reader."""
        waiters = self._waiters.get(id, set())
        waiters.discard(word)
        if not waiters:
            self._waiters.pop(id, None)
        if not self._waiters and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _read(self, ready: asyncio.Event) -> None:
        reader = self._store.event_reader(self._queue)
        try:
            while True:
                try:
                    await self._follow(reader, ready)
                except StoreError as error:
                    _logger.warning(
                        "lost the events of a queue", extra={"queue": self._queue.name, "error": str(error)}
                    )
                    await asyncio.sleep(_PAUSE)
        finally:
            # Whoever is told nothing any more has to look.
            ready.set()
            await reader.close()

    async def _follow(self, reader: EventReader, ready: asyncio.Event) -> None:
        await reader.start()
        ready.set()
        # What finished while nobody listened is found by looking.
        self._wake_all()
        while True:
            for event in await reader.read():
                if event.get("event") in _LAST_EVENTS:
                    self._wake(event.get("jobId", ""), event)

    def _wake(self, id: str, event: dict[str, str] | None) -> None:
        for word in self._waiters.get(id, ()):
            word.tell(event)

    def _wake_all(self) -> None:
        for id in self._waiters:
            self._wake(id, None)

    async def close(self) -> None:
        """Stop reading; who still waits is woken."""
        self._closed = True
        task, self._task = self._task, None
        self._wake_all()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
