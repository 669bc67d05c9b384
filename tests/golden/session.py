"""The queues, workers and jobs of one replayed scenario."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.golden.dump import Server
from tests.golden.options import queue_options, worker_options
from tests.golden.scenario import Scenario
from tests.golden.times import Timekeeper
from tests.golden.values import JSON, Args, BadRecording, as_mapping
from toril import Job, JobNotFound, Queue, Worker
from toril.store.contract import Store

#: Runs a step; given to the session, because a job's handler runs steps as well.
Perform = Callable[["Session", Mapping[str, JSON]], Awaitable[JSON]]


@dataclass(frozen=True, slots=True)
class Held:
    """A job that later steps refer to.

    Attributes:
        worker: Who took it; ``None`` if no worker did.
    """

    job: Job
    worker: Worker | None = None


class Session:
    """All that the steps of a scenario work with.

    Attributes:
        errors: What workers told as errors since the step began.
        handler: What the job that is processed now shall do.
    """

    def __init__(
        self, scenario: Scenario, store: Store, server: Server, times: Timekeeper, perform: Perform
    ) -> None:
        self.store = store
        self.server = server
        self.times = times
        self.perform = perform
        self.prefix = scenario.prefix
        self.errors: list[str] = []
        self.handler: Callable[[Job], Awaitable[Any]] | None = None
        self._held: dict[str, Held] = {}
        self._queues: dict[str, Queue] = {}
        self._workers: dict[str, Worker] = {}
        self._settlers: dict[str, Worker] = {}
        self._scenario = scenario

    async def set_up(self) -> None:
        """Empty the database, then make the queues and workers of the scenario."""
        await self.server.empty()
        for name, options in self._scenario.queues.items():
            queue = Queue(
                name, store=self.store, prefix=self.prefix, **queue_options(Args(as_mapping(options)))
            )
            self._queues[name] = queue
            await queue.ready()
        for handle, entry in self._scenario.workers.items():
            args = Args(as_mapping(entry))
            self._workers[handle] = self._new_worker(args.text("queue"), worker_options(args))

    def _new_worker(self, queue: str, options: dict[str, Any]) -> Worker:
        worker = Worker(queue, self._handle, store=self.store, prefix=self.prefix, **options)
        worker.on("error", self._note_error)
        return worker

    def _note_error(self, error: BaseException) -> None:
        self.errors.append(str(error))

    async def _handle(self, job: Job) -> Any:
        if self.handler is None:
            raise BadRecording("a job is processed outside of worker.process")
        return await self.handler(job)

    async def close(self) -> None:
        """Close what was made."""
        for user in (*self._queues.values(), *self._workers.values(), *self._settlers.values()):
            await user.close()

    def queue(self, name: str) -> Queue:
        """The queue object of this name; one that is not in the scenario must write nothing of itself."""
        if name not in self._queues:
            self._queues[name] = Queue(name, store=self.store, prefix=self.prefix, skip_meta_update=True)
        return self._queues[name]

    def worker(self, args: Args) -> Worker:
        """The worker that a step names; the first one if it names none."""
        handle = args.text("worker", next(iter(self._workers), ""))
        if handle not in self._workers:
            raise BadRecording(f"there is no worker {handle!r}")
        return self._workers[handle]

    def settler(self, held: Held) -> Worker:
        """The worker that settles a job: the one that took it, or else one without options."""
        if held.worker is not None:
            return held.worker
        name = held.job.queue_name
        if name not in self._settlers:
            self._settlers[name] = self._new_worker(name, {})
        return self._settlers[name]

    def hold(self, handle: JSON, job: Job | None, worker: Worker | None = None) -> None:
        """Let later steps refer to a job by this handle, if the step has one."""
        if isinstance(handle, str) and job is not None:
            self._held[handle] = Held(job, worker)

    async def job(self, args: Args) -> Held:
        """The job that a step refers to: by a handle, or by queue and id, which are looked up now.

        Raises:
            JobNotFound: It is gone.
        """
        reference = args.get("job")
        if isinstance(reference, str):
            if reference not in self._held:
                raise BadRecording(f"no step has made a job {reference!r}")
            return self._held[reference]
        place = Args(as_mapping(reference))
        job = await self.queue(place.text("queue")).get_job(place.text("id"))
        if job is None:
            raise JobNotFound("it is gone", queue=place.text("queue"), job_id=place.text("id"))
        return Held(job)
