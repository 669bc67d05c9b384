"""Asking a store in few words."""

from __future__ import annotations

from tests.support.clock import Clock
from tests.support.database import Database
from toril.core.queue import new_job
from toril.errors import JobError
from toril.model.names import QueueRef
from toril.model.options import resolve
from toril.store.contract import Store
from toril.store.values import Added, Claim, NewJob, Settlement


class Teller:
    """Asks a store in few words.

    Attributes:
        store: The store.
        queue: The queue that is meant.
    """

    def __init__(self, store: Store, queue: QueueRef, clock: Clock, database: Database) -> None:
        self.store = store
        self.queue = queue
        self._clock = clock
        self._database = database

    def job(self, **options: object) -> NewJob:
        """A job to add, with options as callers give them."""
        return new_job("work", "{}", resolve("work", options, self._clock.ms, 2))

    async def add(self, **options: object) -> str:
        """The id of a job that is added."""
        return (await self.store.jobs.add(self.queue, self.job(**options))).id

    async def add_refused(self, **options: object) -> JobError:
        """Why a job is not added."""
        answer = (await self.store.jobs.add_many(self.queue, [self.job(**options)], atomic=False))[0]
        assert isinstance(answer, JobError)
        return answer

    async def add_existing(self, **options: object) -> Added:
        """The job that exists instead of the one that was to be added."""
        added = await self.store.jobs.add(self.queue, self.job(**options))
        assert added.existing is not None
        return added

    async def take(
        self, count: int = 1, token: str = "token", limit: tuple[int, int] | None = None
    ) -> list[str]:
        """The ids of jobs that are taken."""
        claim = Claim(token=token, lock_ms=30_000, count=count, limit=limit)
        return [job.id for job in (await self.store.jobs.take(self.queue, claim)).jobs]

    async def settle(self, *settlements: Settlement) -> list[int | JobError]:
        """Answers to settlements."""
        return (await self.store.jobs.settle(self.queue, settlements, None, at_ms=self._clock.ms)).answers

    async def state(self, id: str) -> str:
        """The state of a job."""
        return await self.store.jobs.state(self.queue, id)

    def key(self, name: str) -> str:
        """A key of the queue."""
        return self.queue.base + name

    def events(self, *names: str) -> list[tuple[str, str]]:
        """Events that were told, with the jobs they are about."""
        told = self._database.events(self.queue.base)
        return [(event["event"], event.get("jobId", "")) for event in told if event["event"] in names]
