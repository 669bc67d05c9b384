"""A job as it is stored: text fields under BullMQ's names, decoded when asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import msgspec

from toril.model.checks import is_number
from toril.model.duration import EPOCH, instant_or_none
from toril.model.names import QueueRef
from toril.model.stored import read_json, read_text, read_whole

#: Option names that BullMQ stores abbreviated. Source: BullMQ 6.7, job options.
SHORT_OPTIONS = {
    "de": "deduplication",
    "kl": "keepLogs",
    "fpof": "failParentOnFailure",
    "cpof": "continueParentOnFailure",
    "idof": "ignoreDependencyOnFailure",
    "rdof": "removeDependencyOnFailure",
}

Fields = dict[bytes, Any]

# Another client may have stored any number; more attempts than that are for ever.
_MOST_ATTEMPTS = 2**31


def public_options(stored: dict[str, Any]) -> dict[str, Any]:
    """Options under the names that BullMQ's users know."""
    opts = {SHORT_OPTIONS.get(key, key): value for key, value in stored.items() if key not in ("tm", "omc")}
    telemetry = {
        public: stored[short]
        for short, public in (("tm", "metadata"), ("omc", "omitContext"))
        if short in stored
    }
    if telemetry:
        opts["telemetry"] = telemetry
    return opts


class JobRecord:
    """A job as it was when it was read; nothing is decoded before it is asked for.

    Attributes:
        queue: The queue the job is in.
        id: Its id, unique in its queue.
        fields: The stored fields, undecoded.
        token: The lock token it was taken with; empty when it wasn't taken.
    """

    __slots__ = ("fields", "id", "queue", "token")

    def __init__(self, queue: QueueRef, id: str, fields: Fields, token: str = "") -> None:
        self.queue: QueueRef = queue
        self.id: str = id
        self.fields: Fields = fields
        self.token: str = token

    def take_fields(self, fields: Fields) -> None:
        """The job was read again."""
        self.fields = fields

    def _text(self, field: bytes) -> str | None:
        return read_text(self.fields.get(field))

    def _int(self, field: bytes) -> int | None:
        return read_whole(self.fields.get(field))

    def _json(self, field: bytes, default: Any = None) -> Any:
        return read_json(self.fields.get(field), default)

    @property
    def queue_name(self) -> str:
        """Name of the queue, without the prefix."""
        return self.queue.name

    @property
    def prefix(self) -> str:
        """Key prefix of the queue."""
        return self.queue.prefix

    @property
    def name(self) -> str:
        """What kind of job it is."""
        return self._text(b"name") or ""

    @property
    def data(self) -> Any:
        """The payload.

        Raises:
            ValueError: What is stored is no JSON.
        """
        value = self.fields.get(b"data")
        return msgspec.json.decode(value) if value is not None else {}

    @property
    def opts(self) -> dict[str, Any]:
        """The options the job was added with, under BullMQ's public names."""
        opts = public_options(self.stored_opts)
        if is_number(opts.get("backoff")):
            opts["backoff"] = {"type": "fixed", "delay": opts["backoff"]}
        return opts

    @property
    def stored_opts(self) -> dict[str, Any]:
        """The options as they are stored, with short names; empty when they can't be read."""
        opts = self._json(b"opts")
        return cast("dict[str, Any]", opts) if isinstance(opts, dict) else {}

    @property
    def progress(self) -> Any:
        """What the handler reported last; 0 before it did."""
        return self._json(b"progress", 0)

    @property
    def return_value(self) -> Any:
        """What the handler returned; ``None`` before it did."""
        return self._json(b"returnvalue")

    @property
    def failed_reason(self) -> str | None:
        """Why the latest attempt failed; ``None`` when none did."""
        return self._text(b"failedReason") or None

    @property
    def stacktrace(self) -> list[str]:
        """One text for each failed attempt, oldest first."""
        stack = self._json(b"stacktrace")
        return cast("list[str]", stack) if isinstance(stack, list) else []

    @property
    def timestamp_ms(self) -> int:
        """When the job was made, in ms since the epoch."""
        return self._int(b"timestamp") or 0

    @property
    def delay_ms(self) -> int:
        """The current delay in ms; 0 when the job isn't delayed."""
        return self._int(b"delay") or 0

    @property
    def delay(self) -> float:
        """The current delay in seconds; 0 when the job isn't delayed."""
        return self.delay_ms / 1000

    @property
    def priority(self) -> int:
        """0 is no priority and goes first; otherwise lower goes first."""
        return self._int(b"priority") or 0

    @property
    def attempts_made(self) -> int:
        """Finished attempts, failed ones included."""
        legacy = self._int(b"attemptsMade")
        return (self._int(b"atm") if legacy is None else legacy) or 0

    @property
    def attempts_started(self) -> int:
        """How often a worker took the job."""
        return self._int(b"ats") or 0

    @property
    def attempts(self) -> int:
        """How many attempts the job may have; 0 and 1 both mean one."""
        attempts = self.stored_opts.get("attempts", 0)
        return int(min(max(attempts, 0), _MOST_ATTEMPTS)) if isinstance(attempts, int | float) else 0

    @property
    def stalled_counter(self) -> int:
        """How often the job was given back because its worker was gone."""
        return self._int(b"stc") or 0

    @property
    def processed_on_ms(self) -> int | None:
        """When a worker took it last, in ms since the epoch."""
        return self._int(b"processedOn")

    @property
    def finished_on_ms(self) -> int | None:
        """When it completed or failed, in ms since the epoch."""
        return self._int(b"finishedOn")

    @property
    def created_at(self) -> datetime:
        """When the job was made; 1970 if that can't be read."""
        return instant_or_none(self.timestamp_ms) or EPOCH

    @property
    def processed_at(self) -> datetime | None:
        """When a worker took it last."""
        return instant_or_none(self.processed_on_ms)

    @property
    def finished_at(self) -> datetime | None:
        """When it completed or failed."""
        return instant_or_none(self.finished_on_ms)

    @property
    def processed_by(self) -> str | None:
        """Name of the worker that took it last, if it has one."""
        return self._text(b"pb")

    @property
    def deferred_failure(self) -> str | None:
        """Why the next worker that takes the job must fail it without running it."""
        return self._text(b"defa")

    @property
    def parent_key(self) -> str | None:
        """Full key of the parent job."""
        return self._text(b"parentKey")

    @property
    def parent(self) -> dict[str, Any] | None:
        """Id and queue key of the parent, with the failure policy of this child."""
        return self._json(b"parent")

    @property
    def repeat_job_key(self) -> str | None:
        """Id of the scheduler this job belongs to."""
        return self._text(b"rjk")

    @property
    def deduplication_id(self) -> str | None:
        """The deduplication id it was added with."""
        return self._text(b"deid")

    def to_dict(self, *, wire: bool = False) -> dict[str, Any]:
        """The job as plain values.

        Args:
            wire: The stored fields as they are, under BullMQ's names.
        """
        if wire:
            return {key.decode(): self._text(key) for key in self.fields}
        return {name: getattr(self, name) for name in _PUBLIC}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.name!r} of {self.queue.qualified}>"


_PUBLIC = (
    *("id", "name", "queue_name", "prefix", "data", "opts", "progress", "delay", "priority", "created_at"),
    *("attempts_made", "attempts_started", "stalled_counter", "processed_at", "finished_at", "processed_by"),
    *("failed_reason", "return_value", "stacktrace", "parent_key", "parent", "repeat_job_key"),
    *("deduplication_id", "deferred_failure"),
)
