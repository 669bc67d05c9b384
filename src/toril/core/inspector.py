"""Reading a queue: counts, pages of jobs, all jobs, single jobs, logs, metrics, who works on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from toril.core.clients import ClientInfo, WorkerInfo, read_beats
from toril.core.connection import StoreLink
from toril.core.dependencies import DependencyKind, DependencyPage, part_of, read_children
from toril.core.iteration import walk_ids
from toril.core.job import Job
from toril.core.linked import Connecting
from toril.core.meta import public_meta
from toril.core.metrics import Metrics, check_labels, prometheus_text
from toril.core.states import STATES, check_finished, check_states
from toril.model.checks import check_id, check_int, check_items, check_range
from toril.model.draft import MAX_PRIORITY
from toril.model.duration import datetime_to_ms
from toril.model.event import Event
from toril.model.names import QueueRef, check_prefix, check_queue_name
from toril.model.stream import Place, StreamId, check_event_id
from toril.model.worker_status import WorkerStatus
from toril.store.contract import Store
from toril.store.values import Logs


@dataclass(frozen=True, slots=True)
class JobLock:
    """What keeps a running job to one worker.

    Attributes:
        token: Of the worker that holds it.
        expires_in: Seconds until it expires unless it is renewed.
    """

    token: str
    expires_in: float


class Inspector(Connecting):
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

    async def get_job(self, id: str) -> Job | None:
        """The job of this id, or ``None``."""
        job_id = check_id(id)
        record = await (await self._open()).store.jobs.get(self.ref, job_id)
        return Job.of(record, self._link) if record else None

    async def get_job_state(self, id: str) -> str:
        """The state of a job; ``unknown`` if there is no such job."""
        job_id = check_id(id)
        return await (await self._open()).store.jobs.state(self.ref, job_id)

    async def get_job_counts(self, *states: str) -> dict[str, int]:
        """How many jobs are in each of these states; in all states when none is named.

        Besides the states, ``paused`` (the waiting list of a queue that version 5 of BullMQ paused) and
        ``repeat`` (job schedulers) can be counted.
        """
        wanted = check_states(states or STATES)
        counts = await (await self._open()).store.queues.counts(self.ref, wanted)
        return dict(zip(wanted, counts, strict=True))

    async def get_job_count_by_types(self, *states: str) -> int:
        """How many jobs are in these states together; in all states when none is named."""
        return sum((await self.get_job_counts(*states)).values())

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

    async def get_delayed_count(self, before: datetime | None = None) -> int:
        """How many jobs wait for their time; with ``before``, those that are due before this instant."""
        if before is None:
            return await self._count("delayed")
        before_ms = datetime_to_ms(before, "before")
        return await (await self._open()).store.queues.delayed_before(self.ref, before_ms)

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
        items = check_items(priorities, "priorities")
        wanted = list(dict.fromkeys(check_int(each, "priorities", 0, MAX_PRIORITY) for each in items))
        counts = await (await self._open()).store.queues.counts_per_priority(self.ref, wanted)
        return dict(zip(wanted, counts, strict=True))

    async def get_jobs(
        self, states: str | Iterable[str], start: int = 0, end: int = -1, *, ascending: bool = False
    ) -> list[Job]:
        """A page of jobs: of each state those from ``start`` to ``end``, which is included; -1 is the last.

        Newest first, unless ``ascending``. Negative positions count from the end. A page of positions that
        don't is filled up from those behind it where an id has no job any more.

        Up to 250 jobs are read in one step. More are read in several: of some thousand it is those that were
        there at the first one. See ``iter_jobs`` for very many.
        """
        wanted = check_states(states)
        check_range(start, end)
        store = (await self._open()).store
        page = await store.queues.page(self.ref, wanted, start, end, ascending=ascending)
        return [Job.of(record, self._link) for record in page]

    async def get_ranges(
        self, states: str | Iterable[str], start: int = 0, end: int = 1, *, ascending: bool = False
    ) -> list[str]:
        """Ids at some positions of each state, each once, even of jobs that are gone; see ``get_jobs``."""
        wanted = check_states(states)
        check_range(start, end)
        store = (await self._open()).store
        return await store.queues.ids(self.ref, wanted, start, end, ascending=ascending)

    def iter_jobs(self, states: str | Iterable[str], *, batch: int = 100) -> AsyncGenerator[Job]:
        """All jobs of some states, in no order, however many they are and whatever happens meanwhile.

        A job that stays in one of these states from the first step to the last is yielded exactly once, and
        none is yielded twice. The same holds for a job that goes on from one of them to another, as jobs do
        in their life. Jobs that are added, finished or removed meanwhile may be among those yielded or not.

        Up to 10,000 jobs are looked up in one step, so then it also holds for a job that goes back, as by a
        retry; of more, one that goes back into a state that was read already may be missed, and so may a
        waiting job that is sent to the end of the line by ``change_priority(0)``.

        It holds no connection, and may take as long as you like. It remembers which ids it has met: a bit for
        each number that the queue gave out, the whole text of other ids.

        Args:
            states: One state or more.
            batch: So many jobs are read at a time.

        Raises:
            OptionError: There is no such state, or ``batch`` is no positive number.
        """
        return self._iterate(check_states(states), check_int(batch, "batch", 1))

    async def _iterate(self, states: Sequence[str], batch: int) -> AsyncGenerator[Job]:
        store = (await self._open()).store
        async for ids in walk_ids(store, self.ref, states):
            for start in range(0, len(ids), batch):
                for record in await store.queues.read(self.ref, ids[start : start + batch]):
                    yield Job.of(record, self._link)

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
        job_id = check_id(id)
        check_range(start, end)
        store = (await self._open()).store
        return await store.jobs.logs(self.ref, job_id, start, end, ascending=ascending)

    async def get_locks(self, ids: Iterable[str]) -> dict[str, JobLock]:
        """The locks of those of these jobs that have one: active jobs whose worker lives.

        Args:
            ids: Ids of jobs, in any number.
        """
        wanted = [check_id(id, "ids") for id in check_items(ids, "ids")]
        locks = await (await self._open()).store.queues.locks(self.ref, wanted)
        found = zip(wanted, locks, strict=True)
        return {id: JobLock(lock[0], lock[1] / 1000) for id, lock in found if lock is not None}

    def iter_events(self, after: str = "0", *, batch: int = 100) -> AsyncGenerator[Event]:
        """The events that the queue keeps, oldest first, up to its latest; see ``QueueEvents`` to go on.

        Args:
            after: Begin behind the event of this id; ``"0"`` is the oldest there is.
            batch: So many events are read at a time.

        Raises:
            OptionError: There can be no such id, or ``batch`` is no positive number.
        """
        place = check_event_id(after)
        return self._iterate_events(place, check_int(batch, "batch", 1))

    async def _iterate_events(self, place: Place | None, batch: int) -> AsyncGenerator[Event]:
        events = (await self._open()).store.events
        feed = events.feed(self.ref)
        try:
            while place is not None:
                look = await feed.look(self.ref, place.id, batch)
                for id, raw in look.entries:
                    place = Place(StreamId.parse(id))
                    yield Event(self.ref, id.decode(), raw)
                if not look.more:
                    break
        finally:
            await feed.close()

    async def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return await (await self._open()).store.queues.is_paused(self.ref)

    async def get_meta(self) -> dict[str, Any]:
        """What is set for the whole queue: version, event cap, concurrency, rate limit, paused.

        A setting that should be a number and isn't is given as ``None``.
        """
        return public_meta(await (await self._open()).store.queues.meta(self.ref))

    async def get_version(self) -> str | None:
        """Library and version that opened the queue last."""
        return (await (await self._open()).store.queues.meta(self.ref)).get("version")

    async def get_dependencies(
        self, parent_id: str, kind: DependencyKind = "processed", start: int = 0, end: int = -1
    ) -> DependencyPage[Job]:
        """A page of a job's children, with what they returned and the children themselves.

        They have no order, but while nothing changes they keep the one they have from call to call.

        Args:
            parent_id: Id of the job.
            kind: ``processed`` for children that have completed, ``pending`` for those that are waited for.
            start: The first of the page, from 0.
            end: Its last, which is included; -1 is the last of all.
        """
        id, part = check_id(parent_id, "parent_id"), part_of(kind)
        check_int(start, "start")
        check_int(end, "end", -1)
        store = (await self._open()).store
        children = await store.queues.children(self.ref, id, part, start, end)
        return read_children(children, lambda record: Job.of(record, self._link))

    async def get_workers(self) -> list[WorkerInfo]:
        """The workers of this queue that are connected, of toril and BullMQ alike.

        They are found by the names of their connections; of a cluster, the node that knows most of them is
        asked. On a server that does not tell who is connected the list is empty, which is logged.
        """
        found = await (await self._open()).store.queues.workers(self.ref)
        return [WorkerInfo.of(fields) for fields in found]

    async def workers(self) -> list[WorkerStatus]:
        """How the workers of toril are that work for this queue, as they tell it themselves.

        They tell it from time to time (option ``heartbeat_interval``), so a worker that was killed is listed
        until it has missed three times; then the event ``worker-lost`` tells of it. See ``get_workers`` for
        all that are connected, BullMQ's included.
        """
        found = await (await self._open()).store.queues.beats(self.ref)
        return read_beats(found)

    async def get_workers_count(self) -> int:
        """How many workers are connected; see ``get_workers``."""
        return len(await self.get_workers())

    async def get_queue_events(self) -> list[ClientInfo]:
        """Who reads the events of this queue; see ``get_workers``."""
        found = await (await self._open()).store.queues.event_readers(self.ref)
        return [ClientInfo.of(fields) for fields in found]

    async def get_metrics(
        self, kind: Literal["completed", "failed"], start: int = 0, end: int = -1
    ) -> Metrics:
        """How many jobs completed, or failed for good, by minute; needs workers with ``metrics_points``.

        Args:
            kind: ``completed`` or ``failed``.
            start: The first point, 0 is the latest one; negative ones count from the oldest.
            end: The last point, which is included.
        """
        check_finished(kind, "kind")
        check_range(start, end)
        return Metrics.of(await (await self._open()).store.queues.metrics(self.ref, kind, start, end))

    async def export_prometheus_metrics(self, labels: Mapping[str, str] | None = None) -> str:
        """Counts of jobs in the text format of Prometheus, under BullMQ's names.

        The totals are those of ``get_metrics``, so they stay 0 without workers that have ``metrics_points``.

        Args:
            labels: More labels for each line, such as ``{"env": "production"}``.

        Raises:
            OptionError: A label can't be used.
        """
        more = check_labels(labels)
        counts = await self.get_job_counts()
        completed, failed = await self.get_metrics("completed", 0, 0), await self.get_metrics("failed", 0, 0)
        return prometheus_text(self.name, counts, completed.count, failed.count, more)
