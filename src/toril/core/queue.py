"""A queue to add jobs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack

from toril.core.connection import Access
from toril.core.job import Job
from toril.core.middleware import AddMiddleware, JobDraft, add_through, check_middleware, draft_of
from toril.core.payload import byte_length, encode
from toril.core.repeat import RepeatStrategy
from toril.core.scheduling import Scheduling
from toril.core.spec import ABSENT, JobSpec, new_job, spec_of, stored_job
from toril.core.stuck import StuckParent, find_stuck_parents
from toril.errors import JobError, OptionError
from toril.model.checks import check_int, check_items, check_keyed
from toril.model.options import AddOptions, merge, resolve
from toril.store.contract import Store
from toril.store.values import Added, NewJob

# Jobs that are added all or none: in one step of the server.
MOST_AT_ONCE = 10_000


class Queue(Scheduling):
    """A queue to add jobs to. Nothing is opened before it is needed, so it can be made anywhere.

    Args:
        name: Name of the queue; any text without ``:``.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys of the queue.
        default_job_options: Options for every job, unless its ``add`` says otherwise.
        max_events: About so many events of the queue are kept.
        skip_meta_update: Don't write the queue's meta, for tools that only read.
        repeat_strategy: Says when job schedulers fire whose pattern is no cron line; workers need it too.
        middleware: Called around each add, the first one outermost.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        store: Store | None = None,
        prefix: str = "bull",
        default_job_options: AddOptions | None = None,
        max_events: int = 10_000,
        skip_meta_update: bool = False,
        repeat_strategy: RepeatStrategy | None = None,
        middleware: Sequence[AddMiddleware] = (),
    ) -> None:
        super().__init__(name, url=url, store=store, prefix=prefix)
        check_int(max_events, "max_events")
        if default_job_options is not None:
            check_keyed(default_job_options, "default_job_options")
        self.default_job_options: AddOptions = default_job_options or {}
        if repeat_strategy is not None and not callable(repeat_strategy):
            raise OptionError("repeat_strategy", repeat_strategy, "must be a function")
        self.repeat_strategy: RepeatStrategy | None = repeat_strategy
        resolve("", self.default_job_options, 0, 0)
        self._middleware: Sequence[AddMiddleware] = check_middleware(middleware, "middleware", "drafts")
        self._max_events = max_events
        self._announce = not skip_meta_update

    async def _open(self) -> Access:
        access = await super()._open()
        if self._announce:
            self._announce = False
            try:
                self._version_before = await access.store.queues.announce(self.ref, self._max_events)
            except BaseException:
                self._announce = True
                raise
        return access

    async def add(self, name: str, data: Any = ABSENT, /, **options: Unpack[AddOptions]) -> Job:
        """Add a job. Adds that are made at the same time share a call to the server.

        Args:
            name: What kind of job it is; handlers may look at it.
            data: Any JSON value, dataclass or msgspec struct.
            options: See ``AddOptions``.

        Returns:
            The job; ``job.created`` is false if a job of this id (or deduplication id) existed, which is
            then what is returned.

        Raises:
            OptionError: An option or the payload can't be used; nothing was written.
            StoreUnavailable: No answer from the server for some seconds.
            DuplicateJob: The id exists and ``on_duplicate="raise"``.
            JobLocked: The job to be replaced is running.
            ParentNotFound: There is no such parent.
        """
        if self._middleware:
            return await self._add_through(JobSpec(name, data, options))
        access = self._link.access
        if access is None or self._announce:
            access = await self._open()
        job = self._prepare(name, data, options, access.store.now_ms())
        self._check_slots(access, (job,))
        return self._job(job, await access.store.jobs.add(self.ref, job))

    async def add_many(
        self,
        jobs: Iterable[JobSpec | tuple[str, Any] | tuple[str, Any, AddOptions]],
        *,
        atomic: bool = False,
    ) -> list[Job | JobError]:
        """Add many jobs in one go, in order.

        Args:
            jobs: ``JobSpec`` or tuples of name, data and options.
            atomic: All or none: if one is refused, its error is raised and nothing is written. At most
                10 000 jobs.

        Returns:
            For each job what ``add`` would return, or the error it would raise.

        Raises:
            OptionError: An option or payload can't be used; nothing was written.
            StoreUnavailable: No answer from the server for some seconds; some may have been added.
        """
        specs = [spec_of(job) for job in check_items(jobs, "jobs")]
        if not self._middleware:
            return await self._add_all(specs, atomic)
        return await add_through(self._middleware, self._drafts(specs), partial(self._write, atomic=atomic))

    async def _add_through(self, spec: JobSpec) -> Job:
        [added] = await add_through(self._middleware, self._drafts([spec]), self._write)
        if isinstance(added, JobError):
            raise added
        return added

    def _drafts(self, specs: Iterable[JobSpec]) -> list[JobDraft]:
        return [draft_of(self.ref.name, spec.name, spec.data, spec.options) for spec in specs]

    async def _write(self, drafts: Sequence[JobDraft], *, atomic: bool = False) -> list[Job | JobError]:
        return await self._add_all([JobSpec(each.name, each.data, each.options) for each in drafts], atomic)

    async def _add_all(self, specs: Sequence[JobSpec], atomic: bool) -> list[Job | JobError]:
        access = await self._open()
        now_ms = access.store.now_ms()
        prepared = [self._prepare(spec.name, spec.data, spec.options or {}, now_ms) for spec in specs]
        if not prepared:
            return []
        if atomic and len(prepared) > MOST_AT_ONCE:
            problem = f"are more than the {MOST_AT_ONCE} that are added all or none; add them in parts"
            raise OptionError("jobs", len(prepared), problem)
        self._check_slots(access, prepared)
        added: list[Job | JobError] = []
        left = iter(prepared)

        def hear(answers: Iterable[Added | JobError]) -> None:
            # The answers come first: of jobs that are left none must be lost where they end.
            for answer, job in zip(answers, left, strict=False):
                added.append(answer if isinstance(answer, JobError) else self._job(job, answer))

        await access.store.jobs.add_many(self.ref, prepared, atomic=atomic, heard=hear)
        return added

    async def stuck_parents(self, *, limit: int = 100) -> list[StuckParent]:
        """Jobs that wait for children and can never run, with the reason; those that wait longest first.

        That is so when a child failed whose ``on_failure`` is not given, when a child is gone, or when
        nothing is pending any more. A child that merely takes its time keeps no one for ever.

        Args:
            limit: At most so many.
        """
        check_int(limit, "limit", 1)
        return await find_stuck_parents((await self._open()).store.family, self.ref, limit)

    def _prepare(self, name: str, data: Any, options: Mapping[str, Any], now_ms: int) -> NewJob:
        text = "{}" if data is ABSENT else encode(data, "data")
        if self.default_job_options:
            options = merge(self.default_job_options, options)
        return new_job(name, text, resolve(name, options, now_ms, byte_length(text)))

    def _check_slots(self, access: Access, jobs: Iterable[NewJob]) -> None:
        parents = [
            job.more["parentKey"] for job in jobs if isinstance(job.more, dict) and "parentKey" in job.more
        ]
        if parents:
            access.store.check_slot([self.ref.base, *parents])

    def _job(self, job: NewJob, added: Added) -> Job:
        if added.existing is not None:
            return Job.of(added.existing, self._link)
        return stored_job(self.ref, added.id, job, self._link, created=True)
