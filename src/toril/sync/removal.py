"""Removing jobs of a queue, in blocking code."""

from __future__ import annotations

from toril.core.portal import portal
from toril.core.removal import OnProgress
from toril.model.duration import Duration
from toril.sync.limits import Limits


class Removal(Limits):
    """The part of a queue that removes; see ``toril.core.removal.Removal``."""

    def remove(self, id: str, *, remove_children: bool = True) -> bool:
        """Remove a job; ``False`` if it is running."""
        return portal.call(self._queue.remove(id, remove_children=remove_children))

    def drain(self, *, delayed: bool = False) -> int:
        """Remove all jobs that wait for a slot; answers how many."""
        return portal.call(self._queue.drain(delayed=delayed))

    def clean(self, grace: Duration = 0, *, limit: int = 0, state: str = "completed") -> list[str]:
        """Remove the jobs of one state that are older than ``grace``; answers their ids."""
        return portal.call(self._queue.clean(grace, limit=limit, state=state))

    def obliterate(
        self,
        *,
        force: bool = False,
        everything: bool = False,
        count: int = 1000,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Remove the queue; ``on_progress`` is called in the thread that serves blocking code."""
        portal.call(
            self._queue.obliterate(force=force, everything=everything, count=count, on_progress=on_progress)
        )

    def remove_orphans(self, *, count: int = 1000, limit: int = 0) -> int:
        """Delete what is left of jobs that are in no state; answers of how many."""
        return portal.call(self._queue.remove_orphans(count=count, limit=limit))

    def find_orphans(self, *, count: int = 1000, limit: int = 0) -> list[str]:
        """Ids of what is left of jobs that are in no state."""
        return portal.call(self._queue.find_orphans(count=count, limit=limit))

    def remove_deduplication_key(self, id: str) -> bool:
        """Free a deduplication id."""
        return portal.call(self._queue.remove_deduplication_key(id))

    def get_deduplication_job_id(self, id: str) -> str | None:
        """The id of the job that holds a deduplication id, if there is one."""
        return portal.call(self._queue.get_deduplication_job_id(id))

    def trim_events(self, max_length: int) -> int:
        """Forget all but about the last ``max_length`` events; answers how many were forgotten."""
        return portal.call(self._queue.trim_events(max_length))
