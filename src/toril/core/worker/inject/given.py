"""What every run can give to its handler by the type of a parameter: a logger, and word of cancellation."""

from __future__ import annotations

import logging
import threading
from collections.abc import MutableMapping
from typing import Any

from toril.model.duration import Duration, to_ms
from toril.model.job import JobRecord


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """The logger of a handler's module; each record has ``queue``, ``job_id`` and ``job_name``.

    It writes to Python's logging only. Rows of the job's own log are written with ``job.log``.
    """

    def __init__(self, logger: logging.Logger, job: JobRecord) -> None:
        super().__init__(logger, {"queue": job.queue_name, "job_id": job.id, "job_name": job.name})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the facts of the job to those of the call, which the standard library would throw away."""
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}


class CancelToken:
    """Tells code that can't be interrupted whether its run was cancelled; safe to be asked in any thread.

    An ``async`` handler is cancelled natively, by ``asyncio.CancelledError``. Plain ones have to look.

    Args:
        told: Is set when the run is cancelled; ``None`` for a token that only ``cancel`` sets.
    """

    __slots__ = ("_told",)

    def __init__(self, told: threading.Event | None = None) -> None:
        self._told = threading.Event() if told is None else told

    @property
    def cancelled(self) -> bool:
        """Whether the run was cancelled: nobody waits for what it does any more."""
        return self._told.is_set()

    def wait(self, timeout: Duration | None = None) -> bool:
        """Sleep, but not beyond the cancellation; not for code on the event loop, which it would hold up.

        Args:
            timeout: Seconds or timedelta; ``None`` sleeps until the run is cancelled.

        Returns:
            Whether the run was cancelled.
        """
        return self._told.wait(None if timeout is None else to_ms(timeout, "timeout") / 1000)

    def cancel(self) -> None:
        """The run was cancelled; for who runs the handler, or tests it."""
        self._told.set()
