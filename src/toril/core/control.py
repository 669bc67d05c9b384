"""Steering a queue as a whole, and jobs of it from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from toril.core.cancelling import cancel_job
from toril.core.job import log_text
from toril.core.payload import encode
from toril.core.publishing import event_words
from toril.core.removal import Removal
from toril.core.states import check_finished
from toril.core.version_5 import warn_of_version_5
from toril.model.cancellation import Cancellation
from toril.model.checks import check_bool, check_id, check_int
from toril.model.duration import datetime_to_ms


class Control(Removal):
    """Steers a queue: pausing, and what moves its jobs or reports on them."""

    # What the queue's meta told before this object wrote its own version into it.
    _version_before: str | None = None

    async def pause(self) -> None:
        """Nothing is taken from the queue until it is resumed; running jobs go on.

        Clients of BullMQ 5 lose jobs when they resume it; a warning is logged if some seem to use the queue.
        """
        version, parked = await (await self._open()).store.queues.pause(self.ref)
        warn_of_version_5(self.ref, (version, self._version_before or ""), parked=parked)

    async def resume(self) -> None:
        """Let jobs be taken again."""
        await (await self._open()).store.queues.resume(self.ref)

    async def cancel(self, id: str, *, children: bool = True) -> Cancellation:
        """Cancel a job: one that waits fails now, the handler of one that runs is told to end.

        It fails with the reason ``cancelled`` and is not tried again; ``on_failure`` holds for its parent.

        Args:
            children: Also cancel all jobs below it that are not done; even if the job itself is.

        Returns:
            What became of the job; a text with a ``note``.

        Raises:
            JobNotFound: There is no such job.
            JobNotInState: It is in no state.
            JobOwnedByScheduler: It is the next iteration of a job scheduler.
        """
        job_id = check_id(id)
        check_bool(children, "children")
        return await cancel_job((await self._open()).store, self.ref, job_id, children=children)

    async def retry_jobs(
        self, state: str = "failed", *, count: int = 1000, before: datetime | None = None
    ) -> int:
        """Run all finished jobs again.

        Args:
            state: ``failed`` or ``completed``.
            count: At most so many in one step; the server does not do more than some hundred at once.
            before: Only those that finished before this instant; ``None`` is now.

        Returns:
            How many jobs wait again.
        """
        check_finished(state)
        check_int(count, "count", 1)
        before_ms = None if before is None else datetime_to_ms(before, "before")
        return await (await self._open()).store.queues.retry_jobs(self.ref, state, count, before_ms)

    async def promote_jobs(self, *, count: int = 1000) -> int:
        """Let all delayed jobs wait now, ``count`` in one step; answers how many."""
        check_int(count, "count", 1)
        return await (await self._open()).store.queues.retry_jobs(self.ref, "delayed", count, None)

    async def add_job_log(self, id: str, row: str, *, keep_logs: int | None = None) -> int:
        """Append a row to a job's log; answers how many rows are kept.

        Raises:
            JobNotFound: There is no such job.
        """
        if keep_logs is not None:
            check_int(keep_logs, "keep_logs")
        job_id = check_id(id)
        return await (await self._open()).store.jobs.log(self.ref, job_id, log_text(row), keep_logs)

    async def update_job_progress(self, id: str, progress: Any) -> None:
        """Report progress of a job from outside.

        Raises:
            JobNotFound: There is no such job.
        """
        job_id, text = check_id(id), encode(progress, "progress")
        await (await self._open()).store.jobs.update_progress(self.ref, job_id, text)

    async def publish_event(
        self,
        name: str,
        fields: Mapping[str, Any] | None = None,
        /,
        *,
        max_events: int | None = None,
        **more: Any,
    ) -> str:
        """Tell an event of your own to all who read the queue's events.

        Args:
            name: What happened; not one of the names that queues use themselves.
            fields: What to tell; a ``str`` is stored as it is, everything else as JSON. ``jobId`` makes it an
                event of a job.
            max_events: Trim the stream, which holds all events of the queue, to about so many; ``None`` is
                what the queue keeps anyway. (BullMQ trims it to 1000 here.)
            more: More fields, by name.

        Returns:
            Id of the event.

        Raises:
            OptionError: The name or a field can't be used; nothing was written.
        """
        words = event_words(name, fields, more)
        if max_events is not None:
            check_int(max_events, "max_events")
        return await (await self._open()).store.events.publish(self.ref, words, max_events)
