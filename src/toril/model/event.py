"""An event of a queue: an entry of its stream, decoded when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from toril.errors import ChildFailure
from toril.model.duration import instant_or_none
from toril.model.names import QueueRef, split_job_key
from toril.model.parent import failed_child
from toril.model.stored import read_json, read_text, read_whole

#: What queues tell of themselves. Source: BullMQ 6.7, queue events.
BUILT_IN_EVENTS = frozenset(
    {
        *("active", "added", "cleaned", "completed", "deduplicated", "delayed", "drained", "duplicated"),
        *("failed", "paused", "progress", "removed", "resumed", "retries-exhausted", "stalled", "waiting"),
        "waiting-children",
    }
)
#: What a reader tells by itself; it is in no stream.
GAP = "gap"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a queue.

    What an event does not have is ``None``, and so is what can't be read as what it should be: look at
    ``fields`` then, which holds all of it as text.

    Attributes:
        queue: The queue.
        id: Its id in the stream, which orders the events of a queue.
        raw: The stored fields.
        local: It comes from the reader and is in no stream; see ``gap``.
    """

    queue: QueueRef
    id: str
    raw: Mapping[bytes, bytes] = field(hash=False)
    local: bool = False

    @property
    def name(self) -> str:
        """What happened: ``completed``, ``added``, ... or a name of your own."""
        return self.text("event") or ""

    @property
    def queue_name(self) -> str:
        """Name of the queue, without the prefix."""
        return self.queue.name

    @property
    def job_id(self) -> str | None:
        """The job it happened to."""
        return self.text("jobId")

    @property
    def fields(self) -> dict[str, str]:
        """All stored fields as text, under BullMQ's names."""
        return {_decode(name): _decode(value) for name, value in self.raw.items()}

    def text(self, field: str) -> str | None:
        """One stored field as text."""
        return read_text(self.raw.get(field.encode()))

    def json(self, field: str) -> Any:
        """One stored field, read as JSON; its text if it is no JSON."""
        value = self.raw.get(field.encode())
        return read_json(value, read_text(value))

    def _number(self, field: str) -> int | None:
        return read_whole(self.raw.get(field.encode()))

    @property
    def at(self) -> datetime | None:
        """When it was told, by the clock of the server; ``None`` for a gap."""
        return None if self.local else instant_or_none(read_whole(self.id.partition("-")[0]))

    @property
    def return_value(self) -> Any:
        """``completed``: what the handler returned."""
        return self.json("returnvalue")

    @property
    def failed_reason(self) -> str | None:
        """``failed``: why."""
        return self.text("failedReason")

    @property
    def caused_by_child(self) -> ChildFailure | None:
        """``failed``: the child whose failure made this job fail; its reason is in its own event."""
        key = failed_child(self.failed_reason)
        place = split_job_key(key, self.queue.prefix) if key is not None else None
        return ChildFailure(place[0].qualified, place[1]) if place is not None else None

    @property
    def prev(self) -> str | None:
        """The state that the job was in before."""
        return self.text("prev")

    @property
    def due(self) -> datetime | None:
        """``delayed``: when the job may run. The field is called ``delay``."""
        return instant_or_none(self._number("delay"))

    @property
    def progress(self) -> Any:
        """``progress``: what was reported."""
        return self.json("data")

    @property
    def job_name(self) -> str | None:
        """``added``: what kind of job it is."""
        return self.text("name")

    @property
    def attempts_made(self) -> int | None:
        """``retries-exhausted``: how many attempts there were."""
        return self._number("attemptsMade")

    @property
    def count(self) -> int | None:
        """``cleaned``: how many jobs were removed."""
        return self._number("count")

    @property
    def deduplication_id(self) -> str | None:
        """``deduplicated``: the deduplication id that two jobs share."""
        return self.text("deduplicationId")

    @property
    def deduplicated_job_id(self) -> str | None:
        """``deduplicated``: the job that was not added, or that was replaced."""
        return self.text("deduplicatedJobId")

    @property
    def is_gap(self) -> bool:
        """Whether events are missing here: told by the reader itself, never by a stream."""
        return self.local

    @property
    def lost(self) -> int | None:
        """``gap``: how many events are missing; ``None`` if that can't be known."""
        return self._number("lost")


def gap(queue: QueueRef, *, resume: str, after: str, before: str, lost: int | None) -> Event:
    """The event that says that others are missing.

    Args:
        resume: The id that reading goes on after.
        after: The last id before the gap.
        before: The first id after it; empty if there is none yet.
        lost: How many are missing, if that is known.
    """
    raw = {b"event": GAP.encode(), b"after": after.encode(), b"before": before.encode()}
    if lost is not None:
        raw[b"lost"] = b"%d" % lost
    return Event(queue, resume, raw, local=True)


def _decode(value: bytes) -> str:
    return value.decode("utf-8", "replace")
