"""Removing jobs of a queue, from one to all of them."""

from __future__ import annotations

from collections.abc import Callable

from toril.core.limits import Limits
from toril.errors import OptionError, QueueInUse
from toril.model.checks import check_bool, check_id, check_int, check_text
from toril.model.duration import Duration, to_ms

#: States whose jobs ``clean`` removes.
CLEANABLE = (
    *("active", "completed", "delayed", "failed", "paused", "prioritized", "wait", "waiting"),
    "waiting-children",
)

#: Hears how far ``obliterate`` has come: how many jobs and schedulers are removed, and how many are left.
OnProgress = Callable[[int, int], None]


class Removal(Limits):
    """Removes jobs of a queue, in as many short steps as it takes, so that the server serves others."""

    async def remove(self, id: str, *, remove_children: bool = True) -> bool:
        """Remove a job; ``False`` if it, or one of its children, is running.

        Raises:
            JobOwnedByScheduler: It is the next iteration of a job scheduler.
        """
        job_id = check_id(id)
        store = (await self._open()).store
        return await store.jobs.remove(self.ref, job_id, with_children=remove_children)

    async def drain(self, *, delayed: bool = False) -> int:
        """Remove all jobs that wait for a slot; answers how many.

        The next iteration of a job scheduler stays. Jobs that are added meanwhile may stay.

        Args:
            delayed: Also those that wait for their time.
        """
        check_bool(delayed, "delayed")
        return await (await self._open()).store.removals.drain(self.ref, delayed=delayed)

    async def clean(self, grace: Duration = 0, *, limit: int = 0, state: str = "completed") -> list[str]:
        """Remove the jobs of one state that are older than ``grace``; tells one ``cleaned`` event.

        Args:
            grace: Seconds or timedelta. A finished job's age counts from its end, that of others from
                when they were last started, or else added.
            limit: Look at no more than so many jobs, those whose turn is next; 0 is all.
            state: ``completed``, ``failed``, ``waiting`` (or ``wait``), ``paused``, ``prioritized``,
                ``delayed``, ``waiting-children``, or ``active``: jobs there whose lock has expired.

        Returns:
            The ids of the removed jobs. The next iteration of a job scheduler is never among them.

        Raises:
            OptionError: An option can't be used.
        """
        if state not in CLEANABLE:
            raise OptionError.no_such("state", state, CLEANABLE)
        check_int(limit, "limit")
        grace_ms = to_ms(grace, "grace")
        store = (await self._open()).store
        stored_name = "wait" if state == "waiting" else state
        ids = await store.removals.clean(self.ref, stored_name, store.now_ms() - grace_ms, limit)
        if ids and state == "active":
            # Their slots are free.
            await store.limits.wake(self.ref)
        return ids

    async def obliterate(
        self,
        *,
        force: bool = False,
        everything: bool = False,
        count: int = 1000,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Remove the queue: its jobs, schedulers, events, metrics and settings.

        It is paused first, and done in steps. If it is broken off, call it again; until then the queue
        stays paused.

        Args:
            force: Also if jobs are active; their workers then can't finish them.
            everything: Also what BullMQ leaves behind: jobs that wait for children, the rate limiter, all
                deduplication keys. It looks through all keys of the database.
            count: At most so many jobs in one step.
            on_progress: Called after each step with how many jobs and schedulers are removed and how many
                are left.

        Raises:
            QueueInUse: Jobs are active, or somebody resumed the queue meanwhile.
            OptionError: An option can't be used.
        """
        check_bool(force, "force")
        check_bool(everything, "everything")
        check_int(count, "count", 1)
        if on_progress is not None and not callable(on_progress):
            raise OptionError("on_progress", on_progress, "must be callable")
        store = (await self._open()).store
        await store.queues.pause(self.ref)
        removed, done = 0, False
        while not done:
            step = await store.removals.obliterate(self.ref, count, force=force, everything=everything)
            if step is None:
                raise QueueInUse(f"queue {self.name} was resumed while it was obliterated", queue=self.name)
            if step.active:
                raise QueueInUse(
                    f"jobs of queue {self.name} are active, it is now paused; wait for them, or force=True",
                    queue=self.name,
                )
            removed, done = removed + step.removed, step.done
            if on_progress is not None:
                on_progress(removed, step.remaining)
        await store.removals.remove_traces(self.ref, everything=everything)

    async def remove_orphans(self, *, count: int = 1000, limit: int = 0) -> int:
        """Delete what is left of jobs that are in no state; answers of how many.

        It looks through all keys of the database; in a cluster, of the queue's node.

        Args:
            count: About so many keys are looked at in one step.
            limit: Delete at most so many jobs; 0 is all.
        """
        check_int(count, "count", 1)
        check_int(limit, "limit")
        return await (await self._open()).store.removals.remove_orphans(self.ref, count, limit)

    async def find_orphans(self, *, count: int = 1000, limit: int = 0) -> list[str]:
        """Ids of what is left of jobs that are in no state, in no order; see ``remove_orphans``.

        Args:
            count: About so many keys are looked at in one step.
            limit: Find at most so many; 0 is all.
        """
        check_int(count, "count", 1)
        check_int(limit, "limit")
        return await (await self._open()).store.removals.find_orphans(self.ref, count, limit)

    async def remove_deduplication_key(self, id: str) -> bool:
        """Free a deduplication id, so that the next job with it is added; ``False`` if it was free."""
        return await (await self._open()).store.removals.remove_deduplication_key(self.ref, _dedup_id(id))

    async def get_deduplication_job_id(self, id: str) -> str | None:
        """The id of the job that holds a deduplication id, if there is one."""
        return await (await self._open()).store.removals.deduplication_owner(self.ref, _dedup_id(id))

    async def trim_events(self, max_length: int) -> int:
        """Forget all but about the last ``max_length`` events; answers how many were forgotten."""
        check_int(max_length, "max_length")
        return await (await self._open()).store.removals.trim_events(self.ref, max_length)


def _dedup_id(id: str) -> str:
    if not check_text(id, "id"):
        raise OptionError("id", id, "must not be empty")
    return id
