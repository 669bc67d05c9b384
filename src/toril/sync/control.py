"""Steering a queue, in blocking code."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from toril.core.portal import portal
from toril.model.cancellation import Cancellation
from toril.sync.removal import Removal


class Control(Removal):
    """The part of a queue that steers; see ``toril.core.control.Control``."""

    def pause(self) -> None:
        """Nothing is taken from the queue until it is resumed."""
        portal.call(self._queue.pause())

    def resume(self) -> None:
        """Let jobs be taken again."""
        portal.call(self._queue.resume())

    def cancel(self, id: str, *, children: bool = True) -> Cancellation:
        """Cancel a job, and the jobs below it."""
        return portal.call(self._queue.cancel(id, children=children))

    def retry_jobs(self, state: str = "failed", *, count: int = 1000, before: datetime | None = None) -> int:
        """Run all finished jobs again."""
        return portal.call(self._queue.retry_jobs(state, count=count, before=before))

    def promote_jobs(self, *, count: int = 1000) -> int:
        """Let all delayed jobs wait now."""
        return portal.call(self._queue.promote_jobs(count=count))

    def add_job_log(self, id: str, row: str, *, keep_logs: int | None = None) -> int:
        """Append a row to a job's log."""
        return portal.call(self._queue.add_job_log(id, row, keep_logs=keep_logs))

    def update_job_progress(self, id: str, progress: Any) -> None:
        """Report progress of a job from outside."""
        portal.call(self._queue.update_job_progress(id, progress))

    def publish_event(
        self,
        name: str,
        fields: Mapping[str, Any] | None = None,
        /,
        *,
        max_events: int | None = None,
        **more: Any,
    ) -> str:
        """Tell an event of your own."""
        return portal.call(self._queue.publish_event(name, fields, max_events=max_events, **more))
