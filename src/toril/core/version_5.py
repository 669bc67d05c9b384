"""Clients of BullMQ 5: they share queues with all others, but not one that is paused."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from toril.model.names import QueueRef

_logger = logging.getLogger(__name__)

_VERSION_5 = "bullmq:5."


def warn_of_version_5(queue: QueueRef, versions: Iterable[str], *, parked: bool) -> None:
    """Log a warning if a queue that was paused seems to be used by BullMQ 5.

    Args:
        versions: What the queue's meta told of who uses it.
        parked: Whether there is a list of paused jobs, which only version 5 makes.
    Source: differences of BullMQ 5.81 and 6.7 in pausing.
    """
    found = next((version for version in versions if version.startswith(_VERSION_5)), None)
    if found is None and not parked:
        return
    _logger.warning(
        "paused a queue that BullMQ 5 uses: stop its producers meanwhile, and resume the queue by toril or "
        "BullMQ 6 only; when a client of BullMQ 5 resumes it, jobs that wait can be lost",
        extra={"queue": queue.name, "version": found, "parked": parked},
    )
