"""The server that a command speaks with, and finding the queues and jobs that it is given names of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from toril import Job, Queue, list_queues, open_store
from toril.cli.failures import Failure, not_there, unusable
from toril.cli.running import Settings
from toril.errors.nearest import hint
from toril.store.contract import Store
from toril.store.opening import find_server

# Queues that are asked at a time.
_AT_A_TIME = 50


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[Connected]:
    """The server, for one command.

    Raises:
        TorilError: It can't be reached or used.
    """
    url, revive = await asyncio.to_thread(find_server, settings.url)
    store = open_store(url, revive=revive)
    try:
        yield Connected(store, settings.prefix)
    finally:
        await store.close()


@dataclass(frozen=True, slots=True)
class Connected:
    """A server with its queues; all of them share its connection.

    Attributes:
        store: The open store.
        prefix: Prefix of the queues' keys.
    """

    store: Store
    prefix: str

    def queue(self, name: str, *, announce: bool = False) -> Queue:
        """A queue, whether it exists or not.

        Args:
            announce: Write the queue's settings, which makes it exist.
        """
        return Queue(name, store=self.store, prefix=self.prefix, skip_meta_update=not announce)

    async def names(self) -> list[str]:
        """The names of all queues."""
        return await list_queues(store=self.store, prefix=self.prefix)

    async def existing(self, name: str) -> Queue:
        """A queue that exists.

        Raises:
            Failure: There is none of this name; the message names the one that is most like it.
        """
        queue = self.queue(name)
        if not await exists(queue):
            raise _no_such_queue(name, await self.names())
        return queue

    async def chosen(self, names: Sequence[str]) -> list[Queue]:
        """These queues, which exist; all if none is named."""
        if names:
            return [await self.existing(name) for name in dict.fromkeys(names)]
        return [self.queue(name) for name in await self.names()]

    async def job(self, id: str, queue: str | None) -> tuple[Queue, Job]:
        """A job and its queue, which is looked for if it isn't named.

        Raises:
            Failure: There is no such job, or several queues have one of this id.
        """
        if queue is not None:
            opened = await self.existing(queue)
            return opened, await job_of(opened, id)
        found = [pair for pair in await self._looked_up(id) if pair is not None]
        if not found:
            raise not_there(
                f"there is no job {id!r} in any queue; a queue named by --queue is looked into alone"
            )
        if len(found) > 1:
            names = ", ".join(queue.name for queue, _ in found)
            raise unusable(f"each of these queues has a job {id!r}: {names}; say which is meant by --queue")
        return found[0]

    async def _looked_up(self, id: str) -> list[tuple[Queue, Job] | None]:
        turns = asyncio.Semaphore(_AT_A_TIME)

        async def look(name: str) -> tuple[Queue, Job] | None:
            async with turns:
                queue = self.queue(name)
                job = await queue.get_job(id)
                return (queue, job) if job is not None else None

        return await asyncio.gather(*map(look, await self.names()))


async def exists(queue: Queue) -> bool:
    """Whether anybody has used a queue: it has settings, or jobs, as of workers that were there first."""
    meta = await queue.get_meta()
    return len(meta) > 1 or bool(meta["paused"]) or any((await queue.get_job_counts()).values())


async def job_of(queue: Queue, id: str) -> Job:
    """A job of a queue.

    Raises:
        Failure: There is none of this id.
    """
    job = await queue.get_job(id)
    if job is None:
        raise not_there(f"there is no job {id!r} in queue {queue.name!r}")
    return job


def _no_such_queue(name: str, known: Sequence[str]) -> Failure:
    return not_there(
        f"there is no queue {name!r}; {hint(name, known) if known else 'there are no queues yet'}"
    )
