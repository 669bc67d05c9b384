"""Reading a queue: counts, pages of jobs, single jobs, logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from toril.core.connection import Access, StoreLink
from toril.core.job import Job
from toril.errors import OptionError
from toril.model.names import QueueRef, check_prefix, check_queue_name
from toril.store.contract import Logs, Store

#: The states a job can be in, in the order in which counts are given.
STATES = ("active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children")


class Inspector:
    """Reads a queue. Nothing is opened before it is needed, so it can be made anywhere.

    Args:
        name: Name of the queue.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys of the queue.

    Raises:
        OptionError: The name or the prefix can't be used.
    """

    def __init__(
        self, name: str, *, url: str | None = None, store: Store | None = None, prefix: str = "bull"
    ) -> None:
        self.ref: QueueRef = QueueRef(check_prefix(prefix), check_queue_name(name))
        self._link = StoreLink(self.ref, url, store)

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self.ref.name

    async def _open(self) -> Access:
        return self._link.access or await self._link.open()

    async def ready(self) -> Self:
        """Connect now, instead of at first use.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreMisconfigured: The server can't be used as it is set up.
        """
        await self._open()
        return self

    async def close(self) -> None:
        """Leave the server. The object can be used again; it then connects anew."""
        await self._link.close()

    async def __aenter__(self) -> Self:
        try:
            return await self.ready()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def get_job(self, id: str) -> Job | None:
        """The job of this id, or ``None``."""
        record = await (await self._open()).store.jobs.get(self.ref, str(id))
        return Job.of(record, self._link) if record else None

    async def get_job_state(self, id: str) -> str:
        """The state of a job; ``unknown`` if there is no such job."""
        return await (await self._open()).store.jobs.state(self.ref, str(id))

    async def get_job_counts(self, *states: str) -> dict[str, int]:
        """How many jobs are in each of these states; in all states when none is named."""
        wanted = _checked(states or STATES)
        counts = await (await self._open()).store.queues.counts(self.ref, wanted)
        return dict(zip(wanted, counts, strict=True))

    async def count(self) -> int:
        """How many jobs wait: for a slot, for their time, or for children."""
        return sum(
            (await self.get_job_counts("waiting", "delayed", "prioritized", "waiting-children")).values()
        )

    async def get_waiting_count(self) -> int:
        """How many jobs wait for a slot and have no priority."""
        return await self._count("waiting")

    async def get_active_count(self) -> int:
        """How many jobs are run now."""
        return await self._count("active")

    async def get_delayed_count(self) -> int:
        """How many jobs wait for their time."""
        return await self._count("delayed")

    async def get_prioritized_count(self) -> int:
        """How many jobs with a priority wait for a slot."""
        return await self._count("prioritized")

    async def get_completed_count(self) -> int:
        """How many completed jobs are kept."""
        return await self._count("completed")

    async def get_failed_count(self) -> int:
        """How many failed jobs are kept."""
        return await self._count("failed")

    async def get_waiting_children_count(self) -> int:
        """How many jobs wait for their children."""
        return await self._count("waiting-children")

    async def _count(self, state: str) -> int:
        return (await self.get_job_counts(state))[state]

    async def get_counts_per_priority(self, priorities: Sequence[int]) -> dict[int, int]:
        """How many jobs wait for a slot, for each of these priorities; 0 is no priority."""
        counts = await (await self._open()).store.queues.counts_per_priority(self.ref, priorities)
        return dict(zip(priorities, counts, strict=True))

    async def get_jobs(
        self, states: str | Iterable[str], start: int = 0, end: int = -1, *, ascending: bool = False
    ) -> list[Job]:
        """A page of jobs: of each state those from ``start`` to ``end``, which is included; -1 is the last.

        Newest first, unless ``ascending``.
        """
        wanted = _checked((states,) if isinstance(states, str) else tuple(states))
        store = (await self._open()).store
        page = await store.queues.page(self.ref, wanted, start, end, ascending=ascending)
        return [Job.of(record, self._link) for record in page]

    async def get_waiting(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of waiting jobs, the next one first."""
        return await self.get_jobs("waiting", start, end, ascending=True)

    async def get_active(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of active jobs, the one started first coming first."""
        return await self.get_jobs("active", start, end, ascending=True)

    async def get_delayed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of delayed jobs, the one due next coming first."""
        return await self.get_jobs("delayed", start, end, ascending=True)

    async def get_prioritized(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait with a priority, the next one first."""
        return await self.get_jobs("prioritized", start, end, ascending=True)

    async def get_completed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of completed jobs, the latest first."""
        return await self.get_jobs("completed", start, end)

    async def get_failed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of failed jobs, the latest first."""
        return await self.get_jobs("failed", start, end)

    async def get_waiting_children(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait for children, oldest first."""
        return await self.get_jobs("waiting-children", start, end, ascending=True)

    async def get_job_logs(self, id: str, start: int = 0, end: int = -1, *, ascending: bool = True) -> Logs:
        """Rows of a job's log; ``end`` is included, -1 is the last."""
        store = (await self._open()).store
        return await store.jobs.logs(self.ref, str(id), start, end, ascending=ascending)

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await (await self._open()).store.queues.is_paused(self.ref)

    async def get_meta(self) -> dict[str, Any]:
        """What is set for the whole queue: version, event cap, concurrency, rate limit, paused."""
        meta = await (await self._open()).store.queues.meta(self.ref)
        public: dict[str, Any] = {"paused": meta.pop("paused", None) == "1"}
        if "opts.maxLenEvents" in meta:
            public["max_len_events"] = int(meta.pop("opts.maxLenEvents"))
        for field in ("concurrency", "max", "duration"):
            if field in meta:
                public[field] = int(meta.pop(field))
        return public | meta

    async def get_version(self) -> str | None:
        """Library and version that opened the queue last."""
        return (await (await self._open()).store.queues.meta(self.ref)).get("version")


def _checked(states: Sequence[str]) -> Sequence[str]:
    for state in states:
        if state not in STATES and state not in ("wait", "paused"):
            raise OptionError.unknown(state, state, STATES)
    return states
